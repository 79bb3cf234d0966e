//! The verbs: what they print, what they refuse, and the code they end with.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics where it stands")]

use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::process::{Command, Output};

use harness::agent::{Agent, Settings, binary};
use harness::network::{Network, SERVER_V4};
use serde_json::{Value, json};

const PORT: u16 = 8080;

fn start(network: &Network) -> Agent<'_> {
    let settings = Settings::new(network.interfaces(), PORT);
    Agent::start(&binary().unwrap(), &network.server, &settings).unwrap()
}

/// The verb ends with `code` and says every one of `words` on standard error.
fn check(output: &Output, code: i32, words: &[&str]) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{output:?}");
    for word in words {
        assert!(said.contains(word), "no {word:?} in {said}");
    }
}

fn parse(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn what_must_not_be_banned_is_refused() {
    let network = Network::new(1).unwrap();
    let agent = start(&network);
    let own = SERVER_V4.to_string();
    for (target, word) in [
        ("0.0.0.0/0", "protected"),
        ("::/0", "protected"),
        ("100.0.0.0/8", "too wide"),
        ("2001::/16", "too wide"),
        (own.as_str(), "protected"),
        ("10.77.0.0/24", "protected"),
        ("127.0.0.1", "protected"),
    ] {
        let ban = ["ban", target, "--duration", "1h", "--reason", "test"];
        check(&agent.verb(&ban).unwrap(), 1, &[word]);
    }
    assert_eq!(parse(&agent.done(&["decisions", "list", "-o", "json"]).unwrap()), json!([]));
}

#[test]
fn wrong_usage_ends_with_2() {
    let network = Network::new(1).unwrap();
    let agent = start(&network);
    for arguments in [
        &["ban"][..],
        &["ban", "not-an-address", "--duration", "1h", "--reason", "r"],
        &["ban", "192.0.2.1", "--duration", "soon", "--reason", "r"],
        &["ban", "192.0.2.1", "--duration", "1h", "--reason", ""],
        &["status", "-o", "yaml"],
        &["dance"],
    ] {
        let output = agent.verb(arguments).unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {output:?}");
    }
}

#[test]
fn decisions_and_protected_sources_are_listed() {
    let network = Network::new(1).unwrap();
    let agent = start(&network);
    agent.done(&["ban", "192.0.2.7", "--duration", "1h", "--reason", "tried doors"]).unwrap();
    let listed = parse(&agent.done(&["decisions", "list", "-o", "json"]).unwrap());
    assert_eq!(listed.as_array().unwrap().len(), 1, "{listed}");
    let text = listed.to_string();
    assert!(text.contains("192.0.2.7") && text.contains("tried doors"), "{text}");
    let text = agent.done(&["decisions", "list"]).unwrap();
    assert!(text.contains("192.0.2.7") && text.contains("tried doors"), "{text}");
    let allowed = parse(&agent.done(&["allow", "list", "-o", "json"]).unwrap());
    assert!(allowed.to_string().contains(&SERVER_V4.to_string()), "{allowed}");
    agent.done(&["unban", "192.0.2.7"]).unwrap();
    assert_eq!(parse(&agent.done(&["decisions", "list", "-o", "json"]).unwrap()), json!([]));
    check(&agent.verb(&["unban", "192.0.2.7"]).unwrap(), 1, &["192.0.2.7"]);
}

#[test]
fn status_says_what_is_attached_where() {
    let network = Network::new(2).unwrap();
    let agent = start(&network);
    let status = agent.status().unwrap();
    assert_eq!(status["state"], "running");
    assert_eq!(status["enforce"], json!(false));
    let interfaces = status["interfaces"].as_array().unwrap();
    let attached: Vec<_> = interfaces.iter().map(|link| (&link["name"], &link["mode"])).collect();
    let native = json!("native");
    assert_eq!(attached, [(&json!("link1"), &native), (&json!("link2"), &native)]);
    let text = agent.done(&["status"]).unwrap();
    assert!(text.contains("link1") && text.contains("simulation"), "{text}");
}

#[test]
fn the_socket_is_for_its_owner_and_group() {
    let network = Network::new(1).unwrap();
    let agent = start(&network);
    let mode = agent.folder().join("control.sock").metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o660, "{mode:o}");
}

/// As many as there is room for, each waiting on a list that is longer than a socket holds.
#[test]
fn those_who_ask_and_do_not_read_keep_nobody_out() {
    let network = Network::new(1).unwrap();
    let agent = start(&network);
    let targets: Vec<_> =
        (0..2500).map(|one| format!("100.64.{}.{}", one / 250, one % 250)).collect();
    let options = ["--duration", "1h", "--reason", "a reason that makes the list of bans long"];
    let ban = ["ban"].into_iter().chain(targets.iter().map(String::as_str)).chain(options);
    agent.done(&ban.collect::<Vec<_>>()).unwrap();
    let ask = || {
        let mut stream = UnixStream::connect(agent.folder().join("control.sock")).unwrap();
        stream.write_all(b"{\"verb\":\"decisions\"}\n").unwrap();
        stream
    };
    let held: Vec<_> = (0..16).map(|_| ask()).collect();
    agent.done(&["status"]).unwrap();
    drop(held);
}

#[test]
fn what_is_no_request_is_answered_too() {
    let network = Network::new(1).unwrap();
    let agent = start(&network);
    let requests: [&[u8]; 4] = [b"status\n", b"{\"verb\":\"\xff\xfe\"}\n", b"\xff\n", b"\n"];
    for request in requests {
        let mut stream = UnixStream::connect(agent.folder().join("control.sock")).unwrap();
        stream.write_all(request).unwrap();
        let mut reply = String::new();
        stream.read_to_string(&mut reply).unwrap();
        assert!(reply.contains("the request cannot be read"), "{request:?}: {reply}");
    }
}

#[test]
fn without_an_agent_the_verbs_say_so() {
    let mut status = Command::new(binary().unwrap());
    let output = status.args(["--socket", "/nonexistent/control.sock", "status"]).output().unwrap();
    check(&output, 1, &["/nonexistent/control.sock"]);
}
