//! `hooksensor detach`: everything the agent left in the kernel goes.
//!
//! It must not need a running agent; with one it refuses.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use super::output::{Failure, print};
use crate::config::Config;
use crate::kernel;

/// The command line of the verb.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The configuration file, for its `kernel.pin_path`; without one, the default.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let config = match &arguments.config {
        Some(path) => Config::load(path)?,
        None => Config::default(),
    };
    let pin_path = &config.kernel.pin_path;
    let interfaces = kernel::detach_all(pin_path)?;
    if interfaces.is_empty() {
        return print(&nothing(pin_path, &kernel::pin_paths()?));
    }
    print(&format!("detached from {}; bans and counters are gone", interfaces.join(", ")))
}

fn nothing(looked_at: &Path, others: &[PathBuf]) -> String {
    let found = format!("nothing of hooksensor was attached below {}", looked_at.display());
    if others.is_empty() {
        return found;
    }
    let others: Vec<_> = others.iter().map(|path| path.display().to_string()).collect();
    format!(
        "{found}; there are programs of it below {}: to detach those, name the configuration with \
         that kernel.pin_path by --config",
        others.join(", ")
    )
}
