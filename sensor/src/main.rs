//! The start-up story of the `hooksensor` binary: read the command line, run its verb, say what
//! went wrong.
//!
//! Everything else is in the library.

use std::process::ExitCode;

use clap::Parser as _;
use hooksensor::cli::{self, Cli};

fn main() -> ExitCode {
    let cli = Cli::parse();
    match cli::run(cli) {
        Ok(code) => code,
        Err(failure) => failure.report(),
    }
}
