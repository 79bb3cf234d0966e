//! `cargo xtask test`: all tests, those that need root last.
//!
//! It must not know what is tested.

use anyhow::{Result, ensure};
use nix::unistd::Uid;

use crate::npm;
use crate::shell::{self, cargo};
use crate::vm;

pub(crate) fn run() -> Result<()> {
    shell::run_all(&[
        ("payloads and schemas of npm", npm::ensure),
        ("tests of the host code", host),
        ("kernel and end-to-end tests", kernel),
        ("kernel tests on older kernels", vm::run_all),
    ])
}

fn host() -> Result<()> {
    shell::run(&mut cargo(&["test", "--no-fail-fast"]))
}

fn kernel() -> Result<()> {
    ensure!(
        Uid::effective().is_root(),
        "loading programs and making network namespaces needs root; run\n    sudo -E env \"PATH=$PATH\" cargo xtask test"
    );
    // The end-to-end tests start the binary, which is no dependency cargo could build for them.
    shell::run(&mut cargo(&["build", "--package", "hooksensor"]))?;
    shell::run(&mut cargo(&["test", "--no-fail-fast", "--package", "tests"]))
}
