//! `cargo xtask bench overhead`: a server under load without the sensor, with it, and with tcpdump.
//!
//! It must not know how any of them works. The server has one core of this machine; the load, the
//! agent and tcpdump share another, as an agent on a host runs where the application does not.

mod load;
mod observer;
mod receiver;

use anyhow::{Context as _, Result, bail, ensure};
use harness::namespace::Namespace;
use harness::network::Network;
use nix::unistd::Uid;

use self::load::Report;
use self::observer::{Agent, Tcpdump};
use self::receiver::Receiver;
use crate::setup;
use crate::shell::{self, cargo, workspace};

/// The core that the server runs on, and the one for everything else.
const SERVER_CORE: &str = "0";
const OTHER_CORE: &str = "1";

/// Rounds of each kind, whose medians are compared: odd, so that it is one of them. The kinds take
/// turns, because a machine does other things too.
const ROUNDS: usize = 5;

/// The least share of the requests a second that is left with the sensor.
const REQUESTS_LEFT: f64 = 0.97;

/// The most that the latency of the slowest of 100 requests may be, as a multiple of that without.
const LATENCY: f64 = 1.05;

/// The most processor time a request may cost the agent, as a multiple of what it costs tcpdump.
const PROCESSOR_TIME: f64 = 1.0;

/// What one kind of round came to.
#[derive(Default)]
struct Rounds {
    requests_a_second: Vec<f64>,
    latency_ms: Vec<f64>,
    /// Processor time of the observer, in microseconds a request.
    observer_us: Vec<f64>,
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
    let network = Network::new(1)?;
    let client = network.clients.first().context("a network of one client")?;
    let _receiver = Receiver::start(&network.server, SERVER_CORE)?;
    load::run(&client.namespace, OTHER_CORE)?;
    let (mut without, mut with, mut dumped) = <(Rounds, Rounds, Rounds)>::default();
    for round in 1..=ROUNDS {
        shell::say(&format!("round {round} of {ROUNDS}"));
        without.add(&load::run(&client.namespace, OTHER_CORE)?, 0.0);
        with_agent(&network, &client.namespace, &mut with)?;
        with_tcpdump(&network, &client.namespace, &mut dumped)?;
    }
    judge(&mut without, &mut with, &mut dumped)
}

fn with_agent(network: &Network, client: &Namespace, rounds: &mut Rounds) -> Result<()> {
    let binary = workspace().join("target/release/hooksensor");
    let agent = Agent::start(&binary, network, OTHER_CORE)?;
    let before = agent.processor_seconds()?;
    let report = load::run(client, OTHER_CORE)?;
    agent.nothing_lost(report.requests)?;
    rounds.add(&report, agent.processor_seconds()? - before);
    Ok(())
}

fn with_tcpdump(network: &Network, client: &Namespace, rounds: &mut Rounds) -> Result<()> {
    let tcpdump = Tcpdump::start(network, OTHER_CORE)?;
    let report = load::run(client, OTHER_CORE)?;
    rounds.add(&report, tcpdump.finish()?);
    Ok(())
}

impl Rounds {
    fn add(&mut self, report: &Report, observer_seconds: f64) {
        #[expect(clippy::cast_precision_loss, reason = "a rate needs no more than 53 bits")]
        let requests = report.requests as f64;
        self.requests_a_second.push(report.requests_a_second);
        self.latency_ms.push(report.latency_ms);
        self.observer_us.push(observer_seconds * 1e6 / requests);
    }

    fn row(&mut self, name: &str) -> String {
        let [rate, latency, observer] =
            [&mut self.requests_a_second, &mut self.latency_ms, &mut self.observer_us]
                .map(|figures| median(figures));
        format!("{name:<13} {rate:>12.0} {latency:>10.2} {observer:>15.1}")
    }
}

fn judge(without: &mut Rounds, with: &mut Rounds, dumped: &mut Rounds) -> Result<()> {
    shell::say("observer      requests/s    p99, ms  us of processor");
    for (name, rounds) in [("none", &mut *without), ("hooksensor", with), ("tcpdump -w", dumped)] {
        shell::say(&rounds.row(name));
    }
    let rate = median(&mut with.requests_a_second) / median(&mut without.requests_a_second);
    let latency = median(&mut with.latency_ms) / median(&mut without.latency_ms);
    let time = median(&mut with.observer_us) / median(&mut dumped.observer_us);
    shell::say(&format!(
        "{rate:.3} of the requests a second, at least {REQUESTS_LEFT}; \
         {latency:.2} times the latency, at most {LATENCY}; \
         {time:.2} times the processor time of tcpdump, at most {PROCESSOR_TIME}; nothing lost"
    ));
    if rate < REQUESTS_LEFT || latency > LATENCY || time > PROCESSOR_TIME {
        bail!("the sensor costs too much");
    }
    Ok(())
}

fn median(figures: &mut [f64]) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}
