//! What the log says of trouble: where it is, what is lost by it, what helps, and when it is over.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics where it stands")]

use std::fs;
use std::net::SocketAddr;
use std::time::Duration;

use harness::agent::{Agent, Settings, binary};
use harness::curl::Delivery;
use harness::eventually;
use harness::network::{Network, SERVER_V4};
use harness::server::Server;
use nix::sys::signal::Signal;

const PORT: u16 = 8080;

/// How long a line of the log may take; that a trouble is over is said ten seconds after it.
const SAID: Duration = Duration::from_secs(60);

/// Waits for a line of the log that has all of these words.
fn said(agent: &Agent<'_>, words: &[&str]) {
    let line = || agent.log().lines().any(|line| words.iter().all(|word| line.contains(word)));
    let waited = eventually(SAID, "the line", || line().then_some(()));
    assert!(waited.is_ok(), "{words:?} not in\n{}", agent.log());
}

fn deliver(network: &Network, id: &str) {
    let target = SocketAddr::new(SERVER_V4.into(), PORT);
    let delivery = Delivery::new(target, "/hooks/github", id, "{}");
    assert_eq!(delivery.send(&network.clients[0].namespace).unwrap(), 200);
}

/// Directories where files are to be stand for any reason why they cannot be written.
#[test]
fn trouble_with_a_disk_is_told_with_its_place_and_its_end() {
    let network = Network::new(1).unwrap();
    let _server = Server::start(&network.server, PORT).unwrap();
    let settings = Settings::new(network.interfaces(), PORT);
    let mut agent = Agent::start(&binary().unwrap(), &network.server, &settings).unwrap();
    let records = agent.folder().join("deliveries.jsonl");
    fs::create_dir(agent.state_folder().join("state.new")).unwrap();
    fs::remove_file(&records).unwrap();
    fs::create_dir(&records).unwrap();
    deliver(&network, "lost");
    let state = format!("path={}", agent.state_folder().display());
    let quoted = format!("path={records:?}");
    said(&agent, &["cannot write records", &quoted, "lost=1", "output.file.path"]);
    said(&agent, &["cannot save the state", &state, "state_dir"]);
    fs::remove_dir(&records).unwrap();
    deliver(&network, "kept");
    said(&agent, &["records are written again", &quoted, "lost=1"]);
    agent.stop(Signal::SIGTERM).unwrap();
    said(&agent, &["the last state could not be saved", &state]);
}
