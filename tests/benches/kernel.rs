//! What a packet costs on each path through the ingress program, as a multiple of a program that
//! only drops.
//!
//! Each path and the bare program take turns in many short rounds, by the kernel's own measure: a
//! busy machine slows both alike, and time away from the CPU does not count.
#![expect(clippy::print_stdout, reason = "a benchmark prints its table")]

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result, ensure};
use harness::packet::{Packet, flag};
use hooksensor::config;
use hooksensor::kernel::{Entry, Kernel, Ring, Runs};
use hooksensor_ebpf::abi::{Ban, Limits};
use hooksensor_ebpf::limit::limit;
use ipnet::IpNet;

const PORT: u16 = 8080;
const SERVER_V4: &str = "198.51.100.1:8080";
const SERVER_V6: &str = "[2001:db8:1::1]:8080";
const CLEAN: &str = "192.0.2.1:1000";

/// Bans of each family among which the banned source is one.
const BANS: u32 = 100_000;

/// Rounds whose median is shown: odd, so that it is one of them.
const ROUNDS: usize = 31;

/// Runs of a program in one round: enough that the system call around them does not matter, and
/// few enough that their records fit a ring of the default size.
const RUNS: u32 = 16_000;

/// Octets of payload in the packet that is copied up.
const PAYLOAD: usize = 256;

/// One row of the table.
struct Path {
    name: &'static str,
    frame: Vec<u8>,
    /// One connection in this many is copied up.
    sample_one_in: u32,
    /// The action that shows the packet took this path: 1 drops, 2 passes.
    action: u32,
    /// The most it may cost, as a multiple of the bare program.
    at_most: f64,
}

/// What a path cost in nanoseconds, and the bare program beside it.
struct Cost {
    path: f64,
    ratio: f64,
}

fn main() -> Result<ExitCode> {
    let mut bench = Bench::load()?;
    println!("{:<46} {:>8} {:>8} {:>8}", "path", "ns", "x bare", "at most");
    let mut held = true;
    for path in paths()? {
        let cost = bench.measure(&path)?;
        let verdict = if cost.ratio <= path.at_most { "" } else { "  over" };
        held &= verdict.is_empty();
        println!(
            "{:<46} {:>8.1} {:>8.2} {:>8.1}{verdict}",
            path.name, cost.path, cost.ratio, path.at_most
        );
    }
    Ok(if held { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn paths() -> Result<Vec<Path>> {
    let packet = |source: &str, destination: &str| -> Result<Packet> {
        Ok(Packet::tcp(source.parse()?, destination.parse()?).flags(flag::ACK | flag::PSH))
    };
    let path = |name, packet: Packet, sample_one_in, action, at_most| Path {
        name,
        frame: packet.payload(format!("{:<PAYLOAD$}", "POST /hooks HTTP/1.1").as_bytes()).frame(),
        sample_one_in,
        action,
        at_most,
    };
    Ok(vec![
        path("port not watched", packet(CLEAN, "198.51.100.1:22")?, 0, 2, 1.5),
        path("banned source among 100 000, IPv4", packet("10.0.200.7:1000", SERVER_V4)?, 0, 1, 3.5),
        path(
            "banned source among 100 000, IPv6",
            packet("[fd00::c807]:1000", SERVER_V6)?,
            0,
            1,
            5.0,
        ),
        path("clean, all limits on, not sampled", packet(CLEAN, SERVER_V4)?, 0, 2, 7.0),
        path("clean, all limits on, 256 octets copied up", packet(CLEAN, SERVER_V4)?, 1, 2, 12.0),
    ])
}

struct Bench {
    kernel: Kernel,
    ring: Ring,
}

impl Bench {
    fn load() -> Result<Self> {
        let settings = config::Kernel {
            pin_path: PathBuf::from(format!("/sys/fs/bpf/hooksensor-bench-{}", std::process::id())),
            max_bans: BANS,
            ..config::Kernel::default()
        };
        let mut kernel = Kernel::load(&settings, 1)?;
        let ring = kernel.take_rings()?.remove(0);
        // A rate no run reaches: the limiter does all its work and refuses nothing.
        let all = limit(1_000_000_000, 1_000_000_000);
        let limits = Limits { packets: all, connections: all, requests: all, new_sources: all };
        kernel.watch(&BTreeSet::from([PORT]), limits)?;
        kernel.change_settings(|settings| {
            settings.enforce = 1;
            settings.payload_bytes = 65_535;
            settings.set_source(32, 64);
        })?;
        let mut bench = Self { kernel, ring };
        bench.ban()?;
        bench.shake_hands()?;
        Ok(bench)
    }

    /// The clean source completes a handshake, as every real one has.
    fn shake_hands(&mut self) -> Result<()> {
        let (client, server) = (CLEAN.parse()?, SERVER_V4.parse()?);
        let asked = Packet::tcp(client, server).flags(flag::SYN).numbers(1, 0);
        let answered = Packet::tcp(server, client).flags(flag::SYN | flag::ACK).numbers(9, 2);
        let acknowledged = Packet::tcp(client, server).numbers(2, 10);
        self.kernel.run_ingress(&asked.frame())?;
        self.kernel.run_egress(&answered.frame())?;
        self.kernel.run_ingress(&acknowledged.frame())?;
        let known = self.kernel.sources()?;
        ensure!(known.iter().any(|source| source.established), "no handshake: {known:?}");
        Ok(())
    }

    fn ban(&mut self) -> Result<()> {
        let mut entries = Vec::new();
        for number in 0..BANS {
            let v4 = Ipv4Addr::from(0x0a00_0000 + number);
            let v6 = Ipv6Addr::from((0xfd00_u128 << 112) + u128::from(number));
            for target in [IpNet::from(IpAddr::from(v4)), IpAddr::from(v6).into()] {
                entries.push(Entry { target, expires: u64::MAX, scope: Ban::WATCHED });
            }
        }
        for taken in self.kernel.ban_all(&entries) {
            taken?;
        }
        Ok(())
    }

    fn measure(&mut self, path: &Path) -> Result<Cost> {
        self.kernel.change_settings(|settings| settings.sample_one_in = path.sample_one_in)?;
        let mut rounds = Vec::new();
        for _ in 0..ROUNDS {
            let bare = nanoseconds(self.kernel.repeat_bare(&path.frame, RUNS)?);
            let runs = self.kernel.repeat_ingress(&path.frame, RUNS)?;
            ensure!(runs.action == path.action, "{}: action {}", path.name, runs.action);
            let cost = nanoseconds(runs);
            let mut copied = 0;
            self.ring.drain(usize::MAX, |_| copied += 1);
            let expected = if path.sample_one_in == 1 { RUNS } else { 0 };
            ensure!(copied == expected, "{}: {copied} copied up", path.name);
            rounds.push(Cost { path: cost, ratio: cost / bare });
        }
        rounds.sort_by(|a, b| a.ratio.total_cmp(&b.ratio));
        rounds.into_iter().nth(ROUNDS / 2).context("there are rounds")
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.kernel.detach().ok();
    }
}

/// What one run cost; on average the kernel cut off half a nanosecond.
fn nanoseconds(runs: Runs) -> f64 {
    runs.mean.as_secs_f64() * 1e9 + 0.5
}
