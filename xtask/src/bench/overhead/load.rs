//! The load: wrk, which sends deliveries over connections that it keeps open.
//!
//! It must not know who observes them.

use std::fs;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use harness::namespace::Namespace;
use harness::network::SERVER_V4;

use super::receiver::PORT;
use crate::shell::shown;

/// Seconds of one round.
const SECONDS: u32 = 4;

/// Connections that are kept open.
const CONNECTIONS: u32 = 32;

/// Milliseconds that a connection of a paced load waits after an answer: 32 connections then send
/// some 3000 requests a second, of which neither the server nor wrk needs half a core.
const PAUSE: u32 = 10;

/// A delivery with a body of 2 kB, as wrk's script has it, and the figures in a form to be read.
const SCRIPT: &str = r#"
wrk.method = "POST"
wrk.body = string.rep("x", 2000)
wrk.headers["Content-Type"] = "application/json"
wrk.headers["User-Agent"] = "GitHub-Hookshot/044aadd"
wrk.headers["X-GitHub-Event"] = "push"
wrk.headers["X-GitHub-Delivery"] = "72d3162e-cc78-11e3-81ab-4c9367dc0958"
wrk.headers["X-Hub-Signature-256"] = "sha256=" .. string.rep("0", 64)
done = function(summary, latency, requests)
  local errors = summary.errors
  local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
  io.write(string.format("figures %d %d %.1f %d\n",
    summary.requests, summary.duration, latency:percentile(99), failed))
end
"#;

/// How much is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Load {
    /// As much as the server answers: what an observer uses of a shared core, the load has not.
    Saturating,
    /// A rate at which every core has time left, as those of a host in production have.
    Paced,
}

/// What one round came to.
pub(super) struct Report {
    pub(super) requests: u64,
    pub(super) requests_a_second: f64,
    /// What 99 of 100 requests did not exceed.
    pub(super) latency_ms: f64,
}

impl Load {
    /// Every load there is, in the order of a round.
    pub(super) const ALL: [Self; 2] = [Self::Saturating, Self::Paced];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Saturating => "saturating",
            Self::Paced => "paced",
        }
    }

    fn script(self) -> String {
        match self {
            Self::Saturating => String::from(SCRIPT),
            Self::Paced => format!("{SCRIPT}function delay() return {PAUSE} end\n"),
        }
    }
}

/// Sends for a round from `client`, on `core`.
pub(super) fn run(client: &Namespace, core: &str, load: Load) -> Result<Report> {
    let script = client.folder().join("deliveries.lua");
    fs::write(&script, load.script()).context("cannot write wrk's script")?;
    let mut wrk = Command::new("taskset");
    wrk.args(["--cpu-list", core, "wrk", "--threads", "1"])
        .args(["--connections", &CONNECTIONS.to_string()])
        .args(["--duration", &format!("{SECONDS}s")])
        .arg("--script")
        .arg(&script)
        .arg(format!("http://{SERVER_V4}:{PORT}/hooks"))
        .stdin(Stdio::null());
    let output = client.output(&mut wrk)?;
    let text = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success(), "{} failed: {text}", shown(&wrk));
    read(&text).with_context(|| format!("wrk said something else:\n{text}"))
}

/// Reads the line of the script: requests, microseconds, microseconds of latency, failures.
fn read(text: &str) -> Option<Report> {
    let line = text.lines().find_map(|line| line.strip_prefix("figures "))?;
    let figures: Vec<f64> = line.split(' ').filter_map(|word| word.parse().ok()).collect();
    let [requests, duration, latency, 0.0] = figures[..] else { return None };
    #[expect(clippy::cast_possible_truncation, reason = "wrk counts in whole numbers")]
    #[expect(clippy::cast_sign_loss, reason = "a count is never negative")]
    let count = requests as u64;
    Some(Report {
        requests: count,
        requests_a_second: requests * 1e6 / duration,
        latency_ms: latency / 1e3,
    })
}
