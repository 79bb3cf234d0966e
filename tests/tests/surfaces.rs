//! Where an interface is not plain Ethernet: loopback, VLAN devices, bonds, and several at once.
//!
//! A kernel without 8021q or bonding cannot make such a device. There each test says so, and that
//! the agent refuses an interface that does not exist by naming those that do; `cargo xtask vm`
//! runs the tests on kernels that have both.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics where it stands")]

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use harness::agent::{Agent, Settings, binary};
use harness::namespace::{Namespace, ip};
use harness::network::{CLIENT_INTERFACE, Network, SERVER_V4};
use harness::server::Server;
use harness::{emulated, eventually, remark};
use nix::sys::signal::Signal;

const PORT: u16 = 8080;

/// How long figures may take to be published.
const SETTLE: Duration = Duration::from_secs(30);

/// The ends of a VLAN or a bond.
const NEAR: Ipv4Addr = Ipv4Addr::new(10, 88, 0, 2);
const FAR: Ipv4Addr = Ipv4Addr::new(10, 88, 0, 1);

fn settings(interfaces: &[&str]) -> Settings {
    let interfaces = interfaces.iter().map(|name| (*name).to_owned()).collect();
    Settings { enforce: true, ..Settings::new(interfaces, PORT) }
}

fn connects(from: &Namespace, to: Ipv4Addr) -> bool {
    let target = SocketAddr::new(to.into(), PORT);
    from.connect(target).unwrap().is_ok()
}

/// The mode that an interface got, by its name.
fn mode(agent: &Agent<'_>, interface: &str) -> String {
    let status = agent.status().unwrap();
    let interfaces = status["interfaces"].as_array().unwrap();
    let found = interfaces.iter().find(|one| one["name"] == interface).unwrap();
    found["mode"].as_str().unwrap().to_owned()
}

/// Runs `ip` commands; false where this kernel cannot make such a device.
fn make(commands: &[String]) -> bool {
    for command in commands {
        match ip(command.split_whitespace()) {
            Ok(()) => {}
            Err(error) if format!("{error:#}").contains("Unknown device type") => return false,
            Err(error) => panic!("{error:#}"),
        }
    }
    true
}

/// The client is banned and lifted again on the interface that is watched, and in between the
/// agent is killed and another takes over.
fn a_ban_holds(network: &Network, watched: &str, expected_mode: &str) {
    let client = &network.clients[0].namespace;
    let _server = Server::start(&network.server, PORT).unwrap();
    let mut agent =
        Agent::start(&binary().unwrap(), &network.server, &settings(&[watched])).unwrap();
    assert_eq!(mode(&agent, watched), expected_mode, "{watched}");
    assert!(connects(client, FAR), "before the ban on {watched}");
    let banned = NEAR.to_string();
    agent.done(&["ban", &banned, "--duration", "1h", "--reason", "test"]).unwrap();
    assert!(!connects(client, FAR), "banned on {watched}");
    agent.stop(Signal::SIGKILL).unwrap();
    agent.resume().unwrap();
    assert_eq!(mode(&agent, watched), expected_mode, "{watched} with the next agent");
    assert!(!connects(client, FAR), "banned on {watched} with the next agent");
    agent.done(&["unban", &banned]).unwrap();
    assert!(connects(client, FAR), "after the ban on {watched}");
    agent.stop(Signal::SIGTERM).unwrap();
    assert!(!network.server.pin_path().exists(), "nothing is left on {watched}");
}

/// What there is to say where the device of a test cannot be made.
fn is_refused(network: &Network, missing: &str) {
    remark(&format!(
        "left out: this kernel makes no {missing}; `cargo xtask vm` runs kernels that do"
    ));
    assert!(!emulated(), "the kernels of the guests have the module of {missing}");
    let agent = Agent::prepare(&binary().unwrap(), &network.server, &settings(&[missing])).unwrap();
    let output = agent.verb(&["run", "--config", agent.config().to_str().unwrap()]).unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && said.contains(missing) && said.contains("link1"), "{said}");
}

#[test]
fn loopback_and_several_interfaces_at_once() {
    let network = Network::new(2).unwrap();
    let _server = Server::start(&network.server, PORT).unwrap();
    let watched = settings(&["lo", "link1", "link2"]);
    let agent = Agent::start(&binary().unwrap(), &network.server, &watched).unwrap();
    for (interface, expected) in [("lo", "generic"), ("link1", "native"), ("link2", "native")] {
        assert_eq!(mode(&agent, interface), expected, "{interface}");
    }
    assert!(connects(&network.server, Ipv4Addr::LOCALHOST), "over loopback");
    let [first, second] = &network.clients[..] else { panic!("two clients were asked for") };
    agent.done(&["ban", &first.v4.to_string(), "--duration", "1h", "--reason", "test"]).unwrap();
    assert!(!connects(&first.namespace, SERVER_V4), "a ban holds on the one interface");
    assert!(connects(&second.namespace, SERVER_V4), "and concerns nobody on the other");
    let opened = || agent.metrics().unwrap().sum("hooksensor_connections_total", &[]);
    let what = "connections over loopback and link2";
    eventually(SETTLE, what, || (opened() >= 2).then_some(())).unwrap();
}

/// The device itself has no driver's hook. Below it the tag is part of the frame, or beside it
/// where the driver was to add it; neither hides a banned source.
#[test]
fn a_vlan_device_and_the_one_below_it() {
    for (watched, mode) in [("link1.5", "generic"), ("link1", "native")] {
        let network = Network::new(1).unwrap();
        let (ours, theirs) = (network.clients[0].namespace.name(), network.server.name());
        #[rustfmt::skip]
        let made = make(&[
            format!("-netns {ours} link add link {CLIENT_INTERFACE} name vlan5 type vlan id 5"),
            format!("-netns {theirs} link add link link1 name link1.5 type vlan id 5"),
            format!("-netns {ours} address add {NEAR}/24 dev vlan5"),
            format!("-netns {theirs} address add {FAR}/24 dev link1.5"),
            format!("-netns {ours} link set vlan5 up"),
            format!("-netns {theirs} link set link1.5 up"),
        ]);
        if made {
            a_ban_holds(&network, watched, mode);
        } else {
            is_refused(&network, "link1.5");
        }
    }
}

/// The BPF file system refuses names with a dot, which those of VLAN devices usually have.
#[test]
fn a_name_with_a_dot_in_it() {
    let network = Network::new(1).unwrap();
    let (ours, theirs) = (network.clients[0].namespace.name(), network.server.name());
    #[rustfmt::skip]
    let made = make(&[
        format!("-netns {theirs} link set link1 down"),
        format!("-netns {theirs} link set link1 name link1.5"),
        format!("-netns {theirs} link set link1.5 up"),
        format!("-netns {theirs} address add {FAR}/24 dev link1.5"),
        format!("-netns {ours} address add {NEAR}/24 dev {CLIENT_INTERFACE}"),
    ]);
    assert!(made, "a link takes any name");
    a_ban_holds(&network, "link1.5", "native");
}

/// A bond has the driver's hook where all below it have (Linux 5.15, commit 9e2ee5c7e7c3).
#[test]
fn a_bond_is_watched_in_the_drivers_below_it() {
    let network = Network::new(1).unwrap();
    let (ours, theirs) = (network.clients[0].namespace.name(), network.server.name());
    #[rustfmt::skip]
    let made = make(&[
        format!("-netns {theirs} link add bond7 type bond mode active-backup miimon 100"),
        format!("-netns {theirs} link set link1 down"),
        format!("-netns {theirs} link set link1 master bond7"),
        format!("-netns {theirs} link set link1 up"),
        format!("-netns {theirs} address add {FAR}/24 dev bond7"),
        format!("-netns {theirs} link set bond7 up"),
        format!("-netns {ours} address add {NEAR}/24 dev {CLIENT_INTERFACE}"),
    ]);
    if made {
        a_ban_holds(&network, "bond7", "native");
    } else {
        is_refused(&network, "bond7");
    }
}
