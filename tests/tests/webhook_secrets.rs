//! Secrets are used and never shown, and a new one takes effect without a restart.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics where it stands")]

use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::Command;
use std::{env, fs};

use harness::agent::{Agent, Settings, binary};
use harness::curl::SECRET;
use harness::network::Network;
use harness::server::Server;
use harness::webhook::{BODY, PORT, WORKING, dataset, endpoint, github, post, secret_file, text};
use nix::sys::signal::Signal;

/// Every file that the agent wrote, below its folder.
fn written(folder: &Path) -> Vec<u8> {
    let mut octets = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            octets.extend(written(&entry.path()));
        } else if kind.is_file() {
            octets.extend(fs::read(entry.path()).unwrap());
        }
    }
    octets
}

#[test]
fn a_secret_of_a_reload_takes_effect_and_none_is_shown() {
    let network = Network::new(1).unwrap();
    let _server = Server::start(&network.server, PORT).unwrap();
    let secret = secret_file(&network.server).unwrap();
    let mut settings = Settings::new(network.interfaces(), PORT);
    settings.tables = "[log]\nlevel = \"trace\"\n".to_owned();
    let bare = settings.tables.clone();
    settings.tables += &endpoint("github", "/hooks/", "github", None);
    let mut agent = Agent::start(&binary().unwrap(), &network.server, &settings).unwrap();
    let deliver = |agent: &Agent<'_>, id: &str, count: usize| {
        let head = github("push", id, BODY.as_bytes());
        post(&network.clients[0].namespace, WORKING, &head, BODY.as_bytes()).unwrap();
        let records = dataset(agent, "delivery", count);
        text(&records[count - 1], "/webhook/signature/status").to_owned()
    };
    assert_eq!(deliver(&agent, "a", 1), "unchecked");
    settings.tables = bare + &endpoint("github", "/hooks/", "github", Some(&secret));
    agent.configure(&settings).unwrap();
    agent.done(&["reload"]).unwrap();
    assert_eq!(deliver(&agent, "b", 2), "valid");
    // Another secret in the same file, which the next reload reads.
    fs::write(&secret, "Mellon-4711-Moria").unwrap();
    agent.done(&["reload"]).unwrap();
    assert_eq!(deliver(&agent, "c", 3), "invalid");
    // One that cannot be read leaves everything as it was.
    fs::remove_file(&secret).unwrap();
    assert_eq!(agent.verb(&["reload"]).unwrap().status.code(), Some(1));
    assert_eq!(deliver(&agent, "d", 4), "invalid");
    fs::write(&secret, SECRET).unwrap();
    let config = agent.config().display().to_string();
    let mut shown = written(agent.folder());
    shown.extend(agent.verb(&["config", "show", &config]).unwrap().stdout);
    shown.extend(agent.done(&["status", "-o", "json"]).unwrap().into_bytes());
    shown.extend(agent.get("/metrics").unwrap().into_bytes());
    agent.stop(Signal::SIGTERM).unwrap();
    shown.extend(written(agent.folder()));
    let reference = format!("file:{}", secret.display());
    let has = |text: &[u8]| shown.windows(text.len()).any(|part| part == text);
    assert!(has(reference.as_bytes()), "the reference is what is shown");
    let signed = harness::curl::signature(BODY.as_bytes());
    for hidden in [SECRET, b"Mellon-4711-Moria", signed.as_bytes(), BODY.as_bytes()] {
        assert!(!has(hidden), "{} was shown", String::from_utf8_lossy(hidden));
    }
}

/// What a process leaves that may dump a core of any size, and dies of a signal.
#[test]
#[expect(clippy::print_stderr, reason = "a test that checks nothing has to say so")]
fn no_core_is_dumped_of_an_agent_with_secrets() {
    let network = Network::new(1).unwrap();
    let _server = Server::start(&network.server, PORT).unwrap();
    let secret = secret_file(&network.server).unwrap();
    let mut settings = Settings::new(network.interfaces(), PORT);
    settings.tables = endpoint("github", "/hooks/", "github", Some(&secret));
    // Where a core would be written, and is removed with the network.
    env::set_current_dir(network.server.folder()).unwrap();
    let mut other = Command::new("prlimit");
    let other = other.args(["--core=unlimited", "sh", "-c", "kill -ABRT $$"]).status().unwrap();
    if !other.core_dumped() {
        eprintln!("not checked: no process leaves a core here, see /proc/sys/kernel/core_pattern");
        return;
    }
    let mut agent = Agent::start(&binary().unwrap(), &network.server, &settings).unwrap();
    // Of a panic, and of a fault; the handler of Rust's library returns from a SIGSEGV that is
    // sent.
    for signal in [Signal::SIGABRT, Signal::SIGILL] {
        let pid = agent.pid().unwrap().to_string();
        let mut limit = Command::new("prlimit");
        let limit = limit.args(["--pid", &pid, "--core=unlimited"]).status().unwrap();
        assert!(limit.success());
        let status = agent.stop(signal).unwrap();
        assert_eq!((status.signal(), status.core_dumped()), (Some(signal as i32), false));
        agent.resume().unwrap();
    }
}
