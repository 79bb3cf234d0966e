//! The harness of the kernel and end-to-end tests: namespaces, packets, servers and clients.
//!
//! It must not know the agent's internals; it speaks to the binary as a user would.

pub mod agent;
pub mod conversation;
pub mod curl;
pub mod flood;
pub mod link;
pub mod load;
pub mod loss;
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

use std::io::Write as _;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// How often [`eventually`] looks: short beside any deadline, long beside a look.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Whether this machine is a guest of `cargo xtask vm`: an older kernel of Debian's, with its
/// modules, on an emulated processor.
#[must_use]
pub fn emulated() -> bool {
    patience() > 1
}

/// `deadline`, or as many times that as a guest of `cargo xtask vm` is told to take: emulation
/// makes everything slower, and by how much depends on what else the host does.
#[must_use]
pub fn patient(deadline: Duration) -> Duration {
    deadline * patience()
}

fn patience() -> u32 {
    let said = std::env::var("HOOKSENSOR_PATIENCE").ok();
    said.and_then(|times| times.parse().ok()).unwrap_or(1)
}

/// Says what a test did not look at, or found where it passes: what a passing test prints is kept
/// back, and nobody would see it.
pub fn remark(words: &str) {
    // Without a terminal there is nobody to tell.
    std::io::stderr().write_all(format!("\n{words}\n").as_bytes()).ok();
}

/// Looks until there is something or `deadline`, made [`patient`], has passed.
///
/// # Errors
/// When nothing came in time; `what` says what was waited for.
pub fn eventually<T>(
    deadline: Duration,
    what: &str,
    mut look: impl FnMut() -> Option<T>,
) -> Result<T> {
    let (started, deadline) = (Instant::now(), patient(deadline));
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
