//! `hooksensor sources`: who sends to the watched ports, exactly counted.
//!
//! It must not know where the counts are kept.

use std::num::NonZeroU32;
use std::process::ExitCode;

use clap::Args;

use super::output::{Failure, Format, json, list, print, table};
use super::{Agent, Listing, mismatch};
use crate::control::{Reply, Request, SourceOrder, SourceView};

/// The command line of the verb.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// What the first of them have most of.
    #[arg(long, value_enum, default_value_t)]
    by: SourceOrder,
    /// So many at most.
    #[arg(long, value_name = "NUMBER", default_value = "20")]
    top: NonZeroU32,
    #[command(flatten)]
    listing: Listing,
}

pub(super) fn run(agent: &Agent, arguments: &Arguments) -> Result<ExitCode, Failure> {
    let request = Request::Sources { by: arguments.by, top: arguments.top };
    let Reply::Sources(sources) = agent.ask(&request)? else { return Err(mismatch()) };
    match arguments.listing.output {
        Format::Json => json(&sources),
        Format::Human if sources.is_empty() => print("no source has been seen"),
        Format::Human => print(&rows(&sources)),
    }
}

fn rows(sources: &[SourceView]) -> String {
    let rows: Vec<_> = sources
        .iter()
        .map(|one| {
            vec![
                one.source.to_string(),
                one.port.to_string(),
                one.packets.to_string(),
                one.bytes.to_string(),
                one.connections.to_string(),
                one.requests.to_string(),
                list(&one.responses),
                one.over_limit.to_string(),
            ]
        })
        .collect();
    let headings = [
        "SOURCE",
        "PORT",
        "PACKETS",
        "BYTES",
        "CONNECTIONS",
        "REQUESTS",
        "RESPONSES",
        "OVER LIMIT",
    ];
    table(&headings, &rows)
}
