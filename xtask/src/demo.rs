//! `cargo xtask demo`: the sensor at work between network namespaces of this machine.
//!
//! It must not know the agent but through its verbs, its records and its metrics.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::{Context as _, Result};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;

use crate::build;
use crate::shell::{say, workspace};

mod figures;
mod play;
mod requirements;
mod screen;
mod summary;
mod traffic;
mod without_kernel;

/// Builds the agent and shows it, with the kernel where that is possible.
pub(crate) fn run() -> Result<()> {
    build::run(&build::Arguments { release: true })?;
    let binary = workspace().join("target/release/hooksensor");
    let missing = requirements::missing();
    if !missing.is_empty() {
        say(&format!("The demo needs the kernel, and this is missing:\n{}", missing.join("\n")));
        return without_kernel::show(&binary);
    }
    let interrupted = interruption()?;
    let summary = play::play(&binary, &interrupted)?;
    say(&summary.to_string());
    summary.verdict()
}

/// Becomes true when the person at the terminal, or whoever started this, has seen enough.
fn interruption() -> Result<Arc<AtomicBool>> {
    let interrupted = Arc::new(AtomicBool::new(false));
    for signal in [SIGHUP, SIGINT, SIGTERM] {
        // A second signal ends the program at once; the next run removes what it leaves behind.
        flag::register_conditional_shutdown(signal, 1, Arc::clone(&interrupted))
            .and_then(|_| flag::register(signal, Arc::clone(&interrupted)))
            .context("cannot watch for Ctrl-C")?;
    }
    Ok(interrupted)
}
