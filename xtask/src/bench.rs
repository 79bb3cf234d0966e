//! `cargo xtask bench <what>`: measurements as ratios against a peer or a bare baseline.
//!
//! It must not know what is measured.

mod flood;
mod kernel;
mod overhead;
mod replay;
mod webhook;
mod webhooks;

use anyhow::Result;
use clap::Subcommand;

/// What can be measured.
#[derive(Subcommand)]
pub(crate) enum Bench {
    /// What a packet costs on each path through the ingress program; needs root
    Kernel,
    /// A server under load with the agent, without it, and with tcpdump; needs root
    Overhead,
    /// What a flood costs the receiving host, beside peers that drop the same; needs root
    Flood,
    /// The replay of a capture, beside Debian's tools that read HTTP from captures
    Replay,
    /// Recognising, verifying and checking deliveries, beside the bare hash of their bodies
    Webhook,
}

pub(crate) fn run(bench: &Bench) -> Result<()> {
    match bench {
        Bench::Kernel => kernel::run(),
        Bench::Overhead => overhead::run(),
        Bench::Flood => flood::run(),
        Bench::Replay => replay::run(),
        Bench::Webhook => webhook::run(),
    }
}
