//! `hooksensor verify`: one request against one secret, explained.
//!
//! It must not know how a signature is checked or how a file writes a request.

mod captured;
mod request_file;

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use self::captured::Which;
use self::request_file::RequestFile;
use super::output::{Failure, Format, json, print};
use crate::config::{Config, Provider, SecretRef};
use crate::http::Headers;
use crate::secrets;
use crate::time::Timestamp;
use crate::webhook::signature::{Check, Terms, explain};
use crate::webhook::{Message, Secret, Status, Table};

/// The command line of the verb.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The request: as it is on the wire (also after `curl -i`'s manner, or with `> ` before each
    /// line of the head), a HAR file, of which the first request counts, or a capture (pcap,
    /// pcapng).
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The request of a capture: its number, from 1, or the value of a header that names it, as
    /// X-GitHub-Delivery; without it, the first of which a provider is told.
    #[arg(long, value_name = "NUMBER|ID")]
    delivery: Option<String>,
    /// Where the secret is: `file:/PATH`, `credential:NAME` or `env:NAME`. May be repeated.
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
    /// When the request was sent, as 2026-11-01T12:00:00Z; without it, when it was captured,
    /// or else when it says it was signed.
    #[arg(long, value_name = "TIME")]
    at: Option<jiff::Timestamp>,
    /// For people or for programs.
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let config = arguments.config.as_deref().map(Config::load).transpose()?.unwrap_or_default();
    let octets = fs::read(&arguments.file)
        .map_err(|error| Failure::failed(format!("{}: {error}", arguments.file.display())))?;
    let table = Table::new(&config.providers);
    let request = request(arguments, &octets, &table)?;
    let provider = provider(arguments, &table, &request)?;
    let secrets = read_secrets(&arguments.secrets)?;
    let message = Message {
        method: request.method.as_bytes(),
        target: request.target.as_bytes(),
        headers: &request.headers,
        content: request.body.as_deref().map_err(|why| *why),
    };
    let url = arguments.url.as_deref().or(request.url.as_deref()).unwrap_or_default();
    let terms = Terms { url, subscription: &arguments.subscription, others: &[], diagnose: true };
    let check = Check::new(provider, &secrets);
    let sent = arguments.at.map(moment_of).or(request.sent);
    let now = moment(sent, &check, provider, &message, terms);
    let result = check.judge(provider, &message, now, terms);
    let steps = explain(&check, provider, &message, now, terms, result.as_ref());
    let status = result.as_ref().map(|result| result.status);
    match arguments.output {
        Format::Human => print(&steps.join("\n"))?,
        Format::Json => json(&json!({
            "provider": provider.name,
            "status": status.map(Status::name),
            "reason": result.as_ref().and_then(|r| r.reason.as_ref()).map(ToString::to_string),
            "key_id": result.as_ref().and_then(|result| result.key_id.as_deref()),
            "timestamp_skew_ms": result.as_ref().and_then(|result| result.skew_ms),
            "steps": steps,
        }))?,
    };
    Ok(if status == Some(Status::Valid) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
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
            Failure::usage("no header tells the provider; name it with --provider")
        })?,
    };
    Ok(&table.providers()[index])
}

fn read_secrets(references: &[String]) -> Result<Vec<Secret>, Failure> {
    let read = |text: &String| {
        let reference: SecretRef = text
            .parse()
            .map_err(|error| Failure::usage(format!("what --secret gives is {error}")))?;
        secrets::read(&reference).map_err(Failure::from)
    };
    references.iter().map(read).collect()
}

fn request(arguments: &Arguments, octets: &[u8], table: &Table) -> Result<RequestFile, Failure> {
    let which = arguments.delivery.as_deref();
    if captured::is_capture(octets) {
        return captured::read(octets, Which::new(which), table).map_err(Failure::failed);
    }
    if which.is_some() {
        return Err(Failure::usage("--delivery chooses from a capture, and this file is none"));
    }
    RequestFile::read(octets).map_err(Failure::failed)
}

fn moment_of(at: jiff::Timestamp) -> Timestamp {
    Timestamp(u64::try_from(at.as_nanosecond()).unwrap_or_default())
}

/// When the request was sent: as told, or as captured, or else when it was signed, so that age alone does not spoil
/// a file.
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
