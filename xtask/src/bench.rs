//! `cargo xtask bench`: measurements that print a table and leave nothing behind.
//!
//! It must not know what is measured.

use anyhow::{Result, ensure};
use clap::Subcommand;
use nix::unistd::Uid;

use crate::shell::{self, cargo};

/// What can be measured.
#[derive(Subcommand)]
pub(crate) enum Bench {
    /// What a packet costs on each path through the ingress program
    Kernel,
    /// Deliveries a second that are recognised and verified
    Webhook,
}

pub(crate) fn run(bench: &Bench) -> Result<()> {
    match bench {
        Bench::Kernel => kernel(),
        Bench::Webhook => shell::run(&mut cargo(&[
            "bench",
            "--quiet",
            "--package",
            "hooksensor",
            "--bench",
            "webhook",
        ])),
    }
}

fn kernel() -> Result<()> {
    ensure!(
        Uid::effective().is_root(),
        "loading programs needs root: run `sudo -E cargo xtask bench kernel`"
    );
    // Built like the tests: the time is spent in the kernel, whose programs are always optimised.
    shell::run(&mut cargo(&["test", "--quiet", "--package", "tests", "--bench", "kernel"]))
}
