//! What a reload attaches is as good as what a start does, and costs nothing that stays.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics where it stands")]

use std::fs;
use std::net::SocketAddr;
use std::time::Duration;

use harness::agent::{Agent, Settings, binary};
use harness::curl::Delivery;
use harness::eventually;
use harness::namespace::{Namespace, ip};
use harness::network::{Client, Network, SERVER_V4};
use harness::server::Server;
use nix::sys::signal::Signal;

const PORT: u16 = 8080;

/// How long the agent may take to see that an interface is another one, or to count what was sent.
const SEEN: Duration = Duration::from_secs(30);

/// What the log says where the journal of the programs was not ended in time.
const TAKEN_BACK: &str = "the programs are not all as they were before";

fn connects(client: &Client) -> bool {
    let target = SocketAddr::new(SERVER_V4.into(), PORT);
    client.namespace.connect(target).unwrap().is_ok()
}

/// Enforcing on so many of the interfaces, with programs that stay.
fn settings(network: &Network, interfaces: usize) -> Settings {
    let interfaces = network.interfaces()[..interfaces].to_vec();
    Settings { enforce: true, stay_attached: true, ..Settings::new(interfaces, PORT) }
}

#[test]
fn a_ban_outlives_the_agent_on_an_interface_that_a_reload_added() {
    let network = Network::new(2).unwrap();
    let _server = Server::start(&network.server, PORT).unwrap();
    let mut agent =
        Agent::start(&binary().unwrap(), &network.server, &settings(&network, 1)).unwrap();
    agent.configure(&settings(&network, 2)).unwrap();
    agent.done(&["reload"]).unwrap();
    let added = &network.clients[1];
    assert!(connects(added));
    agent.done(&["ban", &added.v4.to_string(), "--duration", "1h", "--reason", "test"]).unwrap();
    assert!(!connects(added));
    agent.stop(Signal::SIGTERM).unwrap();
    assert!(!connects(added), "the ban holds without an agent:\n{}", agent.log());
}

#[test]
fn a_mode_that_needs_a_restart_waits_for_one_and_counts_stay_exact() {
    let network = Network::new(1).unwrap();
    let _server = Server::start(&network.server, PORT).unwrap();
    let settings = settings(&network, 1);
    let agent = Agent::start(&binary().unwrap(), &network.server, &settings).unwrap();
    let before = agent.status().unwrap()["interfaces"].clone();
    let text = fs::read_to_string(agent.config()).unwrap();
    let other = text.replace("[kernel]\n", "[kernel]\nxdp_mode = \"tc\"\n");
    fs::write(agent.config(), other).unwrap();
    let said = agent.done(&["reload"]).unwrap();
    assert!(said.contains("need a restart: kernel"), "{said}");
    assert_eq!(agent.status().unwrap()["interfaces"], before);
    let target = SocketAddr::new(SERVER_V4.into(), PORT);
    for id in ["one", "two", "three"] {
        let delivery = Delivery::new(target, "/hooks/github", id, "{}");
        assert_eq!(delivery.send(&network.clients[0].namespace).unwrap(), 200);
    }
    let counted = |what: &str| {
        let status = agent.status().unwrap();
        let ports = status["kernel"]["ports"].as_array().unwrap().clone();
        let counts = ports[0][what].as_object().unwrap().clone();
        counts.values().map(|count| count.as_u64().unwrap()).sum::<u64>()
    };
    let answered = || (counted("responses") >= 3).then_some(());
    eventually(SEEN, "three responses", answered).unwrap();
    assert_eq!(["requests", "responses"].map(counted), [3, 3]);
}

#[test]
fn reloads_leave_nothing_open_and_nothing_to_take_back() {
    const RELOADS: usize = 12;
    let network = Network::new(2).unwrap();
    let mut agent =
        Agent::start(&binary().unwrap(), &network.server, &settings(&network, 2)).unwrap();
    let pid = agent.pid().unwrap();
    let descriptors = || fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count();
    // The first opens what stays open.
    agent.done(&["reload"]).unwrap();
    let before = descriptors();
    for _ in 0..RELOADS {
        agent.done(&["reload"]).unwrap();
    }
    let closed = || (descriptors() < before + RELOADS / 2).then_some(());
    let waited = eventually(SEEN, "descriptors are closed", closed);
    assert!(waited.is_ok(), "{before} became {} by {RELOADS} reloads", descriptors());
    // Links of an interface that is gone are severed: no program can be put back behind them.
    make_anew(&network.server, "link2");
    let again = || agent.log().contains("attached again").then_some(());
    eventually(SEEN, "the interface is watched again", again).unwrap();
    agent.stop(Signal::SIGTERM).unwrap();
    assert!(!agent.log().contains(TAKEN_BACK), "{}", agent.log());
}

#[test]
fn a_reload_says_whether_the_configuration_is_wrong_and_a_hangup_what_it_did() {
    let network = Network::new(1).unwrap();
    let settings = settings(&network, 1);
    let agent = Agent::start(&binary().unwrap(), &network.server, &settings).unwrap();
    let good = fs::read_to_string(agent.config()).unwrap();
    fs::write(agent.config(), good.clone() + "[nonsense]\n").unwrap();
    let refused = agent.verb(&["reload"]).unwrap();
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(2), "{said}");
    assert!(said.contains("nonsense"), "{said}");
    let other = good.replace("[kernel]\n", "[kernel]\nxdp_mode = \"tc\"\n");
    fs::write(agent.config(), other).unwrap();
    agent.signal(Signal::SIGHUP).unwrap();
    let restart = "these changed and need a restart keys=\"kernel\"";
    let told = || agent.log().contains(restart).then_some(());
    eventually(SEEN, "the keys that need a restart", told).unwrap();
    let log = agent.log();
    assert!(log.contains("configuration read again mode=\"enforcing\""), "{log}");
}

/// Removes an interface, and makes one of the same name.
fn make_anew(namespace: &Namespace, name: &str) {
    let of = ["-netns", namespace.name(), "link"];
    let run = |words: &[&str]| ip(of.iter().chain(words)).unwrap();
    run(&["delete", name]);
    run(&["add", name, "type", "veth", "peer", "other"]);
    run(&["set", name, "up"]);
}

/// A link goes with its interface, whatever that is called.
#[test]
fn a_renamed_interface_is_watched_still_and_a_reload_names_it_anew() {
    let network = Network::new(1).unwrap();
    let _server = Server::start(&network.server, PORT).unwrap();
    let mut settings = settings(&network, 1);
    let mut agent = Agent::start(&binary().unwrap(), &network.server, &settings).unwrap();
    let client = &network.clients[0];
    agent.done(&["ban", &client.v4.to_string(), "--duration", "1h", "--reason", "test"]).unwrap();
    let before = agent.status().unwrap()["interfaces"][0].clone();
    let rename = |from: &str, to: &str| {
        for change in [vec![from, "down"], vec![from, "name", to], vec![to, "up"]] {
            ip(["-netns", network.server.name(), "link", "set"].iter().chain(&change)).unwrap();
        }
    };
    let interface = || agent.status().unwrap()["interfaces"][0].clone();
    rename("link1", "wan0");
    let told = || (interface()["renamed"] == "wan0").then_some(());
    eventually(SEEN, "the new name", told).unwrap();
    assert!(interface().get("lost").is_none());
    agent.get("/healthz").unwrap();
    assert!(!connects(client), "the ban holds on it");
    settings.interfaces = vec![String::from("wan0")];
    agent.configure(&settings).unwrap();
    agent.done(&["reload"]).unwrap();
    let now = interface();
    assert_eq!((&now["name"], &now["mode"]), (&"wan0".into(), &before["mode"]));
    assert!(now.get("renamed").is_none() && now.get("lost").is_none(), "{now}");
    assert!(!connects(client), "and under its new name");
    agent.stop(Signal::SIGTERM).unwrap();
    assert!(!connects(client), "and without an agent:\n{}", agent.log());
    rename("wan0", "link1");
    settings.interfaces = vec![String::from("link1")];
    agent.configure(&settings).unwrap();
    agent.resume().unwrap();
    let now = agent.status().unwrap()["interfaces"][0].clone();
    assert_eq!((&now["mode"], &now["replaced"]), (&before["mode"], &true.into()), "{now}");
    assert!(!connects(client), "and after a restart");
}
