//! Fetches the packages of payloads and schemas that the tests read, from npm's registry.
//!
//! It must not know what the tests do with them.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::{setup, shell};

/// What is fetched, each pinned: tests count what is in it.
const PACKAGES: [(&str, &str); 2] =
    [("@octokit/webhooks-examples", "7.6.1"), ("@octokit/webhooks-schemas", "7.6.1")];

/// Fetches what is not there yet into `target/npm`.
///
/// # Errors
/// When npm is missing and may not be installed, or the registry does not answer.
pub(crate) fn ensure() -> Result<()> {
    if PACKAGES.iter().all(|(name, version)| is_there(name, version)) {
        return Ok(());
    }
    setup::ensure_programs(&[("npm", "npm")])?;
    let folder = folder();
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let mut npm = Command::new("npm");
    npm.args(["install", "--ignore-scripts", "--no-audit", "--no-fund", "--no-save"]);
    npm.args(["--no-package-lock", "--loglevel=error", "--prefix"]).arg(&folder);
    npm.args(PACKAGES.map(|(name, version)| format!("{name}@{version}")));
    shell::run(&mut npm).context("the tests need packages of npm's registry")?;
    for (name, version) in PACKAGES {
        ensure!(is_there(name, version), "npm did not install {name} {version}");
    }
    Ok(())
}

fn folder() -> PathBuf {
    shell::workspace().join("target/npm")
}

fn is_there(name: &str, version: &str) -> bool {
    let manifest = folder().join("node_modules").join(name).join("package.json");
    let text = fs::read_to_string(manifest).unwrap_or_default();
    text.contains(&format!("\"version\": \"{version}\""))
}
