//! `hooksensor replay`: the records of captures.
//!
//! It must not know how a capture is read or understood.

use std::collections::BTreeSet;
use std::fs::{File, Metadata};
use std::io::{self, BufWriter, Write as _};
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use super::output::{Failure, Format, printable, say};
use super::progress::Progress;
use crate::config::Config;
use crate::http::PortFilter;
use crate::pipeline::{Replay, Summary};
use crate::webhook::Knowledge;
use crate::{schemas, secrets};

/// Octets written at once: some two hundred records. File systems take a large write in larger
/// pieces than pages, and four times this gains nothing more.
const WRITE_BEHIND: usize = 1 << 18;

/// The command line of the verb.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Captures (pcap or pcapng), in the order they were made; `-` is standard input.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// A TCP port to read; without one, every port that speaks HTTP. May be repeated.
    #[arg(long = "port", value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    ports: Vec<u16>,
    /// A configuration, to find and decide by as the agent would.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Records for programs (one JSON object a line) or for people.
    #[arg(short, long, value_enum, default_value_t = Format::Json)]
    output: Format,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let config = arguments.config.as_deref().map(Config::load).transpose()?;
    let knowledge = match &config {
        Some(config) => {
            let schemas = schemas::of_endpoints(config).map_err(Failure::from)?;
            secrets::knowledge(config).map_err(Failure::from)?.with_schemas(schemas)
        }
        None => Knowledge::new(&Config::default(), Vec::new()),
    };
    let mut replay =
        Replay::new(config.as_ref(), knowledge, ports(&arguments.ports, config.as_ref()));
    let mut output = Output::new(arguments.output).map_err(|error| cannot_write(&error))?;
    let progress = Progress::new(octets(&arguments.files));
    let mut code = ExitCode::SUCCESS;
    for file in &arguments.files {
        if let Err(message) = capture(&mut replay, file, &progress, &mut output) {
            progress.clear();
            say(&format!("hooksensor: {}: {message}", file.display()));
            code = ExitCode::FAILURE;
        }
    }
    let summary = replay.finish(&mut |line| output.put(line));
    output.finish()?;
    progress.clear();
    say(&describe(&summary));
    Ok(code)
}

fn ports(named: &[u16], config: Option<&Config>) -> PortFilter {
    let configured = config.map(|config| config.ports.clone()).unwrap_or_default();
    match (named.is_empty(), configured.is_empty()) {
        (false, _) => PortFilter::Only(BTreeSet::from_iter(named.iter().copied())),
        (true, false) => PortFilter::Only(configured),
        (true, true) => PortFilter::Any,
    }
}

/// Octets of all captures, unless one of them has no size or cannot be looked at.
fn octets(files: &[PathBuf]) -> Option<u64> {
    let size = |file: &PathBuf| file.metadata().ok().filter(Metadata::is_file).map(|of| of.len());
    files.iter().map(size).sum()
}

fn capture(
    replay: &mut Replay,
    file: &Path,
    progress: &Progress,
    output: &mut Output,
) -> Result<(), String> {
    let mut put = |line: &[u8]| {
        progress.record();
        output.put(line);
    };
    let outcome = if file == Path::new("-") {
        replay.capture(progress.count(io::stdin().lock()), &mut put)
    } else {
        let source = File::open(file).map_err(|error| error.to_string())?;
        replay.capture(progress.count(source), &mut put)
    };
    outcome.map_err(|error| error.to_string())
}

/// Standard output, until its reader goes away.
struct Output {
    stream: BufWriter<File>,
    format: Format,
    failure: Option<io::Error>,
}

impl Output {
    /// Past the buffer of the standard library, which ends each write at the end of a line.
    fn new(format: Format) -> io::Result<Self> {
        let file = File::from(io::stdout().as_fd().try_clone_to_owned()?);
        Ok(Self { stream: BufWriter::with_capacity(WRITE_BEHIND, file), format, failure: None })
    }

    fn put(&mut self, line: &[u8]) {
        if self.failure.is_some() {
            return;
        }
        let written = match self.format {
            Format::Json => self.stream.write_all(line).and_then(|()| self.stream.write_all(b"\n")),
            Format::Human => writeln!(self.stream, "{}", human(line)),
        };
        self.failure = written.err();
    }

    fn finish(mut self) -> Result<(), Failure> {
        let failure = self.failure.take().or_else(|| self.stream.flush().err());
        match failure {
            Some(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(cannot_write(&error)),
            _ => Ok(()),
        }
    }
}

fn cannot_write(error: &io::Error) -> Failure {
    Failure::failed(format!("cannot write to standard output: {error}"))
}

/// A record in a line a person can read.
fn human(line: &[u8]) -> String {
    let record: serde_json::Value = serde_json::from_slice(line).unwrap_or_default();
    let text = |pointer: &str| match record.pointer(pointer) {
        Some(serde_json::Value::String(text)) => printable(text),
        Some(other) => other.to_string(),
        None => String::from("-"),
    };
    let dataset = text("/event/dataset");
    if dataset == "hooksensor.connection" {
        return format!(
            "{}  {}  {}  {}",
            text("/@timestamp"),
            text("/source/ip"),
            text("/network/protocol"),
            text("/tls/client/server_name"),
        );
    }
    if dataset != "hooksensor.delivery" {
        return format!("{}  {}  {}", text("/@timestamp"), dataset, text("/event/reason"));
    }
    format!(
        "{}  {}  {} {} {}  {}  {}",
        text("/@timestamp"),
        text("/client/ip"),
        text("/http/request/method"),
        text("/url/original"),
        text("/http/response/status_code"),
        text("/webhook/provider"),
        text("/webhook/event_type"),
    )
}

fn describe(summary: &Summary) -> String {
    let skipped: u64 = summary.skipped.values().sum();
    let joined = match summary.joined {
        0 => String::new(),
        count => format!(", {count} fragments put together"),
    };
    let mut lines = vec![format!(
        "{} frames, {} TCP segments{joined}, {skipped} skipped{}",
        summary.frames,
        summary.frames - summary.joined - skipped,
        list(summary.skipped.iter().map(|(name, count)| (*name, *count))),
    )];
    if summary.untimed > 0 {
        lines.push(format!(
            "{} frames without a time: that of a frame before them stands in records",
            summary.untimed
        ));
    }
    let coverage = &summary.streams.coverage;
    lines.push(format!(
        "{} deliveries{}",
        summary.deliveries,
        list(coverage.iter().map(|(name, count)| (name.as_str(), *count))),
    ));
    let endpoints = summary.streams.endpoints.iter().filter(|one| !one.endpoint.is_empty());
    lines.extend(endpoints.map(|one| {
        let requests: u64 = one.requests.values().sum();
        let parts = list(one.requests.iter().map(|(name, count)| (name.as_str(), *count)));
        format!("{} on port {}: {requests} requests{parts}", one.endpoint, one.port)
    }));
    if summary.findings > 0 {
        lines.push(format!("{} findings, {} decisions", summary.findings, summary.decisions));
    }
    lines.join("\n")
}

/// The counts that are not zero, in parentheses.
fn list<'a>(counts: impl Iterator<Item = (&'a str, u64)>) -> String {
    let shown: Vec<_> = counts
        .filter(|(_, count)| *count > 0)
        .map(|(name, count)| format!("{} {count}", name.replace('_', " ")))
        .collect();
    if shown.is_empty() { String::new() } else { format!(" ({})", shown.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sent_drives_no_terminal() {
        let line = br#"{"event":{"dataset":"hooksensor.delivery"},"@timestamp":"now",
            "client":{"ip":"192.0.2.1"},"url":{"original":"/\u001b[31m\u009b\n"},
            "http":{"request":{"method":"GET"},"response":{"status_code":200}},
            "webhook":{"provider":"github","event_type":"pu\u001b[0msh"}}"#;
        let expected = "now  192.0.2.1  GET /\\u{1b}[31m\\u{9b}\\n 200  github  pu\\u{1b}[0msh";
        assert_eq!(human(line), expected);
    }
}
