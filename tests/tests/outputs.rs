//! What becomes of records where their file is in the way, and of the agent where its pages are.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics where it stands")]

use std::fs;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::Duration;

use harness::agent::{Agent, Settings, binary};
use harness::curl::Delivery;
use harness::eventually;
use harness::network::{Network, SERVER_V4};
use harness::server::{LOCATIONS, Server};
use nix::sys::signal::Signal;
use serde_json::json;

const PORT: u16 = 8080;

/// How long a record or a figure may take.
const SETTLE: Duration = Duration::from_secs(30);

/// The agent's file of records, as the harness configures it.
const RECORDS: &str = "deliveries.jsonl";

/// Deliveries whose records are more than a pipe holds, 64 KiB.
const MORE_THAN_A_PIPE: usize = 80;

/// Connections to the pages at once.
const IDLE: usize = 100;

fn start(network: &Network) -> (Server, Agent<'_>) {
    let server = Server::start(&network.server, PORT).unwrap();
    let settings = Settings::new(network.interfaces(), PORT);
    (server, Agent::start(&binary().unwrap(), &network.server, &settings).unwrap())
}

fn deliver(network: &Network, id: &str) {
    let target = SocketAddr::new(SERVER_V4.into(), PORT);
    let delivery = Delivery::new(target, LOCATIONS[0].0, id, "{}");
    assert_eq!(delivery.send(&network.clients[0].namespace).unwrap(), LOCATIONS[0].1);
}

fn wait_for(file: &Path, id: &str) {
    eventually(SETTLE, "the record", || {
        fs::read_to_string(file).ok().filter(|text| text.contains(id))
    })
    .unwrap();
}

/// Waits until these outputs are the ones that fail, and the agent is not well for it.
fn wait_for_failing(agent: &Agent<'_>, expected: &[&str]) {
    eventually(SETTLE, "the failing outputs", || {
        (agent.status().ok()?["records"]["failing"] == json!(expected)).then_some(())
    })
    .unwrap();
    health(agent, false);
}

fn health(agent: &Agent<'_>, expected: bool) {
    eventually(SETTLE, "the state of health", || {
        (agent.get("/healthz").is_ok() == expected).then_some(())
    })
    .unwrap();
}

/// The file is moved as by logrotate, and the configuration has an error just then.
#[test]
fn records_do_not_follow_a_file_that_is_moved_away() {
    let network = Network::new(1).unwrap();
    let (_server, agent) = start(&network);
    let file = agent.folder().join(RECORDS);
    deliver(&network, "before");
    wait_for(&file, "before");
    fs::rename(&file, file.with_extension("1")).unwrap();
    fs::write(agent.config(), "no_such_key = 1\n").unwrap();
    agent.signal(Signal::SIGHUP).unwrap();
    eventually(SETTLE, "the file", || file.exists().then_some(())).unwrap();
    deliver(&network, "signalled");
    wait_for(&file, "signalled");
    fs::remove_file(&file).unwrap();
    deliver(&network, "deleted");
    wait_for(&file, "deleted");
    assert!(!fs::read_to_string(file.with_extension("1")).unwrap().contains("signalled"));
}

#[test]
fn an_agent_whose_records_are_lost_is_not_well() {
    let network = Network::new(1).unwrap();
    let (_server, agent) = start(&network);
    let file = agent.folder().join(RECORDS);
    health(&agent, true);
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    deliver(&network, "lost");
    wait_for_failing(&agent, &["file"]);
    assert_eq!(agent.status().unwrap()["records"]["lost"]["file_failed"], 1);
    fs::remove_dir(&file).unwrap();
    deliver(&network, "kept");
    wait_for(&file, "kept");
    health(&agent, true);
}

/// What holds up standard output must hold up nothing else.
#[test]
fn an_agent_whose_output_nobody_reads_writes_its_file_and_ends() {
    let network = Network::new(1).unwrap();
    let _server = Server::start(&network.server, PORT).unwrap();
    let mut settings = Settings::new(network.interfaces(), PORT);
    settings.tables = String::from("[output]\nstdout = true\n");
    let mut agent = Agent::prepare(&binary().unwrap(), &network.server, &settings).unwrap();
    let (unread, stdout) = io::pipe().unwrap();
    agent.launch_into(stdout).unwrap();
    agent.wait_until_ready().unwrap();
    for number in 0..MORE_THAN_A_PIPE {
        deliver(&network, &format!("unread-{number}-"));
    }
    let file = agent.folder().join(RECORDS);
    wait_for(&file, &format!("unread-{}-", MORE_THAN_A_PIPE - 1));
    wait_for_failing(&agent, &["stdout"]);
    let records = &agent.status().unwrap()["records"];
    assert!(records["lost"]["stdout_failed"].as_u64() > Some(0), "{records:#}");
    assert!(agent.stop(Signal::SIGTERM).unwrap().success());
    drop(unread);
}

#[test]
fn connections_that_say_nothing_are_let_go_of() {
    let network = Network::new(1).unwrap();
    let (_server, agent) = start(&network);
    let descriptors = || {
        let folder = format!("/proc/{}/fd", agent.pid().unwrap());
        fs::read_dir(folder).unwrap().count()
    };
    let before = descriptors();
    let connect = || TcpStream::connect("127.0.0.1:10477").unwrap();
    let idle = || (0..IDLE).map(|_| connect()).collect::<Vec<_>>();
    let idle = network.server.run(idle).unwrap();
    let let_go = || (descriptors() <= before).then_some(());
    eventually(SETTLE, "the descriptors", let_go).unwrap();
    drop(idle);
    health(&agent, true);
}
