//! `cargo xtask bench replay`: a whole replay beside Debian's tools, and the stages that do no
//! encoding by themselves, each on one core.
//!
//! It must not know how any of them works.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike as _;

use super::webhooks;
use crate::setup;
use crate::shell::{self, cargo, workspace};

/// How many times as fast as tshark a replay has to be, and as httpry.
const BEYOND_TSHARK: f64 = 30.0;
const BEYOND_HTTPRY: f64 = 1.0;

/// Exchanges a second that reassembly and parsing have to reach, with bodies of 500 octets.
const EXCHANGES: f64 = 1e6;

/// Runs of each tool; the fastest counts, because others only ever slow a run down.
const RUNS: usize = 3;

/// Where what a program puts out goes.
const OUTPUT: &str = "output";

/// What a tool used for the capture.
struct Usage {
    name: &'static str,
    /// Seconds of processor time, in user space and in the kernel.
    seconds: f64,
    /// Lines it put out.
    lines: usize,
}

pub(super) fn run() -> Result<()> {
    setup::ensure_programs(&[
        ("tshark", "tshark"),
        ("httpry", "httpry"),
        ("taskset", "util-linux"),
    ])?;
    let build = ["build", "--quiet", "--release", "--package", "hooksensor"];
    shell::run(cargo(&build).args(["--bin", "hooksensor", "--example", "exchanges"]))?;
    let folder = workspace().join("target/bench");
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let capture = folder.join("webhooks.pcap");
    let outcome = measure(&folder, &capture);
    fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    outcome
}

fn measure(folder: &Path, capture: &Path) -> Result<()> {
    let deliveries = webhooks::write(capture)?;
    let octets = fs::metadata(capture).context("cannot look at the capture")?.len();
    #[expect(clippy::cast_precision_loss, reason = "a size in megabytes needs no more digits")]
    let megabytes = octets as f64 / 1e6;
    shell::say(&format!(
        "{deliveries} deliveries in {megabytes:.0} MB, processor time of one core:"
    ));
    let file = capture.to_str().context("a folder whose name is text")?;
    let agent = workspace().join("target/release/hooksensor");
    let agent = agent.to_str().context("a folder whose name is text")?;
    let ours = fastest("hooksensor", folder, &[agent, "replay", file])?;
    let httpry = fastest("httpry", folder, &["httpry", "-q", "-r", file])?;
    let tshark = fastest("tshark", folder, &[&["tshark", "-r", file][..], &TSHARK].concat())?;
    ensure!(ours.lines == deliveries as usize, "{} records of {deliveries} deliveries", ours.lines);
    shell::say("tool         seconds      MB/s   records   as hooksensor");
    for usage in [&ours, &httpry, &tshark] {
        shell::say(&row(usage, megabytes, usage.seconds / ours.seconds));
    }
    let pure = exchanges_a_second(folder)?;
    let judged = [
        judge("times as fast as tshark", tshark.seconds / ours.seconds, BEYOND_TSHARK),
        judge("times as fast as httpry", httpry.seconds / ours.seconds, BEYOND_HTTPRY),
        judge("million exchanges a second without encoding", pure / 1e6, EXCHANGES / 1e6),
    ];
    ensure!(judged.iter().all(|is_fast| *is_fast), "the replay is too slow");
    Ok(())
}

/// What reassembly and parsing alone do, at best.
fn exchanges_a_second(folder: &Path) -> Result<f64> {
    let program = workspace().join("target/release/examples/exchanges");
    let program = program.to_str().context("a folder whose name is text")?;
    let mut best: f64 = 0.0;
    for _ in 0..RUNS {
        once("exchanges", folder, &[program])?;
        let said = fs::read_to_string(folder.join(OUTPUT)).context("cannot read the rate")?;
        let rate = said.lines().next().and_then(|line| line.strip_suffix(" a second"));
        let rate = rate.and_then(|line| line.rsplit(' ').next()?.parse().ok());
        best = best.max(rate.with_context(|| format!("no rate in:\n{said}"))?);
    }
    Ok(best)
}

/// Method and target of every request, and nothing else.
const TSHARK: [&str; 8] =
    ["-Y", "http.request", "-T", "fields", "-e", "http.request.method", "-e", "http.request.uri"];

fn row(usage: &Usage, megabytes: f64, ratio: f64) -> String {
    let Usage { name, seconds, lines } = usage;
    let rate = megabytes / seconds;
    format!("{name:<11} {seconds:>8.3} {rate:>9.0} {lines:>9} {ratio:>12.1} x")
}

/// Shows a figure beside its least; whether it is reached.
fn judge(what: &str, figure: f64, least: f64) -> bool {
    shell::say(&format!("{figure:.2} {what}; at least {least}"));
    figure >= least
}

/// The best of several runs of `command` on one core.
fn fastest(name: &'static str, folder: &Path, command: &[&str]) -> Result<Usage> {
    let mut best = once(name, folder, command)?;
    for _ in 1..RUNS {
        let usage = once(name, folder, command)?;
        if usage.seconds < best.seconds {
            best = usage;
        }
    }
    Ok(best)
}

fn once(name: &'static str, folder: &Path, command: &[&str]) -> Result<Usage> {
    let path = folder.join(OUTPUT);
    let output = fs::File::create(&path).context("cannot make a file for the output")?;
    let mut pinned = Command::new("taskset");
    pinned.args(["--cpu-list", "0"]).args(command);
    pinned.stdin(Stdio::null()).stdout(output).stderr(Stdio::null());
    let before = children_seconds()?;
    shell::run(&mut pinned)?;
    let seconds = children_seconds()? - before;
    let text = fs::read(&path).context("cannot read the output")?;
    let lines = text.split(|octet| *octet == b'\n').filter(|line| !line.is_empty()).count();
    Ok(Usage { name, seconds, lines })
}

/// Processor time of the programs that this one has started and that have ended.
fn children_seconds() -> Result<f64> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).context("cannot ask for processor time")?;
    let total = usage.user_time() + usage.system_time();
    #[expect(clippy::cast_precision_loss, reason = "the clock is not that precise either")]
    let seconds = total.num_microseconds() as f64 / 1e6;
    Ok(seconds)
}
