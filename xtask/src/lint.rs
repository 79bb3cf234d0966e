//! `cargo xtask lint`: everything that is checked without running the code.
//!
//! It must not know what is checked, only which tools do it.

use std::env::consts::ARCH;

use anyhow::{Result, anyhow};

use crate::shell::{self, cargo, workspace};
use crate::tidy;
use crate::toolchain::Toolchain;

pub(crate) fn run() -> Result<()> {
    shell::run_all(&[
        ("rustfmt", || shell::run(&mut cargo(&["fmt", "--all", "--check"]))),
        ("clippy for the host", host),
        ("clippy for the kernel programs", kernel),
        ("layout rules", tidy::run),
    ])
}

fn host() -> Result<()> {
    shell::run(&mut cargo(&["clippy", "--workspace", "--all-targets", "--", "--deny", "warnings"]))
}

/// Clippy once more: for the host, the kernel programs are an empty `main`.
fn kernel() -> Result<()> {
    let toolchain = Toolchain::find(workspace()).map_err(|missing| anyhow!("{missing}"))?;
    let mut clippy = toolchain.cargo("clippy", ARCH);
    clippy.args(["--package", "hooksensor-ebpf", "--target-dir", "target/bpf"]);
    clippy.args(["--", "--deny", "warnings"]).current_dir(workspace());
    shell::run(&mut clippy)
}
