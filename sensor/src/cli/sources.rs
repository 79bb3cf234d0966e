//! `hooksensor sources`: who sent the most, by the kernel's exact counts.
//!
//! It must not know where figures come from.

use std::process::ExitCode;

use clap::Args;

use super::output::{Failure, Format, json, print, table};
use super::{Agent, mismatch};
use crate::control::{Reply, Request, SourceView};

/// Which sources are shown, and how.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// How many, the busiest first.
    #[arg(long, value_name = "N", default_value_t = 20)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=10_000))]
    top: u32,
    /// The same as `--output json`.
    #[arg(long, conflicts_with = "output")]
    json: bool,
    /// For people or for programs.
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
}

pub(super) fn run(agent: &Agent, arguments: &Arguments) -> Result<ExitCode, Failure> {
    let Reply::Sources(sources) = agent.ask(&Request::Sources { top: arguments.top })? else {
        return Err(mismatch());
    };
    if arguments.json || arguments.output == Format::Json {
        return json(&sources);
    }
    let headings = [
        "SOURCE",
        "PORT",
        "PACKETS",
        "BYTES",
        "SYNS",
        "REQUESTS",
        "RESPONSES",
        "OVER LIMIT",
        "HANDSHAKE",
    ];
    print(&table(&headings, &sources.iter().map(row).collect::<Vec<_>>()))
}

fn row(source: &SourceView) -> Vec<String> {
    let responses: Vec<_> =
        source.responses.iter().map(|(class, count)| format!("{class} {count}")).collect();
    let handshake = if source.established { "yes" } else { "no" };
    vec![
        source.address.to_string(),
        source.port.to_string(),
        source.packets.to_string(),
        source.bytes.to_string(),
        source.connections.to_string(),
        source.requests.to_string(),
        if responses.is_empty() { "none".to_owned() } else { responses.join(", ") },
        source.over_limit.to_string(),
        handshake.to_owned(),
    ]
}
