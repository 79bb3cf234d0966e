//! The agent's own log, on standard error.
//!
//! It must not know what is logged.

use std::io::{self, Write};
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::Mutex;
use std::time::Duration;

use tracing_subscriber::EnvFilter;

use super::output::Failure;
use crate::config::{Log, LogFormat, LogLevel};
use crate::export::Patient;

/// How long a reader of the log may stop before lines are lost. Whoever logs waits for it.
const PATIENCE: Duration = Duration::from_millis(100);

/// A stream of lines that never fails and hardly waits: lines that nobody reads are counted, and
/// the count is told to who reads on.
struct Lines {
    stream: Patient,
    lost: u64,
}

/// Starts the log. `RUST_LOG` overrides the configured level.
pub(super) fn start(log: &Log) -> Result<(), Failure> {
    let level = match log.level {
        LogLevel::Error => "error",
        LogLevel::Warn => "warn",
        LogLevel::Info => "info",
        LogLevel::Debug => "debug",
        LogLevel::Trace => "trace",
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
    let stream = io::stderr().as_fd().try_clone_to_owned();
    let stream = stream.map_err(|error| Failure::failed(format!("no log: {error}")))?;
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(Mutex::new(Lines::new(stream)));
    let started = match log.format {
        LogFormat::Text => subscriber.with_target(false).try_init(),
        LogFormat::Json => subscriber.json().try_init(),
    };
    started.map_err(|error| Failure::failed(format!("no log: {error}")))
}

impl Lines {
    fn new(stream: OwnedFd) -> Self {
        Self { stream: Patient::new(stream, PATIENCE), lost: 0 }
    }

    fn tell_losses(&mut self) -> io::Result<()> {
        if self.lost > 0 {
            writeln!(self.stream, "hooksensor: {} lines of the log found no reader", self.lost)?;
            self.lost = 0;
        }
        Ok(())
    }
}

impl Write for Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let written = self.tell_losses().and_then(|()| self.stream.write_all(line));
        self.lost += u64::from(written.is_err());
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader};

    use super::*;

    #[test]
    fn lines_that_nobody_reads_are_counted_and_told() {
        let (reader, writer) = io::pipe().unwrap();
        let mut lines = Lines::new(writer.into());
        let line = [b"x".repeat(4000), b"\n".to_vec()].concat();
        while lines.lost < 3 {
            lines.write_all(&line).unwrap();
        }
        let mut read = BufReader::new(reader).lines();
        for _ in 0..3 {
            read.next().unwrap().unwrap();
        }
        lines.write_all(b"again\n").unwrap();
        drop(lines);
        let rest: Vec<_> = read.map(Result::unwrap).filter(|line| !line.starts_with('x')).collect();
        assert_eq!(rest, ["hooksensor: 3 lines of the log found no reader", "again"]);
    }
}
