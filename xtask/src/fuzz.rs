//! `cargo xtask fuzz`: every fuzz target for a while, from the corpus in the tree.
//!
//! It must not know what a target reads.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::setup;
use crate::shell::{self, workspace};

/// The version the targets were last run with.
const CARGO_FUZZ: [&str; 6] =
    ["install", "cargo-fuzz", "--version", "0.13.2", "--locked", "--root"];

/// Octets of an input at most: a head, a few segments or packets; more only slows the search.
const MAX_LENGTH: u32 = 4096;

/// How long, and what.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Seconds for each target
    #[arg(long, default_value_t = 600)]
    seconds: u32,
    /// Run this target alone
    #[arg(long)]
    target: Option<String>,
}

/// # Errors
/// When a target finds an input that breaks a promise; its path and how to repeat it are printed.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let folder = workspace().join("tests/fuzz");
    let targets = targets(&folder)?;
    let chosen: Vec<_> = targets
        .iter()
        .filter(|target| arguments.target.as_ref().is_none_or(|wanted| wanted == *target))
        .collect();
    ensure!(!chosen.is_empty(), "no such target; there are {}", targets.join(", "));
    let tool = tool()?;
    for target in chosen {
        fuzz(&tool, &folder, target, arguments.seconds)?;
    }
    Ok(())
}

/// The names of the targets, in order.
fn targets(folder: &Path) -> Result<Vec<String>> {
    let folder = folder.join("fuzz_targets");
    let entries =
        fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut names: Vec<_> = entries
        .flatten()
        .filter_map(|entry| Some(entry.path().file_stem()?.to_str()?.to_owned()))
        .collect();
    names.sort();
    Ok(names)
}

/// The path of cargo-fuzz, installed beside the other tools where it is missing.
fn tool() -> Result<PathBuf> {
    setup::ensure_programs(&[("g++", "g++")])?;
    let root = workspace().join(".tools");
    let tool = root.join("bin/cargo-fuzz");
    if !tool.is_file() {
        shell::run(shell::cargo(&CARGO_FUZZ).arg(root))?;
    }
    Ok(tool)
}

fn fuzz(tool: &Path, folder: &Path, target: &str, seconds: u32) -> Result<()> {
    // What is found on the way stays out of the tree, whose corpus is small on purpose.
    let found = folder.join("target/corpus").join(target);
    fs::create_dir_all(&found).with_context(|| format!("cannot make {}", found.display()))?;
    let mut command = Command::new(tool);
    command.args(["fuzz", "run", "--fuzz-dir"]).arg(folder).arg(target);
    command.arg(found).arg(folder.join("corpus").join(target));
    command.arg("--").arg(format!("-max_total_time={seconds}"));
    command.args([format!("-max_len={MAX_LENGTH}"), "-print_final_stats=1".into()]);
    // The instrumentation is a nightly option that the stable compiler has too.
    command.env("RUSTC_BOOTSTRAP", "1").current_dir(folder);
    shell::run(&mut command)
}
