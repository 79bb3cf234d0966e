//! The harness of the kernel and end-to-end tests: namespaces, packets, servers and clients.
//!
//! It must not know the agent's internals; it speaks to the binary as a user would.

pub mod agent;
pub mod conversation;
pub mod curl;
pub mod flood;
pub mod link;
pub mod load;
pub mod metrics;
pub mod namespace;
pub mod network;
pub mod packet;
pub mod pcap;
pub mod program;
pub mod replay;
pub mod score;
pub mod sender;
pub mod server;
pub mod webhook;

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// How often [`eventually`] looks: short beside any deadline, long beside a look.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Whether this machine is emulated, as the guests of `cargo xtask vm` are: nothing can be said
/// there about how long something takes.
#[must_use]
pub fn emulated() -> bool {
    std::env::var_os("HOOKSENSOR_EMULATED").is_some()
}

/// Looks until there is something or `deadline` has passed.
///
/// # Errors
/// When nothing came in time; `what` says what was waited for.
pub fn eventually<T>(
    deadline: Duration,
    what: &str,
    mut look: impl FnMut() -> Option<T>,
) -> Result<T> {
    let started = Instant::now();
    loop {
        if let Some(found) = look() {
            return Ok(found);
        }
        if started.elapsed() >= deadline {
            bail!("{what}: nothing within {deadline:?}");
        }
        thread::sleep(LOOK_AGAIN);
    }
}
