//! `hooksensor run`: the agent itself.
//!
//! It must not know how the agent works.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use tracing_subscriber::EnvFilter;

use super::output::Failure;
use crate::config::{Config, Log, LogFormat, LogLevel, Overrides};
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
    start_log(&config.log);
    pipeline::run(config, arguments.config, overrides)?;
    Ok(ExitCode::SUCCESS)
}

/// Sends the agent's own log to standard error. `RUST_LOG` overrides the configured level.
fn start_log(log: &Log) {
    let level = match log.level {
        LogLevel::Error => "error",
        LogLevel::Warn => "warn",
        LogLevel::Info => "info",
        LogLevel::Debug => "debug",
        LogLevel::Trace => "trace",
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = match log.format {
        LogFormat::Text => subscriber.with_target(false).try_init(),
        LogFormat::Json => subscriber.json().try_init(),
    };
    if let Err(error) = started {
        super::output::say(&format!("hooksensor: no log: {error}"));
    }
}
