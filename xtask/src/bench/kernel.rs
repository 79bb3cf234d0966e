//! `cargo xtask bench kernel`: what a packet costs on each path through the ingress program.
//!
//! It must not know the paths.

use anyhow::{Result, ensure};
use nix::unistd::Uid;

use crate::shell::{self, cargo};

pub(crate) fn run() -> Result<()> {
    ensure!(
        Uid::effective().is_root(),
        "loading programs needs root: run `sudo -E cargo xtask bench kernel`"
    );
    // Built like the tests: the time is spent in the kernel, whose programs are always optimised.
    shell::run(&mut cargo(&["test", "--quiet", "--package", "tests", "--bench", "kernel"]))
}
