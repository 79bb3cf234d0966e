//! `hooksensor verify`: one request against one secret, explained.
//!
//! It must not know how a signature is checked or how a file writes a request.

mod advice;
mod attempts;
mod browser;
mod captured;
mod har;
mod request_file;
mod which;
mod wire;

use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use self::request_file::RequestFile;
use self::which::Which;
use super::output::{Failure, Format, json, print, printable};
use crate::config::{Config, Part, Provider, SecretRef};
use crate::http::Headers;
use crate::secrets;
use crate::time::Timestamp;
use crate::webhook::signature::{Check, Terms, explain};
use crate::webhook::{Message, NoContent, Reason, Secret, Signature, Status, Table};

/// The command line of the verb.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The request: as it is on the wire (also after `curl -i`'s manner, with `> ` before each line
    /// of the head, or as GitHub shows recent deliveries), a HAR file, of which the first request
    /// counts, or a capture (pcap, pcapng). `-` is standard input.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The request of a capture or of a HAR file: its number, from 1, or what records call
    /// `webhook.delivery_id`, or the value of any header; without it, the first of which a provider
    /// is told.
    #[arg(long, value_name = "NUMBER|ID")]
    delivery: Option<String>,
    /// Where the secret is: `file:PATH`, `credential:NAME` or `env:NAME`. May be repeated.
    #[arg(long = "secret", value_name = "REFERENCE", required = true)]
    secrets: Vec<String>,
    /// The provider; without one, the one that the request's headers tell.
    #[arg(long, value_name = "NAME")]
    provider: Option<String>,
    /// A configuration with providers of its own.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The URL that the provider called, where its signature covers it.
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// What the provider calls the subscription, where its signature covers that.
    #[arg(long, value_name = "ID", default_value = "")]
    subscription: String,
    /// When the request was sent, as 2026-11-01T12:00:00Z; without it, when it was captured
    /// or, by a HAR file, sent; else its age is not judged.
    #[arg(long, value_name = "TIME")]
    at: Option<jiff::Timestamp>,
    /// For people or for programs.
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let config = arguments.config.as_deref().map(Config::load).transpose()?.unwrap_or_default();
    let octets = read_file(&arguments.file)
        .map_err(|error| Failure::failed(format!("{}: {error}", arguments.file.display())))?;
    let table = Table::new(&config.providers);
    let request = request(arguments, &octets, &table)?;
    let provider = provider(arguments, &table, &request)?;
    let secrets = read_secrets(&arguments.secrets)?;
    let mut notes = request.notes.clone();
    let url = url(arguments, &request, provider, &mut notes)?;
    if arguments.subscription.is_empty() && signs(provider, &Part::Subscription) {
        notes.push(String::from(
            "The provider signs what it calls the subscription, as PayPal the webhook's \
             identifier: give it with --subscription.",
        ));
    }
    let message = request.message();
    let subscription = &arguments.subscription;
    let terms = Terms { url: &url, subscription, others: &secrets, diagnose: true };
    let trial = Trial { table: &table, provider, secrets: &secrets, message, terms };
    let check = Check::new(provider, &secrets);
    let sent = arguments.at.map(super::moment).or(request.sent);
    let now = moment(sent, &check, provider, &message, terms);
    let result = check.judge(provider, &message, now, terms);
    let result = result.map(|result| trial.unless_cut(result, request.is_cut));
    let mut steps = notes;
    steps.extend(explain(&check, provider, &message, sent, terms, result.as_ref()));
    let would_match = result.as_ref().and_then(|result| trial.would_match(result));
    steps.extend(would_match.iter().map(|how| format!("It would be valid {how}.")));
    if would_match.is_none() {
        steps.extend(result.as_ref().and_then(|result| trial.advice(result)).map(str::to_owned));
    }
    let status = result.as_ref().map(|result| result.status);
    match arguments.output {
        Format::Human => {
            let shown: Vec<_> = steps.iter().map(|step| printable(step)).collect();
            print(&shown.join("\n"))?
        }
        Format::Json => json(&json!({
            "provider": provider.name,
            "status": status.map(Status::name),
            "reason": result.as_ref().and_then(|r| r.reason.as_ref()).map(ToString::to_string),
            "key_id": result.as_ref().and_then(|result| result.key_id.as_deref()),
            "would_match": would_match,
            "timestamp_skew_ms": result.as_ref().and_then(|result| result.skew_ms),
            "steps": steps,
        }))?,
    };
    Ok(if status == Some(Status::Valid) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A request, and everything that a check of it hangs on.
#[derive(Debug, Clone, Copy)]
struct Trial<'t> {
    table: &'t Table,
    provider: &'t Provider,
    secrets: &'t [Secret],
    message: Message<'t>,
    terms: Terms<'t>,
}

impl Trial<'_> {
    /// Whether a secret made the signature, however long ago.
    fn holds(&self) -> bool {
        let terms = Terms { diagnose: false, ..self.terms };
        let check = Check::new(self.provider, self.secrets);
        let result = check.judge(self.provider, &self.message, Timestamp(0), terms);
        result.is_some_and(|result| matches!(result.status, Status::Valid | Status::Stale))
    }

    /// `result`, but what does not match is not called invalid where octets are missing.
    fn unless_cut(&self, result: Signature, is_cut: bool) -> Signature {
        if !is_cut
            || result.reason != Some(Reason::Mismatch)
            || attempts::would_match(self).is_some()
        {
            return result;
        }
        let reason = Some(Reason::Body(NoContent::Cut));
        Signature { status: Status::Unverifiable, reason, ..result }
    }

    /// What else would make it valid, in words that follow that.
    fn would_match(&self, result: &Signature) -> Option<String> {
        let is_settled = matches!(result.status, Status::Valid | Status::Stale);
        if is_settled || matches!(result.reason, Some(Reason::WouldMatch(_))) {
            return None;
        }
        attempts::would_match(self)
    }
}

/// Header fields from names and values.
pub(super) fn headers_of(fields: &[(&str, &str)]) -> Headers {
    let octets = |(name, value): &(&str, &str)| (name.trim().to_owned(), value.trim().into());
    request_file::headers(&fields.iter().map(octets).collect::<Vec<_>>())
}

fn provider<'t>(
    arguments: &Arguments,
    table: &'t Table,
    request: &RequestFile,
) -> Result<&'t Provider, Failure> {
    let index = match &arguments.provider {
        Some(name) => table.position(name).ok_or_else(|| {
            Failure::usage(format!("{name:?} is not known; `hooksensor providers list` has all"))
        })?,
        None => table.told_by(&request.headers).ok_or_else(|| {
            Failure::usage(
                "no header tells the provider; name it with --provider, as `hooksensor providers \
                 list` has it",
            )
        })?,
    };
    Ok(&table.providers()[index])
}

/// The octets of a file, or of standard input where it is called "-".
fn read_file(path: &Path) -> io::Result<Vec<u8>> {
    if path != Path::new("-") {
        return fs::read(path);
    }
    let mut octets = Vec::new();
    io::stdin().lock().read_to_end(&mut octets)?;
    Ok(octets)
}

fn read_secrets(references: &[String]) -> Result<Vec<Secret>, Failure> {
    let read = |text: &String| {
        let reference: SecretRef = absolute(text).parse().map_err(|_| {
            Failure::usage(
                "--secret takes where the secret is, \"file:PATH\", \"credential:NAME\" or \
                 \"env:NAME\", and not the secret: everybody on the host can read a command line",
            )
        })?;
        secrets::read(&reference).map_err(Failure::from)
    };
    references.iter().map(read).collect()
}

/// A reference to a file as a configuration would have it, however its path was given.
fn absolute(reference: &str) -> String {
    let path = reference.strip_prefix("file:").filter(|path| !path.is_empty());
    let path = path.and_then(|path| std::path::absolute(path).ok());
    path.map_or_else(|| reference.to_owned(), |path| format!("file:{}", path.display()))
}

fn request(arguments: &Arguments, octets: &[u8], table: &Table) -> Result<RequestFile, Failure> {
    let which = Which::new(arguments.delivery.as_deref());
    if captured::is_capture(octets) {
        return captured::read(octets, which, table).map_err(Failure::failed);
    }
    let request = RequestFile::read(octets, which, table).map_err(Failure::failed)?;
    if request.headers.iter().next().is_none() {
        return Err(Failure::failed(
            "the request has no header fields, of which one tells the provider and one has the \
             signature: write its head before the body",
        ));
    }
    Ok(request)
}

fn signs_url(provider: &Provider) -> bool {
    signs(provider, &Part::Url) || signs(provider, &Part::HubspotUrl)
}

fn signs(provider: &Provider, part: &Part) -> bool {
    provider.signature.iter().any(|scheme| scheme.covers(part))
}

/// The URL that the provider called: as given, as the file has it, or else, where that is signed,
/// as most servers are reached.
fn url(
    arguments: &Arguments,
    request: &RequestFile,
    provider: &Provider,
    notes: &mut Vec<String>,
) -> Result<String, Failure> {
    if let Some(url) = &arguments.url {
        return if url.contains("://") {
            Ok(url.clone())
        } else {
            Err(Failure::usage("--url takes a whole URL, as https://example.com/hooks"))
        };
    }
    if let Some(url) = &request.url {
        return Ok(url.clone());
    }
    if !signs_url(provider) {
        return Ok(String::new());
    }
    let Some(host) = request.headers.first("host").map(String::from_utf8_lossy) else {
        notes.push(String::from("The provider signs the URL that it called: give it with --url."));
        return Ok(String::new());
    };
    let url = format!("https://{host}{}", request.target);
    notes.push(format!("The URL that the provider called is taken for {url}; --url says another."));
    Ok(url)
}

/// When the request was sent: as told, or as captured, or else when it was signed, so that age
/// alone does not spoil a file.
fn moment(
    sent: Option<Timestamp>,
    check: &Check,
    provider: &Provider,
    message: &Message<'_>,
    terms: Terms<'_>,
) -> Timestamp {
    if let Some(sent) = sent {
        return sent;
    }
    let signed = check.judge(provider, message, Timestamp(0), terms);
    let skew = signed.and_then(|signed| signed.skew_ms).unwrap_or_default();
    Timestamp(skew.unsigned_abs().saturating_mul(1_000_000))
}
