//! `hooksensor run`: the agent itself.
//!
//! It must not know how the agent works.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::log;
use super::output::Failure;
use crate::config::{Config, Overrides};
use crate::pipeline;

/// The command line of the verb.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The configuration file; without one, defaults and the options below.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// A network interface to watch, instead of those in the file. May be repeated.
    #[arg(long = "interface", value_name = "NAME")]
    interfaces: Vec<String>,
    /// A TCP port to watch, instead of those in the file. May be repeated.
    #[arg(long = "port", value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    ports: Vec<u16>,
    /// Drop what is banned or over its limit, instead of what the file says.
    #[arg(long)]
    enforce: bool,
}

pub(super) fn run(arguments: Arguments) -> Result<ExitCode, Failure> {
    let overrides = Overrides {
        interfaces: arguments.interfaces,
        ports: BTreeSet::from_iter(arguments.ports),
        enforce: arguments.enforce.then_some(true),
    };
    let config = match &arguments.config {
        Some(path) => Config::load(path)?,
        None => Config::default(),
    };
    let config = config.with(overrides.clone())?;
    log::start(&config.log)?;
    pipeline::run(config, arguments.config, overrides)?;
    Ok(ExitCode::SUCCESS)
}
