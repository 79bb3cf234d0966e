//! A flood of genuine deliveries makes the agent copy up fewer connections, and quiet all of them.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics where it stands")]

use std::fs;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use harness::agent::{Agent, Settings, binary};
use harness::eventually;
use harness::load::{Load, Progress};
use harness::network::{Client, Network, SERVER_V4};
use harness::server::{LOCATIONS, Server};
use nix::sys::signal::Signal;
use serde_json::Value;

const PORT: u16 = 8080;

/// Hosts that deliver at once.
const CLIENTS: u8 = 6;

/// How long the rate may take to become coarser, and to come back: ten quiet seconds a halving, of
/// which there are more the later the flood is seen to have an effect.
const COARSER: Duration = Duration::from_secs(60);
const BACK: Duration = Duration::from_secs(300);

/// Bodies that no ring of the least size holds many of.
fn load(rate: u32) -> Load {
    Load {
        target: (SERVER_V4, PORT).into(),
        path: LOCATIONS[0].0.to_owned(),
        rate,
        count: u64::MAX,
        connections: 8,
        keep_alive: false,
        body_bytes: 40_000,
        prefix: "flood-".to_owned(),
    }
}

fn deliver(client: &Client, progress: &Progress) {
    client.namespace.run(|| load(2_000).run(progress)).unwrap();
}

/// One connection in how many is copied up, as `status` says.
fn one_in(status: &Value) -> u64 {
    status["sampling"]["one_in"].as_u64().unwrap()
}

fn lost(status: &Value) -> u64 {
    status["kernel"]["ports"][0]["samples_lost"]["ring_full"].as_u64().unwrap_or(0)
}

/// Floods until the rate is coarser; the status at the end.
fn flood(network: &Network, agent: &Agent<'_>) -> Value {
    let progress = Progress::default();
    thread::scope(|scope| {
        for client in &network.clients {
            scope.spawn(|| deliver(client, &progress));
        }
        let coarser = eventually(COARSER, "a coarser rate", || {
            let status = agent.status().ok()?;
            let sampled = status["streams"]["coverage"]["sampled"].as_u64().unwrap_or(0);
            (one_in(&status) > 1 && sampled > 0).then_some(status)
        });
        progress.stop.store(true, Ordering::Relaxed);
        coarser
    })
    .unwrap()
}

#[test]
fn a_flood_makes_the_rate_coarser_and_quiet_brings_it_back() {
    let network = Network::new(CLIENTS).unwrap();
    let _server = Server::start(&network.server, PORT).unwrap();
    let settings = Settings::new(network.interfaces(), PORT);
    let mut agent = Agent::prepare(&binary().unwrap(), &network.server, &settings).unwrap();
    let text = fs::read_to_string(agent.config()).unwrap();
    let small = text.replace("[kernel]\n", "[kernel]\nring_bytes = \"64KiB\"\n");
    fs::write(agent.config(), small).unwrap();
    agent.resume().unwrap();
    let before = agent.status().unwrap();
    assert_eq!((one_in(&before), lost(&before)), (1, 0));
    let during = flood(&network, &agent);
    assert_eq!(during["sampling"]["configured"], 1);
    assert!(lost(&during) > 0, "{during:#}");
    eventually(BACK, "the configured rate", || (one_in(&agent.status().ok()?) == 1).then_some(()))
        .unwrap();
    let shown = agent.done(&["status"]).unwrap();
    assert!(shown.contains("copied up  every connection"), "{shown}");
    assert_eq!(agent.metrics().unwrap().sum("hooksensor_sampled_one_in", &[]), 1);
    assert!(agent.stop(Signal::SIGTERM).unwrap().success());
}
