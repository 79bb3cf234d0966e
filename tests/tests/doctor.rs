//! What `hooksensor doctor` says of a host, with and without an agent, and that it changes nothing.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics where it stands")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use harness::agent::{Agent, Settings, binary};
use harness::network::Network;
use harness::program::Program;
use nix::net::if_::if_nametoindex;
use serde_json::Value;

const PORT: u16 = 8080;

fn prepare<'a>(network: &'a Network, interfaces: Vec<String>) -> Agent<'a> {
    let settings = Settings::new(interfaces, PORT);
    Agent::prepare(&binary().unwrap(), &network.server, &settings).unwrap()
}

/// The exit code, and the checks.
fn doctor(agent: &Agent<'_>) -> (Option<i32>, Value) {
    let config = agent.config();
    let output =
        agent.verb(&["doctor", "--config", config.to_str().unwrap(), "-o", "json"]).unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(output.status.success(), report["good"] == true, "{report:#}");
    (output.status.code(), report["checks"].clone())
}

/// Asserts what is said of a subject.
fn check(checks: &Value, subject: &str, state: &str, words: &str) {
    let all = checks.as_array().unwrap();
    let found = all.iter().find(|check| check["subject"] == subject).unwrap();
    assert_eq!(found["state"], state, "{found}");
    assert!(found["found"].as_str().unwrap().contains(words), "{found}");
}

/// The identifier of the XDP program on an interface of the server, as `ip` shows it.
fn xdp(network: &Network) -> String {
    let mut show = Command::new("ip");
    let output = network.server.output(show.args(["-o", "link", "show", "dev", "link1"])).unwrap();
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    shown.split_once("prog/xdp").map_or(String::new(), |(_, id)| id.to_owned())
}

#[test]
fn a_host_that_is_ready_is_good_before_and_after_the_agent_starts() {
    let network = Network::new(1).unwrap();
    let mut agent = prepare(&network, vec!["link1".to_owned(), "lo".to_owned()]);
    let (code, checks) = doctor(&agent);
    assert_eq!(code, Some(0), "{checks:#}");
    check(&checks, "agent", "note", "no agent");
    check(&checks, "interface link1", "good", "would get native XDP");
    check(&checks, "privileges", "good", "may load");
    check(&checks, "pins", "good", "BPF file system");
    // Whether a host has a time service is its own affair; a note is no problem.
    let all = checks.as_array().unwrap();
    let clock = all.iter().find(|check| check["subject"] == "clock").unwrap();
    assert!(clock["found"].as_str().unwrap().contains("time service keeps it"), "{clock}");
    check(&checks, "kernel: compare-and-swap", "good", "there");
    assert_eq!(xdp(&network), "", "nothing was attached");
    assert!(!network.server.pin_path().exists(), "nothing was pinned");
    agent.resume().unwrap();
    let before = xdp(&network);
    let (code, checks) = doctor(&agent);
    assert_eq!(code, Some(0), "{checks:#}");
    check(&checks, "agent", "good", "version");
    check(&checks, "interface link1", "good", "has native XDP");
    check(&checks, "interface lo", "note", "has generic XDP: ");
    assert_eq!(xdp(&network), before, "nothing was replaced");
}

#[test]
fn an_interface_whose_xdp_is_taken_is_said_to_be_and_by_whom() {
    let network = Network::new(1).unwrap();
    let other = Program::dropping("somebody_else").unwrap();
    let take = || other.attach(if_nametoindex("link1").unwrap()).unwrap();
    let _link = network.server.run(take).unwrap();
    let agent = prepare(&network, network.interfaces());
    let (code, checks) = doctor(&agent);
    assert_eq!(code, Some(0), "{checks:#}");
    check(&checks, "interface link1", "note", "would get a classifier behind XDP: the XDP program");
    check(&checks, "interface link1", "note", "somebody_else");
    let text = fs::read_to_string(agent.config()).unwrap();
    let native = text.replace("[kernel]\n", "[kernel]\nxdp_mode = \"native\"\n");
    fs::write(agent.config(), native).unwrap();
    let (code, checks) = doctor(&agent);
    assert_eq!(code, Some(1), "{checks:#}");
    check(&checks, "interface link1", "problem", "kernel.xdp_mode = \"auto\"");
}

#[test]
fn what_is_wrong_is_said_with_what_to_do() {
    let network = Network::new(1).unwrap();
    let agent = prepare(&network, vec!["link1".to_owned(), "absent0".to_owned()]);
    let secret = agent.folder().join("secret");
    fs::write(&secret, "hidden").unwrap();
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o644)).unwrap();
    let mut text = fs::read_to_string(agent.config()).unwrap();
    text += &format!(
        "[[endpoint]]\nname = \"hooks\"\nport = {PORT}\npath_prefix = \"/hooks\"\nprovider = \"github\"\n\
         secrets = [\"file:{}\"]\n",
        secret.display()
    );
    fs::write(agent.config(), text.replace("deliveries.jsonl", "hooksensor.toml/records")).unwrap();
    let (code, checks) = doctor(&agent);
    assert_eq!(code, Some(1), "{checks:#}");
    check(&checks, "configuration", "good", "hooksensor.toml");
    check(&checks, "interface absent0", "problem", "there are: lo, link1");
    check(&checks, "records", "problem", "is no directory");
    check(&checks, &format!("secret file:{}", secret.display()), "problem", "chmod 600");
    fs::write(agent.config(), "interfaces = 3\n").unwrap();
    let (code, checks) = doctor(&agent);
    assert_eq!(code, Some(1), "{checks:#}");
    check(&checks, "configuration", "problem", "interfaces");
}

/// As one who asks before the agent is there, and was not told to be root.
#[test]
fn what_an_ordinary_user_is_not_told_is_unknown() {
    let network = Network::new(1).unwrap();
    let agent = prepare(&network, network.interfaces());
    let mut doctor = Command::new("setpriv");
    doctor.args(["--bounding-set", "-all"]).arg(binary().unwrap()).args(["doctor", "-o", "json"]);
    let output = network.server.output(doctor.arg("--config").arg(agent.config())).unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((output.status.code(), &report["good"]), (Some(1), &Value::Bool(false)));
    let checks = &report["checks"];
    for subject in ["privileges", "kernel: ring buffer", "kernel: tcx"] {
        check(checks, subject, "unknown", "");
    }
    let all = checks.as_array().unwrap();
    assert!(all.iter().all(|check| check["state"] != "problem"), "{checks:#}");
}

/// As a service whose capabilities are bounded to those that are said to be enough.
#[test]
fn what_a_bounded_service_has_is_enough() {
    let network = Network::new(1).unwrap();
    let mut agent = prepare(&network, network.interfaces());
    // Only where there are links are those refused who may not look at them.
    agent.resume().unwrap();
    let mut doctor = Command::new("setpriv");
    doctor.args(["--bounding-set", "-all,+net_admin,+sys_admin"]);
    doctor.arg(binary().unwrap()).args(["doctor", "-o", "json", "--config"]).arg(agent.config());
    let output = network.server.output(&mut doctor).unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    for subject in ["privileges", "kernel: links", "kernel: ring buffer"] {
        check(&report["checks"], subject, "good", "");
    }
    // What is not asked for lack of a capability is unknown; a kernel may well be without tcx.
    let all = report["checks"].as_array().unwrap();
    assert!(all.iter().all(|check| check["state"] != "unknown"), "{report:#}");
}

#[test]
fn records_that_others_may_read_are_told_of() {
    let network = Network::new(1).unwrap();
    let mut agent = prepare(&network, network.interfaces());
    let records = agent.folder().join("deliveries.jsonl");
    fs::write(&records, "").unwrap();
    fs::set_permissions(&records, fs::Permissions::from_mode(0o666)).unwrap();
    let (_, checks) = doctor(&agent);
    check(&checks, "records", "note", "mode 666");
    agent.resume().unwrap();
    let log = agent.log();
    assert!(log.contains("mode=666") && log.contains("chmod 640"), "{log}");
}
