//! The programs a guest runs: the tests and the agent, as this machine builds them.
//!
//! It must not know a guest.

use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::shell::{self, cargo, find_program, workspace};

/// The test binaries of package `tests` that a guest can run.
const TESTS: [&str; 6] = ["programs", "kernels", "attaching", "surfaces", "blocking", "doctor"];

/// What the tests start.
const TOOLS: [&str; 5] = ["busybox", "ip", "nginx", "setpriv", "tc"];

/// Builds them; where each is. The tests' names lose what cargo adds to them.
pub(super) fn build() -> Result<Vec<PathBuf>> {
    shell::run(&mut cargo(&["build", "--quiet", "--package", "hooksensor"]))?;
    let mut command = cargo(&["test", "--quiet", "--package", "tests", "--no-run"]);
    command.args(["--message-format", "json"]);
    command.args(TESTS.iter().flat_map(|test| ["--test", test]));
    let output = command.output().context("cannot start cargo")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "the tests do not build:\n{said}");
    let messages = String::from_utf8_lossy(&output.stdout);
    let mut programs: Vec<PathBuf> = messages.lines().filter_map(executable).collect();
    ensure!(programs.len() == TESTS.len(), "cargo built {programs:?}");
    programs.push(workspace().join("target/debug/hooksensor"));
    for tool in TOOLS {
        programs.push(find_program(tool).with_context(|| format!("{tool} is not installed"))?);
    }
    Ok(programs)
}

fn executable(message: &str) -> Option<PathBuf> {
    let message: Value = serde_json::from_str(message).ok()?;
    message["executable"].as_str().map(PathBuf::from)
}
