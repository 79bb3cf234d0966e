//! What is known of webhooks outlives the agent, and nothing else of it does.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics where it stands")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use harness::agent::{Agent, Settings, binary};
use harness::curl::SECRET;
use harness::eventually;
use harness::network::Network;
use harness::server::Server;
use harness::webhook::{
    BODY, BROKEN, PORT, WORKING, dataset, endpoint, github, post, secret_file, text,
};
use nix::sys::signal::Signal;
use serde_json::Value;

/// The state is saved every five seconds.
const SAVED: Duration = Duration::from_secs(30);

fn start(network: &Network) -> (Server, Agent<'_>) {
    start_with(network, "")
}

/// An endpoint of GitHub's with more of its keys.
fn start_with<'n>(network: &'n Network, keys: &str) -> (Server, Agent<'n>) {
    let server = Server::start(&network.server, PORT).unwrap();
    let mut settings = Settings::new(network.interfaces(), PORT);
    let secret = secret_file(&network.server).unwrap();
    settings.tables = endpoint("github", "/hooks/", "github", Some(&secret)) + keys;
    (server, Agent::start(&binary().unwrap(), &network.server, &settings).unwrap())
}

/// Sends the delivery `id`, and returns what the sensor says: first, retry or replayed. `count` is
/// the number of deliveries then.
fn deliver(network: &Network, agent: &Agent<'_>, path: &str, id: &str, count: usize) -> String {
    let body = format!("{BODY}{id}");
    let head = github("push", id, body.as_bytes());
    post(&network.clients[0].namespace, path, &head, body.as_bytes()).unwrap();
    let records = dataset(agent, "delivery", count);
    text(&records[count - 1], "/webhook/replay").to_owned()
}

fn saves(agent: &Agent<'_>) -> u64 {
    agent.metrics().unwrap().sum("hooksensor_state_saves_total", &[("outcome", "saved")])
}

#[test]
fn a_retry_is_known_after_a_restart() {
    let network = Network::new(1).unwrap();
    let (_server, mut agent) = start(&network);
    assert_eq!(deliver(&network, &agent, BROKEN, "a", 1), "first");
    assert_eq!(agent.stop(Signal::SIGTERM).unwrap().code(), Some(0), "{}", agent.log());
    agent.resume().unwrap();
    // What was saved before the kill is known after it. Nothing is saved before there is news.
    let before = saves(&agent);
    assert_eq!(deliver(&network, &agent, WORKING, "a", 2), "retry");
    let saved = || (saves(&agent) > before).then_some(());
    eventually(SAVED, "a save", saved).unwrap();
    agent.stop(Signal::SIGKILL).unwrap();
    agent.resume().unwrap();
    assert_eq!(deliver(&network, &agent, WORKING, "a", 3), "replayed");
    let file = agent.state_folder().join("state");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let octets = fs::read(&file).unwrap();
    for hidden in [SECRET, BODY.as_bytes(), b"refs/heads"] {
        assert!(!octets.windows(hidden.len()).any(|part| part == hidden), "{hidden:?}");
    }
}

#[test]
fn a_state_that_is_not_understood_is_no_failed_start() {
    let network = Network::new(1).unwrap();
    let (_server, mut agent) = start(&network);
    let file = agent.state_folder().join("state");
    deliver(&network, &agent, BROKEN, "a", 1);
    agent.stop(Signal::SIGTERM).unwrap();
    let mut octets = fs::read(&file).unwrap();
    let middle = octets.len() / 2;
    octets[middle] ^= 0x10;
    fs::write(&file, &octets).unwrap();
    agent.resume().unwrap();
    assert_eq!(deliver(&network, &agent, WORKING, "a", 2), "first");
    assert_eq!(fs::read(agent.state_folder().join("state.refused")).unwrap(), octets);
    assert!(agent.log().contains("it is damaged"), "{}", agent.log());
    // A directory that cannot be one: the agent says so, and goes on.
    agent.stop(Signal::SIGTERM).unwrap();
    fs::remove_dir_all(agent.state_folder()).unwrap();
    fs::write(agent.state_folder(), "a file").unwrap();
    agent.resume().unwrap();
    assert_eq!(deliver(&network, &agent, WORKING, "b", 3), "first");
    assert!(agent.log().contains("state_dir"), "{}", agent.log());
}

#[test]
fn what_payloads_look_like_is_known_after_a_restart() {
    let network = Network::new(1).unwrap();
    let (_server, mut agent) = start_with(&network, "checks = [\"shape\"]\nshape_after = 3\n");
    let mut count = 0;
    let mut status = |agent: &Agent<'_>, body: &str| {
        count += 1;
        let head = github("push", &count.to_string(), body.as_bytes());
        post(&network.clients[0].namespace, WORKING, &head, body.as_bytes()).unwrap();
        text(&dataset(agent, "delivery", count)[count - 1], "/webhook/payload/status").to_owned()
    };
    for branch in ["one", "two", "three"] {
        assert_eq!(status(&agent, &format!("{{\"ref\":\"{branch}\"}}")), "sound");
    }
    assert_eq!(agent.stop(Signal::SIGTERM).unwrap().code(), Some(0), "{}", agent.log());
    agent.resume().unwrap();
    assert_eq!(status(&agent, "{\"ref\":\"four\"}"), "sound");
    assert_eq!(status(&agent, "{\"ref\":{\"name\":\"five\"}}"), "unsound");
    let finding = &dataset(&agent, "finding", 1)[0];
    assert_eq!(text(finding, "/rule/id"), "payload-shape", "{finding:#}");
    let octets = fs::read(agent.state_folder().join("state")).unwrap();
    assert!(!octets.windows(5).any(|part| part == b"three"), "a value was kept");
}

/// The kernel keeps a ban, and the state why it was made.
#[test]
fn a_ban_is_known_with_its_reason_after_a_restart() {
    let network = Network::new(1).unwrap();
    let settings = Settings { stay_attached: true, ..Settings::new(network.interfaces(), PORT) };
    let mut agent = Agent::start(&binary().unwrap(), &network.server, &settings).unwrap();
    let told = |agent: &Agent<'_>, index: usize| {
        let listed = agent.done(&["decisions", "list", "-o", "json"]).unwrap();
        let bans: Value = serde_json::from_str(&listed).unwrap();
        ["origin", "reason"].map(|key| bans[index][key].as_str().unwrap().to_owned())
    };
    let ban = |agent: &Agent<'_>, target: &str, reason: &str| {
        agent.done(&["ban", target, "--duration", "1h", "--reason", reason]).unwrap();
    };
    ban(&agent, "198.51.100.7", "tried \"doors\"");
    for _ in 0..2 {
        agent.stop(Signal::SIGTERM).unwrap();
        agent.resume().unwrap();
        assert_eq!(told(&agent, 0), ["operator", "tried \"doors\""]);
    }
    // What was saved before the kill is known after it.
    let before = saves(&agent);
    ban(&agent, "198.51.100.8", "tried windows");
    eventually(SAVED, "a save", || (saves(&agent) > before).then_some(())).unwrap();
    agent.stop(Signal::SIGKILL).unwrap();
    agent.resume().unwrap();
    assert_eq!(told(&agent, 1), ["operator", "tried windows"]);
    agent.stop(Signal::SIGTERM).unwrap();
    fs::remove_file(agent.state_folder().join("state")).unwrap();
    agent.resume().unwrap();
    assert_eq!(told(&agent, 0), ["restart", "in force at the start"]);
}
