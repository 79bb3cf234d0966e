//! `cargo xtask tidy`: the rules of the layout that the compiler does not know.
//!
//! It must not know Rust's grammar beyond lines, comments and paths, so that it stays readable.

use std::fmt::{self, Display, Formatter};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::shell::workspace;

mod rules;

/// One place that breaks a rule.
#[derive(Debug, Eq, PartialEq)]
struct Fault {
    /// Relative to the workspace.
    file: PathBuf,
    line: usize,
    rule: String,
}

/// A source file as the rules see it.
struct Source<'a> {
    /// Relative to the workspace.
    path: &'a Path,
    text: &'a str,
}

/// Checks every source file of the workspace.
pub(crate) fn run() -> Result<()> {
    let mut faults = Vec::new();
    for folder in ["sensor", "sensor-ebpf", "tests", "xtask"] {
        check_folder(&workspace().join(folder), &mut faults)?;
    }
    if faults.is_empty() {
        return Ok(());
    }
    let lines: Vec<String> = faults.iter().map(ToString::to_string).collect();
    bail!("{} places break the layout rules:\n{}", faults.len(), lines.join("\n"))
}

impl Source<'_> {
    /// The lines before the tests, numbered from 1.
    fn product_lines(&self) -> impl Iterator<Item = (usize, &str)> {
        let is_product = !self.is_test();
        let lines = self.text.lines().take_while(|line| line.trim() != "#[cfg(test)]");
        lines.enumerate().take_while(move |_| is_product).map(|(index, line)| (index + 1, line))
    }

    /// A file of tests only: `tests.rs` beside a module, or anything in the end-to-end tests.
    fn is_test(&self) -> bool {
        self.path.ends_with("tests.rs") || self.path.starts_with("tests/tests")
    }

    fn fault(&self, line: usize, rule: impl Into<String>) -> Fault {
        Fault { file: self.path.to_path_buf(), line, rule: rule.into() }
    }
}

impl Display for Fault {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file.display(), self.line, self.rule)
    }
}

fn check_folder(folder: &Path, faults: &mut Vec<Fault>) -> Result<()> {
    let entries = folder.read_dir().with_context(|| format!("cannot list {}", folder.display()))?;
    let mut paths = Vec::new();
    for entry in entries {
        paths.push(entry.with_context(|| format!("cannot list {}", folder.display()))?.path());
    }
    paths.sort();
    for path in paths {
        if path.is_dir() && !path.ends_with("target") {
            check_folder(&path, faults)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path)
                .with_context(|| format!("cannot read {}", path.display()))?;
            let path = path.strip_prefix(workspace()).unwrap_or(&path);
            rules::check(&Source { path, text: &text }, faults);
        }
    }
    Ok(())
}
