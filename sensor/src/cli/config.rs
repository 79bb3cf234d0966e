//! `hooksensor config`: check and show configuration.
//!
//! It must not know what a configuration is used for.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::output::{Failure, print};
use crate::config::{Config, sample, schema};
use crate::schemas;

/// Where packages put the configuration.
pub(super) const USUAL_FILE: &str = "/etc/hooksensor/hooksensor.toml";

/// The verbs below `config`.
#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Say whether a file and the schemas it names are accepted, and what is wrong with them.
    Check(File),
    /// Print the configuration in effect, or the commented defaults.
    Show(Show),
    /// Print the JSON Schema of the configuration.
    Schema,
}

/// The file a verb is about.
#[derive(Debug, Args)]
pub(super) struct File {
    /// The configuration file.
    #[arg(value_name = "FILE", default_value = USUAL_FILE)]
    path: PathBuf,
}

/// The command line of `show`.
#[derive(Debug, Args)]
pub(super) struct Show {
    #[command(flatten)]
    file: File,
    /// Print the defaults with what each key means: a file to start from.
    #[arg(long)]
    default: bool,
}

pub(super) fn run(verb: &Verb) -> Result<ExitCode, Failure> {
    match verb {
        Verb::Check(file) => {
            let config = Config::load(&file.path)?.watching()?;
            schemas::of_endpoints(&config)?;
            print(&format!("{}: good", file.path.display()))
        }
        Verb::Show(Show { default: true, .. }) => print(sample().trim_end()),
        Verb::Show(Show { file, .. }) => print(Config::load(&file.path)?.to_toml().trim_end()),
        Verb::Schema => print(schema().trim_end()),
    }
}
