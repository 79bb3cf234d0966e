//! Who observes: the agent, or tcpdump as what any host has for the same traffic.
//!
//! It must not know the load.

use std::fs;
use std::io::Read as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use harness::agent::{self, AS_BY_DEFAULT, Settings};
use harness::eventually;
use harness::network::Network;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use super::receiver::PORT;

/// How long the last records may take to be written.
const SETTLE: Duration = Duration::from_secs(5);

/// How long tcpdump may take to start, and to end.
const TCPDUMP: Duration = Duration::from_secs(5);

/// Clock ticks a second in `/proc` (`USER_HZ`), the same on every machine that Linux runs on.
const TICKS: f64 = 100.0;

/// More packets a second than any load here has: a limit would only make other records.
const PACKETS: (u64, u64) = (100_000_000, 100_000_000);

/// A running agent.
pub(super) struct Agent<'a>(agent::Agent<'a>);

/// A running tcpdump. Dropping it stops it.
pub(super) struct Tcpdump {
    child: Child,
}

impl<'a> Agent<'a> {
    /// Starts the agent on `core`, recording every connection to the receiver.
    pub(super) fn start(binary: &Path, network: &'a Network, core: &str) -> Result<Self> {
        let mut settings = Settings::new(network.interfaces(), PORT);
        settings.shards = AS_BY_DEFAULT;
        settings.limit = Some(PACKETS);
        let agent = Self(agent::Agent::start(binary, &network.server, &settings)?);
        pin(agent.0.pid()?, core)?;
        Ok(agent)
    }

    /// Processor time it has used, in user space and in the kernel.
    pub(super) fn processor_seconds(&self) -> Result<f64> {
        processor_seconds(self.0.pid()?)
    }

    /// Fails unless each of at least `requests` gave a record, and none was lost on its way.
    pub(super) fn nothing_lost(&self, requests: u64) -> Result<()> {
        let settled = eventually(SETTLE, "all records", || {
            self.0.status().ok().filter(|status| made(status) >= seen(status))
        });
        let status = settled.or_else(|_| self.0.status())?;
        let lost = total(&status["records"]["lost"])
            + ports(&status).map(|port| total(&port["samples_lost"])).sum::<u64>();
        let (seen, made) = (seen(&status), made(&status));
        ensure!(
            lost == 0 && seen >= requests && made == seen,
            "{requests} requests answered, {seen} seen, {made} recorded, {lost} lost: {status}"
        );
        Ok(())
    }
}

impl Drop for Agent<'_> {
    fn drop(&mut self) {
        // It is gone with its namespace at the latest, and an error here has nowhere to go.
        self.0.stop(Signal::SIGTERM).ok();
        fs::remove_dir_all(self.0.folder()).ok();
    }
}

impl Tcpdump {
    /// Starts tcpdump on `core`, writing whole packets of the receiver to a file.
    pub(super) fn start(network: &Network, core: &str) -> Result<Self> {
        let interface = network.interfaces().into_iter().next().context("a link")?;
        let file = network.server.folder().join("dump.pcap");
        fs::remove_file(&file).ok();
        let mut tcpdump = Command::new("taskset");
        tcpdump.args(["--cpu-list", core, "tcpdump", "-Z", "root", "-i", &interface]);
        tcpdump.arg("-w").arg(&file).args(["tcp", "port", &PORT.to_string()]);
        // It says little more than what it dropped, which no pipe is too small for.
        tcpdump.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let tcpdump = Self { child: network.server.spawn(&mut tcpdump)? };
        eventually(TCPDUMP, "tcpdump listens", || file.exists().then_some(()))?;
        Ok(tcpdump)
    }

    /// Processor time it has used, in user space and in the kernel.
    pub(super) fn processor_seconds(&self) -> Result<f64> {
        processor_seconds(self.child.id())
    }

    /// Stops it and says how many packets it missed.
    pub(super) fn finish(mut self) -> Result<u64> {
        kill(pid(self.child.id())?, Signal::SIGTERM).context("cannot stop tcpdump")?;
        eventually(TCPDUMP, "tcpdump ends", || self.child.try_wait().ok().flatten())?;
        let mut said = String::new();
        let mut errors = self.child.stderr.take().context("tcpdump's standard error")?;
        errors.read_to_string(&mut said).context("cannot read what tcpdump said")?;
        missed(&said).with_context(|| format!("tcpdump did not say what it dropped:\n{said}"))
    }
}

/// The number before "packets dropped by kernel".
fn missed(said: &str) -> Option<u64> {
    let line = said.lines().find(|line| line.contains("dropped by kernel"))?;
    line.split_whitespace().next()?.parse().ok()
}

impl Drop for Tcpdump {
    fn drop(&mut self) {
        // It keeps nothing, and an error while unwinding has nowhere to go.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn ports(status: &Value) -> impl Iterator<Item = &Value> {
    status["kernel"]["ports"].as_array().into_iter().flatten()
}

/// Requests that the kernel counted.
fn seen(status: &Value) -> u64 {
    ports(status).map(|port| total(&port["requests"])).sum()
}

/// Records of deliveries that were made.
fn made(status: &Value) -> u64 {
    status["records"]["made"]["delivery"].as_u64().unwrap_or_default()
}

/// The sum of the figures in an object.
fn total(figures: &Value) -> u64 {
    figures.as_object().into_iter().flatten().filter_map(|(_, figure)| figure.as_u64()).sum()
}

/// Moves every thread of a process to `core`.
fn pin(process: u32, core: &str) -> Result<()> {
    let mut taskset = Command::new("taskset");
    taskset.args(["--all-tasks", "--cpu-list", "--pid", core, &process.to_string()]);
    let output = taskset.output().context("cannot start taskset")?;
    ensure!(output.status.success(), "cannot move the agent to core {core}");
    Ok(())
}

/// Processor time of a process: the 14th and 15th field of its `stat`, of which the second is a
/// name in parentheses that may hold anything.
fn processor_seconds(process: u32) -> Result<f64> {
    let path = format!("/proc/{process}/stat");
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    let after_name = text.rsplit_once(')').context("a name in parentheses")?.1;
    let ticks: Vec<f64> =
        after_name.split_whitespace().skip(11).take(2).filter_map(|one| one.parse().ok()).collect();
    ensure!(ticks.len() == 2, "{path} has no processor time");
    Ok(ticks.iter().sum::<f64>() / TICKS)
}

fn pid(process: u32) -> Result<Pid> {
    let process = i32::try_from(process).context("the process identifier is out of range")?;
    Ok(Pid::from_raw(process))
}
