//! `cargo xtask build`: the agent with the kernel programs inside.

use anyhow::Result;

use crate::shell;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Optimise, as for an installation
    #[arg(long)]
    pub(crate) release: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let mut cargo = shell::cargo(&["build", "--package", "hooksensor"]);
    if arguments.release {
        cargo.arg("--release");
    }
    shell::run(&mut cargo)
}
