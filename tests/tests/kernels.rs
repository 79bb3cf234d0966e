//! What depends on the kernel: it is found by asking, and what a kernel lacks is replaced or
//! refused as documented. `cargo xtask vm` runs these on older kernels.
#![expect(clippy::print_stdout, reason = "a test says what this kernel has")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics where it stands")]

use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use harness::agent::{Agent, Settings, binary};
use harness::eventually;
use harness::network::{Network, SERVER_V4};
use harness::server::Server;
use hooksensor::config;
use hooksensor::kernel::{Feature, Kernel};
use nix::sys::signal::Signal;

const PORT: u16 = 8080;

/// How long the kernel may take to drop what nothing refers to any more.
const SETTLE: Duration = Duration::from_secs(30);

#[test]
fn a_kernel_without_what_nothing_replaces_is_refused() {
    let needed = Feature::ALL.into_iter().filter(|feature| feature.without().is_none());
    let missing: Vec<_> = needed.filter(|feature| !feature.is_there()).collect();
    let pin_path = format!("/sys/fs/bpf/hs-{}-k0", std::process::id());
    let settings = config::Kernel { pin_path: pin_path.into(), ..config::Kernel::default() };
    println!("missing: {missing:?}");
    match Kernel::load(&settings, 1) {
        Ok(mut kernel) => {
            kernel.detach().unwrap();
            assert_eq!(missing, []);
        }
        Err(error) => {
            let said = format!("{error:#}");
            assert!(!missing.is_empty(), "{said}");
            for feature in missing {
                assert!(said.contains(feature.name()) && said.contains(feature.since()), "{said}");
            }
            assert!(said.contains("run Linux 5.18 or later"), "{said}");
            assert!(!settings.pin_path.exists(), "nothing was left behind");
        }
    }
}

fn connects(network: &Network) -> bool {
    let target = SocketAddr::new(SERVER_V4.into(), PORT);
    let client = &network.clients[0].namespace;
    client.connect(target).unwrap().is_ok()
}

/// How many of our netlink filters `tc` lists for what arrives.
fn filters(network: &Network) -> usize {
    let mut list = Command::new("tc");
    list.args(["filter", "show", "dev", "link1", "ingress"]);
    let output = network.server.output(&mut list).unwrap();
    String::from_utf8_lossy(&output.stdout).matches("hooksensor_stack").count()
}

/// Whether the link has the queueing discipline that filters hang on.
fn has_qdisc(network: &Network) -> bool {
    let mut list = Command::new("tc");
    let output = network.server.output(list.args(["qdisc", "show", "dev", "link1"])).unwrap();
    String::from_utf8_lossy(&output.stdout).contains("clsact")
}

/// Without tcx the classifiers are filters: they outlive a killed agent, the next one replaces
/// them in place, and a graceful stop removes them. With it the same is true of links.
#[test]
fn a_classifier_is_a_link_or_a_filter_and_neither_is_lost() {
    let network = Network::new(1).unwrap();
    let _server = Server::start(&network.server, PORT).unwrap();
    let settings = Settings { enforce: true, ..Settings::new(network.interfaces(), PORT) };
    let mut agent = Agent::prepare(&binary().unwrap(), &network.server, &settings).unwrap();
    let text = std::fs::read_to_string(agent.config()).unwrap();
    let behind = text.replace("[kernel]\n", "[kernel]\nxdp_mode = \"tc\"\n");
    std::fs::write(agent.config(), behind).unwrap();
    agent.resume().unwrap();
    assert_eq!(agent.status().unwrap()["interfaces"][0]["mode"], "tc");
    let expected = usize::from(!Feature::Tcx.is_there());
    assert_eq!(filters(&network), expected);
    let client = network.clients[0].v4.to_string();
    agent.done(&["ban", &client, "--duration", "1h", "--reason", "test"]).unwrap();
    assert!(!connects(&network), "banned");
    agent.stop(Signal::SIGKILL).unwrap();
    assert!(!connects(&network), "the ban holds without an agent");
    agent.resume().unwrap();
    assert_eq!(filters(&network), expected, "replaced, not added");
    assert!(!connects(&network), "the ban holds with the next agent");
    agent.stop(Signal::SIGTERM).unwrap();
    assert_eq!(filters(&network), 0, "a graceful stop leaves nothing");
    assert!(!has_qdisc(&network), "nor what filters hang on");
    eventually(SETTLE, "packets pass again", || connects(&network).then_some(())).unwrap();
    assert!(!network.server.pin_path().exists());
}

/// What filters hang on may be another's, who hung nothing on it yet.
#[test]
fn a_qdisc_that_was_there_stays() {
    let network = Network::new(1).unwrap();
    let mut add = Command::new("tc");
    network.server.output(add.args(["qdisc", "add", "dev", "link1", "clsact"])).unwrap();
    let before = has_qdisc(&network);
    let settings = Settings::new(network.interfaces(), PORT);
    let mut agent = Agent::start(&binary().unwrap(), &network.server, &settings).unwrap();
    agent.stop(Signal::SIGTERM).unwrap();
    assert_eq!(has_qdisc(&network), before);
    assert!(before || Feature::Tcx.is_there(), "the guests' kernels have it");
}
