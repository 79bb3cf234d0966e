//! Dispatches `cargo xtask <task>`; each task is one file.
//!
//! Nothing here knows how a task works.

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

mod bench;
mod build;
mod demo;
mod fuzz;
mod lint;
mod npm;
mod setup;
mod shell;
mod test;
mod tidy;
#[path = "../../sensor/build/toolchain.rs"]
mod toolchain;
mod vm;

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
    /// Measure the kernel programs against a program that only drops
    #[command(subcommand)]
    Bench(bench::Bench),
    /// Check formatting, clippy for host and kernel code, and the layout rules
    Lint,
    /// Run all tests; needs root
    Test,
    /// Run the fuzz targets
    Fuzz(fuzz::Arguments),
    /// Watch deliveries being recorded and a flood being dropped, on this machine
    Demo,
    /// Run the kernel tests on Debian's older kernels, under emulation
    Vm(vm::Arguments),
    /// Check the layout rules that the compiler does not know
    Tidy,
}

fn main() -> ExitCode {
    match run(&Arguments::parse().task) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            shell::complain(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run(task: &Task) -> Result<()> {
    if matches!(task, Task::Setup) {
        setup::run()?;
        return npm::ensure();
    }
    setup::ensure()?;
    match task {
        Task::Setup => Ok(()),
        Task::Build(arguments) => build::run(arguments),
        Task::Bench(bench) => bench::run(bench),
        Task::Lint => lint::run(),
        Task::Test => test::run(),
        Task::Fuzz(arguments) => fuzz::run(arguments),
        Task::Demo => demo::run(),
        Task::Vm(arguments) => vm::run(arguments),
        Task::Tidy => tidy::run(),
    }
}
