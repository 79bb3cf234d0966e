//! `hooksensor allow list`: what nothing can ban, and why.
//!
//! It must not know how the set comes about.

use std::process::ExitCode;

use clap::Subcommand;

use super::output::{Failure, Format, json, print, table};
use super::{Agent, Listing, mismatch};
use crate::control::{Reply, Request};

/// The verbs below `allow`.
#[derive(Debug, Subcommand)]
pub(super) enum Allow {
    /// List the protected set.
    List(Listing),
}

pub(super) fn list(agent: &Agent, format: Format) -> Result<ExitCode, Failure> {
    let Reply::AllowList(entries) = agent.ask(&Request::AllowList)? else {
        return Err(mismatch());
    };
    if format == Format::Json {
        return json(&entries);
    }
    let rows: Vec<_> =
        entries.into_iter().map(|entry| vec![entry.prefix.to_string(), entry.reason]).collect();
    print(&table(&["PROTECTED", "WHY"], &rows))
}
