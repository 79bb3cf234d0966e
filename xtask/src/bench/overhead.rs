//! `cargo xtask bench overhead`: a server under load without the sensor, with it, and with tcpdump.
//!
//! It must not know how any of them works. The server has one core of this machine and the load
//! another. The observer has a third where there is one; on a machine of two it shares that of the
//! load, and whatever it uses there a saturating load cannot send. There only the processor time of
//! a saturating load is judged, and the rest of a paced one.

mod load;
mod observer;
mod receiver;

use std::thread;

use anyhow::{Context as _, Result, ensure};
use harness::network::Network;
use nix::unistd::Uid;

use self::load::{Load, Report};
use self::observer::{Agent, Tcpdump};
use self::receiver::Receiver;
use crate::setup;
use crate::shell::{self, cargo, workspace};

/// The cores of the server, of the load, and of an observer on a machine that has a third.
const SERVER_CORE: &str = "0";
const LOAD_CORE: &str = "1";
const THIRD_CORE: &str = "2";

/// Rounds of each kind, whose medians are compared: odd, so that it is one of them. The kinds take
/// turns, because a machine does other things too.
const ROUNDS: usize = 5;

/// The least share of the requests a second that is left with the sensor.
const REQUESTS_LEFT: f64 = 0.97;

/// The most that the latency of the slowest of 100 requests may be, as a multiple of that without.
const LATENCY: f64 = 1.05;

/// The most processor time a request may cost the agent, as a multiple of what it costs tcpdump.
const PROCESSOR_TIME: f64 = 1.0;

/// What the rounds of one kind and one load came to.
#[derive(Default)]
struct Rounds {
    requests_a_second: Vec<f64>,
    latency_ms: Vec<f64>,
    /// Processor time of the observer, in microseconds a request.
    observer_us: Vec<f64>,
}

/// One kind of round: nobody observes, or one of the observers does. Nobody does in two kinds,
/// which differ by what the machine does besides: no measure of an observer is finer than that.
struct Kind {
    name: &'static str,
    /// In the order of [`Load::ALL`].
    loads: [Rounds; 2],
}

/// Where a round takes place.
struct Place {
    network: Network,
    observer_core: &'static str,
}

pub(super) fn run() -> Result<()> {
    ensure!(
        Uid::effective().is_root(),
        "network namespaces need root: run `sudo -E cargo xtask bench overhead`"
    );
    setup::ensure_programs(&[
        ("nginx", "nginx-light"),
        ("wrk", "wrk"),
        ("tcpdump", "tcpdump"),
        ("taskset", "util-linux"),
    ])?;
    shell::run(&mut cargo(&["build", "--quiet", "--release", "--package", "hooksensor"]))?;
    let cores = thread::available_parallelism().context("cannot count the cores")?.get();
    let observer_core = if cores > 2 { THIRD_CORE } else { LOAD_CORE };
    let place = Place { network: Network::new(1)?, observer_core };
    let _receiver = Receiver::start(&place.network.server, SERVER_CORE)?;
    place.send(Load::Saturating)?;
    let mut kinds = ["none", "hooksensor", "tcpdump -w", "none again"].map(Kind::new);
    let [without, with, dumped, again] = &mut kinds;
    let mut missed = 0;
    for round in 1..=ROUNDS {
        shell::say(&format!("round {round} of {ROUNDS}"));
        place.without_observer(without)?;
        place.with_agent(with)?;
        missed += place.with_tcpdump(dumped)?;
        place.without_observer(again)?;
    }
    shell::say(&format!("hooksensor lost nothing; tcpdump missed {missed} packets; medians:"));
    let judged = Load::ALL.map(|load| judge(&mut kinds, load, cores > 2));
    ensure!(judged.iter().all(|is_cheap| *is_cheap), "the sensor costs too much");
    Ok(())
}

impl Place {
    fn send(&self, load: Load) -> Result<Report> {
        let client = self.network.clients.first().context("a network of one client")?;
        load::run(&client.namespace, LOAD_CORE, load)
    }

    fn without_observer(&self, kind: &mut Kind) -> Result<()> {
        kind.round(|load| Ok((self.send(load)?, 0.0)))
    }

    fn with_agent(&self, kind: &mut Kind) -> Result<()> {
        let binary = workspace().join("target/release/hooksensor");
        let agent = Agent::start(&binary, &self.network, self.observer_core)?;
        let mut requests = 0;
        kind.round(|load| {
            let before = agent.processor_seconds()?;
            let report = self.send(load)?;
            requests += report.requests;
            agent.nothing_lost(requests)?;
            Ok((report, agent.processor_seconds()? - before))
        })
    }

    /// How many packets tcpdump missed.
    fn with_tcpdump(&self, kind: &mut Kind) -> Result<u64> {
        let tcpdump = Tcpdump::start(&self.network, self.observer_core)?;
        kind.round(|load| {
            let before = tcpdump.processor_seconds()?;
            Ok((self.send(load)?, tcpdump.processor_seconds()? - before))
        })?;
        tcpdump.finish()
    }
}

impl Kind {
    fn new(name: &'static str) -> Self {
        Self { name, loads: <[Rounds; 2]>::default() }
    }

    /// Does each load once; `send` says what it came to, and the seconds of the observer.
    fn round(&mut self, mut send: impl FnMut(Load) -> Result<(Report, f64)>) -> Result<()> {
        for (load, rounds) in Load::ALL.into_iter().zip(&mut self.loads) {
            let (report, seconds) = send(load)?;
            rounds.add(&report, seconds);
        }
        Ok(())
    }
}

impl Rounds {
    fn add(&mut self, report: &Report, observer_seconds: f64) {
        #[expect(clippy::cast_precision_loss, reason = "a rate needs no more than 53 bits")]
        let requests = report.requests as f64;
        self.requests_a_second.push(report.requests_a_second);
        self.latency_ms.push(report.latency_ms);
        self.observer_us.push(observer_seconds * 1e6 / requests);
    }

    /// The medians: requests a second, latency, processor time of the observer.
    fn medians(&mut self) -> [f64; 3] {
        [&mut self.requests_a_second, &mut self.latency_ms, &mut self.observer_us]
            .map(|figures| median(figures))
    }
}

/// Shows what a load came to; whether the sensor was cheap enough. An observer that is not `apart`
/// from a saturating load is judged by its processor time alone.
fn judge(kinds: &mut [Kind; 4], load: Load, apart: bool) -> bool {
    shell::say(&format!("{:<13} requests/s    p99, ms  us of processor", load.name()));
    let [without, with, dumped, again] = kinds.each_mut().map(|kind| {
        let [rate, latency, observer] = kind.loads[load as usize].medians();
        shell::say(&format!("{:<13} {rate:>10.0} {latency:>10.2} {observer:>16.1}", kind.name));
        [rate, latency, observer]
    });
    shell::say(&format!(
        "without the sensor, against itself: {:.3} of the requests a second, {:.2} times the latency",
        again[0] / without[0],
        again[1] / without[1],
    ));
    let (rate, latency, time) = (with[0] / without[0], with[1] / without[1], with[2] / dumped[2]);
    shell::say(&format!(
        "{rate:.3} of the requests a second, at least {REQUESTS_LEFT}; \
         {latency:.2} times the latency, at most {LATENCY}; \
         {time:.2} times the processor time of tcpdump, at most {PROCESSOR_TIME}"
    ));
    let is_unseen = rate >= REQUESTS_LEFT && latency <= LATENCY;
    let is_shared = load == Load::Saturating && !apart;
    if is_shared {
        shell::say(
            "Of this load only the processor time is judged: it takes all there is of the core that \
             it shares with the observer, which could use nothing without taking it from the load.",
        );
    }
    time <= PROCESSOR_TIME && (is_unseen || is_shared)
}

fn median(figures: &mut [f64]) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}
