//! Dispatches `cargo xtask <task>`; each task is one file.
//!
//! Nothing here knows how a task works.

use anyhow::Result;
use clap::{Parser, Subcommand};

mod build;
mod setup;
mod shell;
#[path = "../../sensor/build/toolchain.rs"]
mod toolchain;

/// What a developer of hooksensor runs.
#[derive(Parser)]
#[command(name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Install what the build and the tests need, where that is allowed
    Setup,
    /// Build the agent with the kernel programs inside
    Build(build::Arguments),
}

fn main() -> Result<()> {
    let task = Arguments::parse().task;
    if matches!(task, Task::Setup) {
        return setup::run();
    }
    setup::ensure()?;
    match task {
        Task::Setup => Ok(()),
        Task::Build(arguments) => build::run(&arguments),
    }
}
