//! What an agent takes over from an earlier one, and what stays where it cannot.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics where it stands")]

use std::fs;
use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use harness::agent::{Agent, Settings, binary};
use harness::eventually;
use harness::namespace::{Namespace, ip};
use harness::network::{Client, Network, SERVER_V4};
use harness::server::Server;
use hooksensor::config::{self, XdpMode};
use hooksensor::kernel::Kernel;
use nix::sys::signal::Signal;

const PORT: u16 = 8080;

/// How long the agent may take to notice that an interface is another one.
const SETTLE: Duration = Duration::from_secs(30);

fn connects(client: &Client) -> bool {
    let target = SocketAddr::new(SERVER_V4.into(), PORT);
    client.namespace.connect(target).unwrap().is_ok()
}

/// Enforcing on the first interface alone.
fn settings(network: &Network) -> Settings {
    let first = network.interfaces()[..1].to_vec();
    Settings { enforce: true, ..Settings::new(first, PORT) }
}

fn start(network: &Network) -> (Server, Agent<'_>) {
    let server = Server::start(&network.server, PORT).unwrap();
    (server, Agent::start(&binary().unwrap(), &network.server, &settings(network)).unwrap())
}

fn ban(agent: &Agent<'_>, client: &Client) {
    let target = client.v4.to_string();
    agent.done(&["ban", &target, "--duration", "10m", "--reason", "test"]).unwrap();
}

/// Writes the configuration with `old` replaced in its text.
fn configure(agent: &Agent<'_>, settings: &Settings, old: &str, new: &str) {
    agent.configure(settings).unwrap();
    let text = fs::read_to_string(agent.config()).unwrap();
    assert!(text.contains(old), "{text}");
    fs::write(agent.config(), text.replace(old, new)).unwrap();
}

fn in_mode(agent: &Agent<'_>, settings: &Settings, mode: &str) {
    configure(agent, settings, "[kernel]\n", &format!("[kernel]\nxdp_mode = {mode:?}\n"));
}

/// As a reload lifts one.
#[test]
fn a_ban_on_a_port_that_is_no_longer_watched_is_lifted_on_record() {
    let network = Network::new(1).unwrap();
    let mut agent = Agent::start(&binary().unwrap(), &network.server, &settings(&network)).unwrap();
    let options = ["--port", "8080", "--duration", "10m", "--reason", "test"];
    agent.done(&[&["ban", "192.0.2.7"], &options[..]].concat()).unwrap();
    agent.stop(Signal::SIGKILL).unwrap();
    agent.configure(&Settings { ports: vec![PORT + 1], ..settings(&network) }).unwrap();
    agent.resume().unwrap();
    let lifted = eventually(SETTLE, "the lifting on record", || {
        let decisions = agent.dataset("decision").ok()?;
        decisions.into_iter().find(|record| record["event"]["action"] == "unban")
    });
    let text = lifted.unwrap().to_string();
    assert!(text.contains("192.0.2.7") && text.contains("none of its ports"), "{text}");
    assert!(agent.log().contains("none of its ports is watched any more"), "{}", agent.log());
    assert_eq!(agent.done(&["decisions", "list", "-o", "json"]).unwrap().trim(), "[]");
}

/// The XDP program of an interface, with its mode, as `ip` shows it.
fn xdp(namespace: &Namespace, interface: &str) -> Vec<String> {
    let shown = namespace.output(Command::new("ip").args(["link", "show", interface])).unwrap();
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    let words = shown.split_ascii_whitespace();
    words.skip_while(|word| !word.contains("xdp")).take(3).map(str::to_owned).collect()
}

/// Gives the second client's interface the name of the first one's.
fn rename(network: &Network) {
    for command in ["link1 down", "link1 name gone1", "gone1 up", "link2 down", "link2 name link1"]
    {
        let words = ["-netns", network.server.name(), "link", "set"];
        ip(words.into_iter().chain(command.split_whitespace())).unwrap();
    }
    ip(["-netns", network.server.name(), "link", "set", "link1", "up"]).unwrap();
}

#[test]
fn a_ban_holds_on_an_interface_that_got_the_name() {
    let network = Network::new(2).unwrap();
    let (_server, agent) = start(&network);
    ban(&agent, &network.clients[1]);
    assert!(connects(&network.clients[1]), "its interface is not watched yet");
    rename(&network);
    let banned = || (!connects(&network.clients[1])).then_some(());
    eventually(SETTLE, "the interface of that name is watched", banned).unwrap();
}

#[test]
fn a_ban_holds_on_an_interface_that_got_the_name_before_a_restart() {
    let network = Network::new(2).unwrap();
    let (_server, mut agent) = start(&network);
    ban(&agent, &network.clients[1]);
    agent.stop(Signal::SIGKILL).unwrap();
    rename(&network);
    let passes = || connects(&network.clients[1]).then_some(());
    eventually(SETTLE, "the interface is up, and nothing on it", passes).unwrap();
    agent.resume().unwrap();
    assert!(!connects(&network.clients[1]));
}

/// Interfaces of two namespaces may have one name and one index.
#[test]
fn a_ban_holds_in_another_namespace() {
    let (network, other) = (Network::new(1).unwrap(), Network::new(1).unwrap());
    let (_server, mut agent) = start(&network);
    ban(&agent, &network.clients[0]);
    agent.stop(Signal::SIGKILL).unwrap();
    let _other_server = Server::start(&other.server, PORT).unwrap();
    let mut elsewhere =
        Agent::prepare(&binary().unwrap(), &other.server, &settings(&other)).unwrap();
    let pins = |network: &Network| network.server.pin_path().to_str().unwrap().to_owned();
    configure(&elsewhere, &settings(&other), &pins(&other), &pins(&network));
    assert!(connects(&other.clients[0]));
    elsewhere.resume().unwrap();
    assert!(!connects(&other.clients[0]), "both clients have one address, which is banned");
    elsewhere.stop(Signal::SIGTERM).unwrap();
}

#[test]
fn a_start_that_fails_on_one_interface_puts_back_the_programs_of_the_others() {
    let network = Network::new(2).unwrap();
    let (_server, mut agent) = start(&network);
    ban(&agent, &network.clients[0]);
    agent.stop(Signal::SIGKILL).unwrap();
    let [watched, taken] = [0, 1].map(|at| network.interfaces()[at].clone());
    let before = xdp(&network.server, &watched);
    let pin_path = network.clients[0].namespace.pin_path();
    let kernel = config::Kernel { pin_path, ..config::Kernel::default() };
    let take = || {
        let mut other = Kernel::load(&kernel, 1).unwrap();
        other.attach(std::slice::from_ref(&taken), XdpMode::Native).unwrap();
        other
    };
    let mut other = network.server.run(take).unwrap();
    let both = Settings::new(network.interfaces(), PORT);
    in_mode(&agent, &both, "native");
    let error = format!("{:#}", agent.resume().unwrap_err());
    assert!(error.contains("another XDP program"), "{error}");
    assert_eq!(xdp(&network.server, &watched), before);
    assert!(!connects(&network.clients[0]), "the ban is enforced as before");
    network.server.run(|| other.detach()).unwrap().unwrap();
    in_mode(&agent, &both, "native");
    agent.resume().unwrap();
    assert!(connects(&network.clients[0]), "the start that succeeds does not enforce");
}

#[test]
fn a_ban_holds_in_every_mode_it_is_taken_over_in() {
    let network = Network::new(1).unwrap();
    let (_server, mut agent) = start(&network);
    ban(&agent, &network.clients[0]);
    for mode in ["generic", "native", "tc", "generic", "tc", "native"] {
        agent.stop(Signal::SIGKILL).unwrap();
        in_mode(&agent, &settings(&network), mode);
        agent.resume().unwrap();
        assert_eq!(agent.status().unwrap()["interfaces"][0]["mode"], mode);
        assert!(!connects(&network.clients[0]), "{mode}");
        let shown = xdp(&network.server, "link1").concat();
        assert_eq!(shown.is_empty(), mode == "tc", "{mode}: {shown}");
        assert_eq!(shown.contains("generic"), mode == "generic", "{mode}: {shown}");
    }
}

#[test]
fn a_mode_that_cannot_be_had_leaves_the_one_there_was() {
    let network = Network::new(1).unwrap();
    let loopback = Settings::new(vec![String::from("lo")], PORT);
    let mut agent = Agent::start(&binary().unwrap(), &network.server, &loopback).unwrap();
    agent.stop(Signal::SIGKILL).unwrap();
    let before = xdp(&network.server, "lo");
    assert!(before.concat().contains("generic"), "{before:?}");
    in_mode(&agent, &loopback, "native");
    assert!(agent.resume().is_err());
    let back = || (xdp(&network.server, "lo") == before).then_some(());
    eventually(SETTLE, "the earlier program is back", back).unwrap();
    in_mode(&agent, &loopback, "generic");
    agent.resume().unwrap();
    assert_eq!(agent.status().unwrap()["interfaces"][0]["replaced"], true);
}
