//! What fails leaves everything as it was: a start, a reload, a wrong word, a lost interface.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics where it stands")]

use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use harness::agent::{Agent, Settings, binary};
use harness::eventually;
use harness::namespace::ip;
use harness::network::{Client, Network, SERVER_V4};
use harness::server::Server;
use nix::sys::signal::Signal;

const PORT: u16 = 8080;
const SSH: u16 = 22;

/// How long the agent may take to notice something.
const SETTLE: Duration = Duration::from_secs(30);

fn connects(client: &Client, port: u16) -> bool {
    let target = SocketAddr::new(SERVER_V4.into(), port);
    client.namespace.connect(target).unwrap().is_ok()
}

fn settings(network: &Network, enforce: bool) -> Settings {
    Settings { enforce, ..Settings::new(network.interfaces(), PORT) }
}

fn start<'a>(network: &'a Network, settings: &Settings) -> (Server, Agent<'a>) {
    let server = Server::start(&network.server, PORT).unwrap();
    (server, Agent::start(&binary().unwrap(), &network.server, settings).unwrap())
}

fn ban(agent: &Agent<'_>, target: &str) {
    agent.done(&["ban", target, "--duration", "10m", "--reason", "test"]).unwrap();
}

/// Settings that cannot take effect: another mode, another port, and an interface that is missing.
fn impossible(network: &Network, enforce: bool) -> Settings {
    let mut wrong = settings(network, enforce);
    wrong.interfaces.push(String::from("missing0"));
    wrong.ports = vec![PORT + 1];
    wrong
}

#[test]
fn a_failed_reload_changes_nothing() {
    let network = Network::new(1).unwrap();
    let (_server, agent) = start(&network, &settings(&network, false));
    let client = &network.clients[0];
    ban(&agent, &client.v4.to_string());
    agent.configure(&impossible(&network, true)).unwrap();
    let refused = agent.verb(&["reload"]).unwrap();
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(1), "{said}");
    assert!(said.contains("missing0"), "{said}");
    assert_eq!(agent.status().unwrap()["enforce"], false);
    assert!(connects(client, PORT), "the kernel still only counts");
    let counted = agent.metrics().unwrap().sum("hooksensor_requests_total", &[("port", "8080")]);
    assert_eq!(counted, 0, "and still watches the port it did");
}

#[test]
fn a_failed_start_leaves_the_protection_that_was_there() {
    let network = Network::new(1).unwrap();
    let (_server, mut agent) = start(&network, &settings(&network, true));
    let client = &network.clients[0];
    ban(&agent, &client.v4.to_string());
    agent.stop(Signal::SIGKILL).unwrap();
    assert!(!connects(client, PORT), "the ban outlives the agent");
    agent.configure(&impossible(&network, false)).unwrap();
    assert!(agent.resume().is_err());
    assert!(!connects(client, PORT), "and the failed start");
    agent.configure(&settings(&network, true)).unwrap();
    agent.resume().unwrap();
    assert!(!connects(client, PORT), "and the good one");
}

#[test]
fn a_failed_first_start_leaves_nothing() {
    let network = Network::new(1).unwrap();
    let wrong = impossible(&network, true);
    let mut agent = Agent::prepare(&binary().unwrap(), &network.server, &wrong).unwrap();
    assert!(agent.resume().is_err());
    assert!(!network.server.pin_path().exists());
}

#[test]
fn a_lost_interface_is_told_and_taken_up_again() {
    let network = Network::new(1).unwrap();
    let (_server, agent) = start(&network, &settings(&network, true));
    let name = network.interfaces()[0].clone();
    let namespace = network.server.name().to_owned();
    ip(["-netns", &namespace, "link", "delete", &name]).unwrap();
    eventually(SETTLE, "the loss is told", || {
        agent.get("/healthz").err().filter(|error| format!("{error:#}").contains("503"))
    })
    .unwrap();
    let lost = agent.status().unwrap()["interfaces"][0]["lost"].clone();
    assert_eq!(lost, "the interface is gone");
    ip(["-netns", &namespace, "link", "add", &name, "type", "veth"]).unwrap();
    ip(["-netns", &namespace, "link", "set", &name, "up"]).unwrap();
    eventually(SETTLE, "the interface is taken up again", || agent.get("/healthz").ok()).unwrap();
    assert!(agent.status().unwrap()["interfaces"][0].get("lost").is_none());
}

#[test]
fn a_connection_to_ssh_lifts_no_ban() {
    let network = Network::new(1).unwrap();
    let (_server, agent) = start(&network, &settings(&network, true));
    let client = &network.clients[0];
    let ssh = network.server.run(|| TcpListener::bind((SERVER_V4, SSH))).unwrap().unwrap();
    ban(&agent, &client.v4.to_string());
    let target = SocketAddr::new(SERVER_V4.into(), SSH);
    let open = client.namespace.connect(target);
    let session = open.unwrap().expect("a ban on watched ports leaves SSH open");
    // Longer than it takes the agent to look at the host's sessions.
    std::thread::sleep(Duration::from_secs(7));
    assert!(!connects(client, PORT));
    assert_eq!(agent.status().unwrap()["bans"]["active"], 1);
    drop((session, ssh));
}

#[test]
fn an_address_mapped_into_ipv6_is_banned_as_what_it_is() {
    let network = Network::new(1).unwrap();
    let (_server, mut agent) = start(&network, &settings(&network, true));
    let client = &network.clients[0];
    ban(&agent, &format!("::ffff:{}/128", client.v4));
    assert!(!connects(client, PORT));
    agent.stop(Signal::SIGKILL).unwrap();
    agent.resume().unwrap();
    assert!(!connects(client, PORT));
    let own = format!("::ffff:{SERVER_V4}/128");
    let refused = agent.verb(&["ban", &own, "--duration", "1m", "--reason", "test"]).unwrap();
    assert_eq!(refused.status.code(), Some(1));
}
