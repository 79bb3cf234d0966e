//! What is blocked is dropped in the kernel, for as long as it should be and no wider.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics where it stands")]

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use harness::agent::{Agent, Settings, binary};
use harness::curl::Delivery;
use harness::eventually;
use harness::flood::{Flood, Report};
use harness::load::{Load, Progress};
use harness::network::{Client, Network, SERVER_V4, SERVER_V6};
use harness::server::{LOCATIONS, Server};
use ipnet::IpNet;
use nix::sys::signal::Signal;
use serde_json::{Value, json};

const PORT: u16 = 8080;

/// A port nobody listens on and nobody watches: the server's kernel refuses connections to it.
const OTHER_PORT: u16 = 9;

/// How long the agent may take for what it decides.
const SETTLE: Duration = Duration::from_secs(30);

/// Frames that may still lie in a link when its sender has stopped: what a veth's ring holds
/// (`VETH_RING_SIZE`, drivers/net/veth.c).
const UNDER_WAY: u64 = 256;

/// What became of an attempt to connect.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Attempt {
    Connected,
    Refused,
    Dropped,
}

fn connect(client: &Client, address: impl Into<IpAddr>, port: u16) -> Attempt {
    let target = SocketAddr::new(address.into(), port);
    match client.namespace.connect(target).unwrap() {
        Ok(_) => Attempt::Connected,
        Err(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => Attempt::Refused,
        Err(_) => Attempt::Dropped,
    }
}

/// A ban of this length, made no earlier than `begun`, is in force; on a machine that was held up
/// for longer than the ban nothing can be said.
fn assert_dropped_within(length: Duration, begun: Instant, client: &Client) {
    let attempt = connect(client, SERVER_V4, PORT);
    assert!(attempt == Attempt::Dropped || begun.elapsed() >= length, "{attempt:?}");
}

fn settings(network: &Network, enforce: bool) -> Settings {
    Settings { enforce, ..Settings::new(network.interfaces(), PORT) }
}

fn start<'a>(network: &'a Network, settings: &Settings) -> (Server, Agent<'a>) {
    let server = Server::start(&network.server, PORT).unwrap();
    (server, Agent::start(&binary().unwrap(), &network.server, settings).unwrap())
}

fn ban(agent: &Agent<'_>, target: &str, duration: &str) {
    agent.done(&["ban", target, "--duration", duration, "--reason", "test"]).unwrap();
}

fn verdicts(agent: &Agent<'_>, reason: &str) -> u64 {
    agent.metrics().unwrap().sum("hooksensor_verdicts_total", &[("reason", reason)])
}

fn flood(client: &Client, rate: u64, frames: u64) -> Report {
    flood_until(client, rate, frames, &AtomicBool::new(false))
}

fn flood_until(client: &Client, rate: u64, frames: u64, stop: &AtomicBool) -> Report {
    let flood = Flood::new(client, SocketAddr::new(SERVER_V4.into(), PORT), rate);
    client.namespace.run(|| flood.run(frames, stop)).unwrap().unwrap()
}

/// The records of decisions, once there is one.
fn decisions(agent: &Agent<'_>) -> Vec<Value> {
    let made = || agent.dataset("decision").ok().filter(|decisions| !decisions.is_empty());
    eventually(SETTLE, "a decision", made).unwrap()
}

fn deliver(client: &Client, path: &str) -> u16 {
    let target = SocketAddr::new(SERVER_V4.into(), PORT);
    Delivery::new(target, path, "id", "{}").send(&client.namespace).unwrap()
}

#[test]
fn a_ban_in_simulation_only_counts() {
    let network = Network::new(1).unwrap();
    let (_server, agent) = start(&network, &settings(&network, false));
    let client = &network.clients[0];
    ban(&agent, &client.v4.to_string(), "10m");
    assert_eq!(connect(client, SERVER_V4, PORT), Attempt::Connected);
    assert!(verdicts(&agent, "would_drop_banned") > 0);
    assert_eq!(verdicts(&agent, "drop_banned"), 0);
    let decisions = decisions(&agent);
    assert_eq!(decisions[0]["event"]["action"], "would_ban", "{decisions:#?}");
    assert_eq!(decisions[0]["hooksensor"]["enforced"], json!(false));
}

#[test]
fn an_enforced_ban_covers_its_target_and_nothing_else() {
    let network = Network::new(2).unwrap();
    let (_server, agent) = start(&network, &settings(&network, true));
    let [banned, other] = &network.clients[..] else { panic!("two clients were asked for") };
    for (target, address) in [
        (banned.v4.to_string(), IpAddr::from(SERVER_V4)),
        (banned.v6.to_string(), SERVER_V6.into()),
        // The widest that do not hold the server's own end of the link.
        ("10.77.1.2/31".to_owned(), SERVER_V4.into()),
        ("fd77:1::2/127".to_owned(), SERVER_V6.into()),
    ] {
        assert_eq!(connect(banned, address, PORT), Attempt::Connected, "before {target}");
        ban(&agent, &target, "10m");
        assert_eq!(connect(banned, address, PORT), Attempt::Dropped, "{target}");
        assert_eq!(connect(banned, address, OTHER_PORT), Attempt::Refused, "{target}");
        assert_eq!(connect(other, address, PORT), Attempt::Connected, "{target}");
        agent.done(&["unban", &target]).unwrap();
        assert_eq!(connect(banned, address, PORT), Attempt::Connected, "after {target}");
    }
    assert!(verdicts(&agent, "drop_banned") >= 4);
}

#[test]
fn a_ban_ends_by_itself() {
    let network = Network::new(1).unwrap();
    let (_server, agent) = start(&network, &settings(&network, true));
    let client = &network.clients[0];
    let begun = Instant::now();
    ban(&agent, &client.v4.to_string(), "4s");
    assert_dropped_within(Duration::from_secs(4), begun, client);
    eventually(SETTLE, "the ban ends", || {
        (connect(client, SERVER_V4, PORT) == Attempt::Connected).then_some(())
    })
    .unwrap();
}

/// The kernel's counter equals what was sent, to the packet, while an honest client loses nothing.
#[test]
fn a_banned_flood_is_dropped_to_the_last_packet() {
    let network = Network::new(2).unwrap();
    let (_server, agent) = start(&network, &settings(&network, true));
    let [banned, honest] = &network.clients[..] else { panic!("two clients were asked for") };
    ban(&agent, &banned.v4.to_string(), "10m");
    let load = Load {
        target: SocketAddr::new(SERVER_V4.into(), PORT),
        path: LOCATIONS[0].0.to_owned(),
        rate: 100,
        count: 300,
        connections: 4,
        keep_alive: false,
        body_bytes: 500,
        prefix: "honest-".to_owned(),
    };
    let (sent, deliveries) = thread::scope(|scope| {
        let sending =
            scope.spawn(|| honest.namespace.run(|| load.run(&Progress::default())).unwrap());
        let report = flood(banned, 400_000, 1_000_000);
        (report.sent, sending.join().unwrap())
    });
    assert_eq!(sent, 1_000_000);
    let dropped = || verdicts(&agent, "drop_banned");
    eventually(SETTLE, "all are counted", || (dropped() >= sent).then_some(())).unwrap();
    assert_eq!(dropped(), sent);
    assert_eq!(deliveries.latencies.len(), 300, "{:?}", deliveries.errors);
}

/// What a ban dropped is known to the packet, over a kill and a restart of the agent.
#[test]
fn what_a_ban_dropped_is_listed_with_it() {
    const FRAMES: u64 = 50_000;
    // An Ethernet, an IPv4 and a TCP header.
    const LENGTH: u64 = 54;
    let network = Network::new(1).unwrap();
    let (_server, mut agent) = start(&network, &settings(&network, true));
    let banned = &network.clients[0];
    ban(&agent, &banned.v6.to_string(), "10m");
    ban(&agent, &banned.v4.to_string(), "10m");
    let listed = |agent: &Agent<'_>| {
        let listed = agent.done(&["decisions", "list", "-o", "json"]).unwrap();
        let listed: Value = serde_json::from_str(&listed).unwrap();
        let v4 = IpNet::from(IpAddr::from(banned.v4)).to_string();
        let found = listed.as_array().unwrap().iter().find(|one| one["target"] == v4).unwrap();
        ["packets", "bytes"].map(|name| found[name].as_u64().unwrap())
    };
    let all_of = |agent: &Agent<'_>, frames: u64| {
        eventually(SETTLE, "all are counted", || (listed(agent)[0] >= frames).then_some(()))
            .unwrap();
        assert_eq!(listed(agent), [frames, frames * LENGTH]);
    };
    assert_eq!(listed(&agent), [0, 0]);
    assert_eq!(flood(banned, 400_000, FRAMES).sent, FRAMES);
    all_of(&agent, FRAMES);
    agent.stop(Signal::SIGKILL).unwrap();
    assert_eq!(flood(banned, 400_000, FRAMES).sent, FRAMES);
    agent.resume().unwrap();
    all_of(&agent, 2 * FRAMES);
    ban(&agent, &banned.v4.to_string(), "20m");
    assert_eq!(flood(banned, 400_000, FRAMES).sent, FRAMES);
    all_of(&agent, 3 * FRAMES);
    let shown = agent.done(&["decisions", "list"]).unwrap();
    assert!(shown.contains(&(3 * FRAMES).to_string()), "{shown}");
    agent.done(&["unban", &banned.v4.to_string()]).unwrap();
    let said = format!("packets={}", 3 * FRAMES);
    assert!(agent.log().contains(&said), "{}", agent.log());
}

#[test]
fn a_source_over_its_limit_is_held_to_it_at_once() {
    let network = Network::new(1).unwrap();
    let limited = Settings { limit: Some((1_000, 1_000)), ..settings(&network, true) };
    let (_server, agent) = start(&network, &limited);
    let report = flood(&network.clients[0], 100_000, 50_000);
    // The burst, and a packet a millisecond, by a clock that moves in steps of one to ten. Those
    // under way at the end may be looked at late.
    let allowed = 1_000 + u64::try_from(report.lasted.as_millis()).unwrap() + 10 + UNDER_WAY;
    let passed = || report.sent - verdicts(&agent, "drop_limited");
    eventually(SETTLE, "the rest is dropped", || (passed() <= allowed).then_some(())).unwrap();
    assert!(passed() >= 1_000, "{} of {report:?}", passed());
}

#[test]
fn a_source_that_stays_over_its_limit_is_banned() {
    let network = Network::new(1).unwrap();
    let mut limited = Settings { limit: Some((1_000, 1_000)), ..settings(&network, true) };
    limited.ban = "over_limit_for = \"1s\"".to_owned();
    let (_server, agent) = start(&network, &limited);
    let client = &network.clients[0];
    assert_eq!(connect(client, SERVER_V4, PORT), Attempt::Connected);
    let banned = || {
        flood(client, 20_000, 20_000);
        (verdicts(&agent, "drop_banned") > 0).then_some(())
    };
    eventually(SETTLE, "it is banned", banned).unwrap();
    assert_eq!(connect(client, SERVER_V4, PORT), Attempt::Dropped);
    let decisions = decisions(&agent);
    assert_eq!(decisions.len(), 1, "{decisions:#?}");
    assert_eq!(decisions[0]["event"]["action"], "ban");
    assert_eq!(decisions[0]["source"]["ip"], json!(client.v4));
    assert!(decisions[0]["rule"]["id"].is_string(), "{decisions:#?}");
}

#[test]
fn a_flood_from_an_address_that_may_be_made_up_is_told_and_bans_nobody() {
    let network = Network::new(1).unwrap();
    let mut limited = Settings { limit: Some((1_000, 1_000)), ..settings(&network, true) };
    limited.ban = "over_limit_for = \"1s\"".to_owned();
    let (_server, agent) = start(&network, &limited);
    flood(&network.clients[0], 20_000, 60_000);
    let findings = eventually(SETTLE, "a finding", || {
        agent.dataset("finding").ok().filter(|findings| !findings.is_empty())
    });
    let findings = findings.unwrap();
    assert_eq!(findings.len(), 1, "{findings:#?}");
    assert_eq!(findings[0]["rule"]["id"], "unproven-flood");
    assert_eq!(agent.dataset("decision").unwrap().len(), 0);
    assert_eq!(verdicts(&agent, "drop_banned"), 0);
    assert!(verdicts(&agent, "drop_limited") > 0);
}

#[test]
fn failed_requests_ban_their_source_with_evidence() {
    let network = Network::new(2).unwrap();
    let mut failing = settings(&network, true);
    failing.ban = "failures = 5".to_owned();
    let (_server, agent) = start(&network, &failing);
    let [guessing, honest] = &network.clients[..] else { panic!("two clients were asked for") };
    for _ in 0..5 {
        assert_eq!(deliver(guessing, "/hooks/unauthorized"), 401);
        assert_eq!(deliver(honest, LOCATIONS[0].0), 200);
    }
    let decisions = decisions(&agent);
    assert_eq!(decisions.len(), 1, "{decisions:#?}");
    assert_eq!(decisions[0]["source"]["ip"], json!(guessing.v4));
    let evidence = decisions[0]["hooksensor"]["evidence"].as_array().unwrap();
    let deliveries = agent.dataset("delivery").unwrap();
    let failed: Vec<_> =
        deliveries.iter().filter(|d| d["http"]["response"]["status_code"] == 401).collect();
    assert_eq!(evidence.len(), failed.len(), "{decisions:#?}");
    assert!(failed.iter().all(|delivery| evidence.contains(&delivery["event"]["id"])));
    assert_eq!(connect(guessing, SERVER_V4, PORT), Attempt::Dropped);
    assert_eq!(connect(honest, SERVER_V4, PORT), Attempt::Connected);
}

#[test]
fn enforcement_is_switched_without_a_restart() {
    let network = Network::new(1).unwrap();
    let simulated = settings(&network, false);
    let (_server, agent) = start(&network, &simulated);
    let client = &network.clients[0];
    ban(&agent, &client.v4.to_string(), "10m");
    for (enforce, expected) in
        [(false, Attempt::Connected), (true, Attempt::Dropped), (false, Attempt::Connected)]
    {
        agent.configure(&Settings { enforce, ..simulated.clone() }).unwrap();
        agent.done(&["reload"]).unwrap();
        assert_eq!(agent.status().unwrap()["enforce"], json!(enforce));
        assert_eq!(connect(client, SERVER_V4, PORT), expected, "enforce = {enforce}");
    }
    eventually(SETTLE, "each turn is on record", || {
        let records = agent.dataset("decision").ok()?;
        let actions: Vec<_> = records.iter().map(|record| &record["event"]["action"]).collect();
        (actions == ["would_ban", "ban", "would_ban"]).then_some(())
    })
    .unwrap();
}

#[test]
fn bans_outlive_a_killed_agent_and_no_longer() {
    let network = Network::new(2).unwrap();
    let (_server, mut agent) = start(&network, &settings(&network, true));
    let [banned, other] = &network.clients[..] else { panic!("two clients were asked for") };
    let begun = Instant::now();
    ban(&agent, &banned.v4.to_string(), "6s");
    ban(&agent, &banned.v6.to_string(), "10m");
    assert_eq!(agent.stop(Signal::SIGKILL).unwrap().code(), None);
    assert_dropped_within(Duration::from_secs(6), begun, banned);
    assert_eq!(connect(other, SERVER_V4, PORT), Attempt::Connected);
    eventually(SETTLE, "the short ban ends", || {
        (connect(banned, SERVER_V4, PORT) == Attempt::Connected).then_some(())
    })
    .unwrap();
    agent.resume().unwrap();
    assert_eq!(connect(banned, SERVER_V6, PORT), Attempt::Dropped);
    let listed = agent.done(&["decisions", "list", "-o", "json"]).unwrap();
    assert!(listed.contains(&banned.v6.to_string()), "{listed}");
    assert!(!listed.contains(&banned.v4.to_string()), "{listed}");
    agent.done(&["unban", &banned.v6.to_string()]).unwrap();
    assert_eq!(connect(banned, SERVER_V6, PORT), Attempt::Connected);
    assert_eq!(deliver(other, LOCATIONS[0].0), 200);
    eventually(SETTLE, "the delivery is recorded", || {
        agent.dataset("delivery").ok().filter(|records| !records.is_empty())
    })
    .unwrap();
}

/// Neither between the end of one agent and the start of the next, nor while the one replaces the
/// programs of the other, does a banned packet pass.
#[test]
fn a_restart_lets_nothing_through() {
    let network = Network::new(1).unwrap();
    let (_server, mut agent) = start(&network, &settings(&network, true));
    let banned = &network.clients[0];
    ban(&agent, &banned.v4.to_string(), "10m");
    let restarted = AtomicBool::new(false);
    let sent = thread::scope(|scope| {
        let flooding = scope.spawn(|| flood_until(banned, 100_000, u64::MAX, &restarted));
        let stopped = agent.stop(Signal::SIGKILL).map(|status| status.code());
        let resumed = agent.resume();
        restarted.store(true, Ordering::Relaxed);
        assert_eq!(stopped.unwrap(), None);
        resumed.unwrap();
        flooding.join().unwrap().sent
    });
    assert!(sent > 10_000, "the flood of {sent} began after the restart");
    let dropped = || verdicts(&agent, "drop_banned");
    eventually(SETTLE, "all are counted", || (dropped() >= sent).then_some(())).unwrap();
    assert_eq!(dropped(), sent);
}

#[test]
fn a_graceful_stop_takes_the_programs_along_unless_told_otherwise() {
    for (stay_attached, expected) in [(false, Attempt::Connected), (true, Attempt::Dropped)] {
        let network = Network::new(1).unwrap();
        let settings = Settings { stay_attached, ..settings(&network, true) };
        let (_server, mut agent) = start(&network, &settings);
        let client = &network.clients[0];
        ban(&agent, &client.v4.to_string(), "10m");
        assert_eq!(agent.stop(Signal::SIGTERM).unwrap().code(), Some(0), "{}", agent.log());
        // The kernel detaches a program a moment after its last reference is gone.
        eventually(SETTLE, &format!("{expected:?} with stay_attached = {stay_attached}"), || {
            (connect(client, SERVER_V4, PORT) == expected).then_some(())
        })
        .unwrap();
    }
}
