//! The command line: its verbs, and one file for what each does.
//!
//! Verbs that concern a running agent are clients of its control socket. It must not know how the
//! agent works.

mod allow;
mod bans;
mod config;
mod detach;
mod doctor;
mod log;
mod output;
mod progress;
mod providers;
mod receivers;
mod reload;
mod replay;
mod run;
mod sources;
mod status;
mod verify;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

pub use output::{Failure, Format};

use crate::config::Control;
use crate::control::{self, Reply, Request};
use crate::time::Timestamp;

/// Sees, records and blocks webhook traffic on this host.
#[derive(Debug, Parser)]
#[command(name = "hooksensor", version, about, disable_help_subcommand = true)]
pub struct Cli {
    /// The control socket of the agent.
    #[arg(long, global = true, value_name = "PATH", default_value_os_t = Control::default().socket)]
    socket: PathBuf,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Run the agent until SIGTERM or SIGINT.
    Run(run::Arguments),
    /// Print the records of captures; needs no privilege and no kernel support.
    Replay(replay::Arguments),
    /// Show the agent's health and counters.
    Status(Listing),
    /// Show who sends to the watched ports, exactly counted.
    Sources(sources::Arguments),
    /// Ban addresses or networks.
    Ban(bans::BanArguments),
    /// Lift bans on exactly these addresses or networks.
    Unban(bans::UnbanArguments),
    /// The bans in force.
    #[command(subcommand)]
    Decisions(bans::Decisions),
    /// The protected set: what nothing can ban.
    #[command(subcommand)]
    Allow(allow::Allow),
    /// Have the agent read its configuration again.
    Reload(Listing),
    /// Remove everything from the kernel that an agent left there.
    Detach(detach::Arguments),
    /// Check what the agent needs of this host, and say what to do; changes nothing.
    Doctor(doctor::Arguments),
    /// Check the signature of a request, step by step.
    Verify(verify::Arguments),
    /// The providers that are known.
    #[command(subcommand)]
    Providers(providers::Verb),
    /// Check and show configuration.
    #[command(subcommand)]
    Config(config::Verb),
}

/// How a listing is printed.
#[derive(Debug, Args)]
struct Listing {
    /// For people or for programs.
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
}

/// Runs the verb.
///
/// # Errors
///
/// What went wrong, with the exit code it deserves.
pub fn run(cli: Cli) -> Result<ExitCode, Failure> {
    let agent = Agent { socket: cli.socket };
    match cli.verb {
        Verb::Run(arguments) => run::run(arguments),
        Verb::Replay(arguments) => replay::run(&arguments),
        Verb::Status(listing) => status::run(&agent, listing.output),
        Verb::Sources(arguments) => sources::run(&agent, &arguments),
        Verb::Ban(arguments) => bans::ban(&agent, arguments),
        Verb::Unban(arguments) => bans::unban(&agent, arguments),
        Verb::Decisions(bans::Decisions::List(listing)) => bans::list(&agent, listing.output),
        Verb::Allow(allow::Allow::List(listing)) => allow::list(&agent, listing.output),
        Verb::Reload(listing) => reload::run(&agent, listing.output),
        Verb::Detach(arguments) => detach::run(&arguments),
        Verb::Doctor(arguments) => doctor::run(&agent, &arguments),
        Verb::Verify(arguments) => verify::run(&arguments),
        Verb::Providers(verb) => providers::run(&verb),
        Verb::Config(verb) => config::run(&verb),
    }
}

/// The agent at the other end of the socket.
struct Agent {
    socket: PathBuf,
}

impl Agent {
    fn ask(&self, request: &Request) -> Result<Reply, Failure> {
        match control::ask(&self.socket, request)? {
            Reply::Failed(message) => Err(Failure::failed(message)),
            Reply::Misconfigured(message) => Err(Failure::usage(message)),
            reply => Ok(reply),
        }
    }
}

/// The moment at which the verb runs.
fn now() -> Timestamp {
    moment(jiff::Timestamp::now())
}

/// A moment as the stages have it; what was before the Unix epoch is at it.
fn moment(at: jiff::Timestamp) -> Timestamp {
    Timestamp(u64::try_from(at.as_nanosecond()).unwrap_or_default())
}

/// The reply was to another question than the one asked.
fn mismatch() -> Failure {
    Failure::failed("the agent answered another question; is it of another version?")
}
