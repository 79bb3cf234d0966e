//! `cargo xtask bench`: measurements that print a table and leave nothing behind.
//!
//! It must not know what is measured.

use anyhow::Result;
use clap::Subcommand;

mod replay;
mod webhooks;

/// What can be measured.
#[derive(Subcommand)]
pub(crate) enum Bench {
    /// The replay of a capture, beside Debian's tools that read HTTP from captures
    Replay,
}

pub(crate) fn run(bench: &Bench) -> Result<()> {
    match bench {
        Bench::Replay => replay::run(),
    }
}
