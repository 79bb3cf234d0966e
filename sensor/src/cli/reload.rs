//! `hooksensor reload`: the agent reads its configuration again.
//!
//! It must not know what a configuration holds.

use std::process::ExitCode;

use super::output::{Failure, Format, json, print};
use super::{Agent, mismatch};
use crate::control::{Reply, Request};

pub(super) fn run(agent: &Agent, format: Format) -> Result<ExitCode, Failure> {
    let Reply::Reloaded(reloaded) = agent.ask(&Request::Reload)? else { return Err(mismatch()) };
    if format == Format::Json {
        return json(&reloaded);
    }
    let mode = if reloaded.enforce { "enforcing" } else { "simulating" };
    let mut text = format!("configuration read again; {mode}");
    if !reloaded.need_restart.is_empty() {
        let keys = reloaded.need_restart.join(", ");
        text += &format!("\nthese changed and need a restart: {keys}");
    }
    print(&text)
}
