//! Where the programs are attached, and what is left of them when they are no longer wanted.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics where it stands")]

use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;
use std::{fs, mem, thread};

use aya::programs::links::{FdLink, PinnedLink};
use aya::programs::tc::{NlOptions, TcAttachOptions, TcHandle, qdisc_add_clsact};
use aya::programs::{ProgramInfo, SchedClassifier, TcAttachType, loaded_programs};
use harness::agent::{Agent, Settings, binary};
use harness::eventually;
use harness::namespace::ip;
use harness::network::{Network, SERVER_V4};
use harness::server::Server;
use hooksensor::config::{self, XdpMode};
use hooksensor::kernel::Kernel;
use nix::sys::signal::Signal;

const PORT: u16 = 8080;

/// How long the agent takes to say in its log what it does.
const SAID: Duration = Duration::from_secs(30);

/// Hangups during a start, and what is between them, less than a program takes to be verified.
const HANGUPS: usize = 9;
const BETWEEN: Duration = Duration::from_millis(60);

fn settings(network: &Network) -> Settings {
    Settings { enforce: true, stay_attached: true, ..Settings::new(network.interfaces(), PORT) }
}

fn connects(network: &Network) -> bool {
    let target = SocketAddr::new(SERVER_V4.into(), PORT);
    let client = &network.clients[0].namespace;
    client.connect(target).unwrap().is_ok()
}

fn run<'a>(agent: &Agent<'a>, arguments: &[&str]) -> (bool, String) {
    let output = agent.verb(arguments).unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}

/// The programs of another pin path, which no agent steers, take XDP and let everything pass.
#[test]
fn where_xdp_is_taken_a_classifier_drops() {
    let network = Network::new(1).unwrap();
    let _server = Server::start(&network.server, PORT).unwrap();
    let pin_path = network.clients[0].namespace.pin_path();
    let take = || {
        let settings = config::Kernel { pin_path, ..config::Kernel::default() };
        let mut other = Kernel::load(&settings, 1).unwrap();
        other.attach(&network.interfaces(), XdpMode::Native).unwrap();
        other
    };
    let mut other = network.server.run(take).unwrap();
    let agent = Agent::start(&binary().unwrap(), &network.server, &settings(&network)).unwrap();
    let interface = &agent.status().unwrap()["interfaces"][0];
    assert_eq!(interface["mode"], "tc");
    assert!(interface["why"].as_str().unwrap().contains("another XDP program"), "{interface}");
    assert!(connects(&network));
    let client = network.clients[0].address_like(SERVER_V4.into()).to_string();
    agent.done(&["ban", &client, "--duration", "1h", "--reason", "test"]).unwrap();
    assert!(!connects(&network), "a ban drops behind XDP too");
    network.server.run(|| other.detach()).unwrap().unwrap();
}

#[test]
fn an_end_of_a_veth_with_too_few_queues_is_said_to_have_them() {
    let network = Network::new(0).unwrap();
    let two = "link add even numtxqueues 2 numrxqueues 2 type veth";
    let one = "peer name uneven numtxqueues 1 numrxqueues 1";
    let words = [two, one].into_iter().flat_map(|words| words.split(' '));
    ip(["-netns", network.server.name()].into_iter().chain(words)).unwrap();
    let settings = Settings::new(vec![String::from("uneven")], PORT);
    let agent = Agent::start(&binary().unwrap(), &network.server, &settings).unwrap();
    let interface = &agent.status().unwrap()["interfaces"][0];
    assert_eq!(interface["mode"], "generic", "{interface}");
    assert!(interface["why"].as_str().unwrap().contains("fewer receive queues"), "{interface}");
}

#[test]
fn detach_needs_no_agent_and_leaves_nothing() {
    let network = Network::new(1).unwrap();
    let _server = Server::start(&network.server, PORT).unwrap();
    let mut agent = Agent::start(&binary().unwrap(), &network.server, &settings(&network)).unwrap();
    let config = agent.config().to_str().unwrap().to_owned();
    let (done, said) = run(&agent, &["detach", "--config", &config]);
    assert!(!done && said.contains("stop it first"), "{said}");
    let client = network.clients[0].address_like(SERVER_V4.into()).to_string();
    agent.done(&["ban", &client, "--duration", "1h", "--reason", "test"]).unwrap();
    agent.stop(Signal::SIGTERM).unwrap();
    assert!(!connects(&network), "the ban holds without an agent");
    let (done, said) = run(&agent, &["detach", "--config", &config]);
    assert!(done && said.contains("link1"), "{said}");
    assert!(connects(&network));
    assert!(!network.server.pin_path().exists());
    let (done, said) = run(&agent, &["detach", "--config", &config]);
    assert!(done && said.contains("nothing"), "{said}");
}

#[test]
fn detach_says_what_it_may_not_look_at_and_what_it_did_not_look_at() {
    let network = Network::new(1).unwrap();
    let agent = Agent::start(&binary().unwrap(), &network.server, &settings(&network)).unwrap();
    let mut detach = Command::new("setpriv");
    detach.args(["--bounding-set", "-all"]).arg(binary().unwrap()).arg("detach");
    let output = network.server.output(detach.arg("--config").arg(agent.config())).unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(said.contains("CAP_SYS_ADMIN") && said.contains("as root"), "{said}");
    let (pins, absent) = (network.server.pin_path(), network.server.pin_path().join("absent"));
    let config = agent.folder().join("other.toml");
    fs::write(&config, format!("[kernel]\npin_path = {absent:?}\n")).unwrap();
    let (done, said) = run(&agent, &["detach", "--config", config.to_str().unwrap()]);
    let nothing = format!("nothing of hooksensor was attached below {}", absent.display());
    assert!(done && said.starts_with(&nothing), "{said}");
    assert!(
        said.contains(&format!("{}:", pins.display()))
            || said.contains(&format!("{},", pins.display())),
        "{said}"
    );
}

/// As on a kernel without tcx, where a filter is found by its place and known by its program.
#[test]
#[expect(clippy::mem_forget, reason = "the kernel keeps the filter, not this handle")]
fn detach_takes_the_filters_of_its_own_pin_path_alone() {
    let network = Network::new(2).unwrap();
    let mut agent = Agent::start(&binary().unwrap(), &network.server, &settings(&network)).unwrap();
    agent.stop(Signal::SIGTERM).unwrap();
    let layout = fs::read_dir(network.server.pin_path()).unwrap().next().unwrap().unwrap().path();
    let filter = |interface: &str| {
        let pin = layout.join(format!("filter-egress-{interface}"));
        if pin.exists() {
            // This is such a kernel.
            return;
        }
        let link = PinnedLink::from_pin(layout.join(format!("egress-{interface}"))).unwrap();
        let info = FdLink::from(link).info().unwrap();
        let is_behind = |one: &ProgramInfo| one.id() == info.program_id();
        let info = loaded_programs().flatten().find(is_behind).unwrap();
        let mut program =
            SchedClassifier::from_program_info(info, "hooksensor_egress".into()).unwrap();
        qdisc_add_clsact(interface).unwrap();
        let (priority, handle) = (18_247, TcHandle::new(0, 1));
        let options = NlOptions { priority, handle, ..NlOptions::default() };
        let options = TcAttachOptions::Netlink(options);
        let id = program.attach_with_options(interface, TcAttachType::Egress, options).unwrap();
        mem::forget(program.take_link(id).unwrap());
        program.pin(pin).unwrap();
    };
    network.server.run(|| ["link1", "link2"].map(filter)).unwrap();
    // The second is now another agent's.
    let theirs = layout.join("filter-egress-link2");
    fs::remove_file(&theirs).unwrap();
    let (done, said) = run(&agent, &["detach", "--config", agent.config().to_str().unwrap()]);
    assert!(done, "{said}");
    let left = |interface| {
        let mut show = Command::new("tc");
        show.args(["filter", "show", "dev", interface, "egress"]);
        let output = network.server.output(&mut show).unwrap();
        String::from_utf8_lossy(&output.stdout).contains("hooksensor_egress")
    };
    assert_eq!(["link1", "link2"].map(left), [false, true]);
}

#[test]
fn another_versions_pins_are_refused_and_left_alone() {
    let network = Network::new(1).unwrap();
    let agent = Agent::prepare(&binary().unwrap(), &network.server, &settings(&network)).unwrap();
    let other = network.server.pin_path().join("v1");
    fs::create_dir_all(&other).unwrap();
    let (done, said) = run(&agent, &["run", "--config", agent.config().to_str().unwrap()]);
    assert!(!done && said.contains("hooksensor detach"), "{said}");
    assert!(other.exists());
    let (done, said) = run(&agent, &["detach", "--config", agent.config().to_str().unwrap()]);
    assert!(done, "{said}");
    assert!(!other.exists());
}

/// As logrotate sends one at any moment, and `systemctl reload` behind a restart. The kernel stops
/// verifying a program when one comes.
#[test]
fn a_hangup_during_the_start_ends_nothing() {
    let network = Network::new(1).unwrap();
    let settings = Settings::new(network.interfaces(), PORT);
    let mut agent = Agent::prepare(&binary().unwrap(), &network.server, &settings).unwrap();
    agent.launch().unwrap();
    let begun = || agent.log().contains("serving /metrics").then_some(());
    eventually(SAID, "the start", begun).unwrap();
    for _ in 0..HANGUPS {
        agent.signal(Signal::SIGHUP).unwrap();
        thread::sleep(BETWEEN);
    }
    agent.wait_until_ready().unwrap();
    let read = || agent.log().contains("configuration read again").then_some(());
    eventually(SAID, "the reload", read).unwrap();
}
