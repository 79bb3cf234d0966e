//! What is wrong gets a clear error, or a counted and bounded reaction; the agent goes on.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics where it stands")]

use std::fs;
use std::io::Write as _;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::chown;
use std::process::{Command, Output};
use std::time::Duration;

use harness::agent::{Agent, Settings, binary};
use harness::curl::Delivery;
use harness::eventually;
use harness::network::{Client, Network, SERVER_V4};
use harness::server::{LOCATIONS, Server};
use serde_json::json;

const PORT: u16 = 8080;

/// How long a record may take to be written after its exchange.
const SETTLE: Duration = Duration::from_secs(30);

/// An ordinary user's identifier on every Linux system: nobody.
const NOBODY: u32 = 65_534;

fn target() -> SocketAddr {
    SocketAddr::new(SERVER_V4.into(), PORT)
}

fn deliver(client: &Client, id: &str) {
    let delivery = Delivery::new(target(), LOCATIONS[0].0, id, "{}");
    assert_eq!(delivery.send(&client.namespace).unwrap(), 200);
}

/// The agent does not start, and its words contain all of `expected`.
fn check_refused(agent: &mut Agent<'_>, expected: &[&str]) {
    let said = format!("{:#}", agent.resume().unwrap_err());
    assert!(!said.contains("panicked"), "{said}");
    for word in expected {
        assert!(said.contains(word), "no {word:?} in {said}");
    }
}

fn prepare<'a>(network: &'a Network, settings: &Settings) -> Agent<'a> {
    Agent::prepare(&binary().unwrap(), &network.server, settings).unwrap()
}

fn check_failed(output: &Output, code: i32, expected: &[&str]) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{said}");
    for word in expected {
        assert!(said.contains(word), "no {word:?} in {said}");
    }
}

#[test]
fn an_interface_that_is_not_there_is_named() {
    let network = Network::new(1).unwrap();
    let settings = Settings::new(vec!["eth7".to_owned()], PORT);
    check_refused(&mut prepare(&network, &settings), &["eth7"]);
}

#[test]
fn a_wrong_configuration_is_shown_with_its_place() {
    let network = Network::new(1).unwrap();
    let agent = prepare(&network, &Settings::new(network.interfaces(), PORT));
    let watching = fs::read_to_string(agent.config()).unwrap();
    let endpoint = "[[endpoint]]\nname = \"a\"\nport = 8080\npath_prefix = \"/\"\n";
    let unread =
        format!("{watching}{endpoint}schemas = {{ push = \"/nonexistent/schema.json\" }}\n");
    for (text, expected) in [
        ("ports = [70000]\n", &["hooksensor.toml:1", "ports", "70000"][..]),
        ("\nenforced = true\n", &["hooksensor.toml:2", "enforced", "enforce"]),
        ("[limit]\nburst = \"many\"\n", &["hooksensor.toml:2", "burst"]),
        ("interfaces = [\n", &["hooksensor.toml:"]),
        (&unread, &["/nonexistent/schema.json", "No such file"]),
    ] {
        fs::write(agent.config(), text).unwrap();
        let config = agent.config();
        let path = config.to_str().unwrap();
        check_failed(&agent.verb(&["config", "check", path]).unwrap(), 2, expected);
        check_failed(&agent.verb(&["run", "--config", path]).unwrap(), 2, expected);
    }
}

#[test]
fn a_second_agent_leaves_the_first_alone() {
    let network = Network::new(1).unwrap();
    let settings = Settings::new(network.interfaces(), PORT);
    let first = Agent::start(&binary().unwrap(), &network.server, &settings).unwrap();
    let config = first.config();
    let output = first.verb(&["run", "--config", config.to_str().unwrap()]).unwrap();
    check_failed(&output, 1, &[]);
    assert_eq!(first.status().unwrap()["state"], "running");
}

/// Another program at the hook is not ours to remove, be it of another agent.
#[test]
fn an_interface_that_is_taken_is_named_and_left_alone() {
    let network = Network::new(1).unwrap();
    let settings = Settings::new(network.interfaces(), PORT);
    let first = Agent::start(&binary().unwrap(), &network.server, &settings).unwrap();
    let config = fs::read_to_string(first.config()).unwrap();
    let pins = network.server.pin_path();
    // Pins that go with the client's namespace, so that nothing is left behind.
    let other = config
        .replace(&format!("{pins:?}"), &format!("{:?}", network.clients[0].namespace.pin_path()))
        .replace("control.sock", "other.sock")
        .replace("deliveries.jsonl", "other.jsonl")
        .replace("/state\"", "/other\"")
        .replace("[kernel]", "[kernel]\nxdp_mode = \"native\"")
        + "[metrics]\nenabled = false\n";
    let path = first.folder().join("other.toml");
    fs::write(&path, other).unwrap();
    let output = first.verb(&["run", "--config", path.to_str().unwrap()]).unwrap();
    check_failed(&output, 1, &["link1"]);
    assert_eq!(first.status().unwrap()["state"], "running");
    let _server = Server::start(&network.server, PORT).unwrap();
    deliver(&network.clients[0], "still-seen");
    eventually(SETTLE, "the first agent records", || {
        first.dataset("delivery").ok().filter(|records| !records.is_empty())
    })
    .unwrap();
}

#[test]
fn a_taken_metrics_port_is_named() {
    let network = Network::new(1).unwrap();
    let _taken = network.server.run(|| TcpListener::bind("127.0.0.1:10477")).unwrap().unwrap();
    let settings = Settings::new(network.interfaces(), PORT);
    check_refused(&mut prepare(&network, &settings), &["127.0.0.1:10477"]);
}

#[test]
fn without_rights_the_missing_ones_are_named() {
    let network = Network::new(1).unwrap();
    let agent = prepare(&network, &Settings::new(network.interfaces(), PORT));
    // The folder of a build may be closed to others, so the user gets a copy of their own.
    let copy = agent.folder().join("hooksensor");
    fs::copy(binary().unwrap(), &copy).unwrap();
    for path in [agent.folder(), &copy, &agent.config()] {
        chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
    }
    let mut run = Command::new("setpriv");
    let user = NOBODY.to_string();
    run.args(["--reuid", &user, "--regid", &user, "--clear-groups", "--"]);
    run.arg(copy).arg("run").arg("--config").arg(agent.config());
    check_failed(&network.server.output(&mut run).unwrap(), 1, &["CAP_NET_ADMIN", "CAP_SYS_ADMIN"]);
}

#[test]
fn an_unwritable_log_folder_is_named() {
    let network = Network::new(1).unwrap();
    let agent = prepare(&network, &Settings::new(network.interfaces(), PORT));
    // A file where the folder of the records should be: not even root can write below it.
    let blocker = agent.folder().join("blocker");
    fs::write(&blocker, "").unwrap();
    let config = agent.config();
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, text.replace("deliveries.jsonl", "blocker/deliveries.jsonl")).unwrap();
    let output = agent.verb(&["run", "--config", config.to_str().unwrap()]).unwrap();
    check_failed(&output, 1, &["blocker"]);
}

#[test]
fn octets_that_are_no_http_disturb_nothing() {
    let network = Network::new(1).unwrap();
    let _server = Server::start(&network.server, PORT).unwrap();
    let settings = Settings::new(network.interfaces(), PORT);
    let agent = Agent::start(&binary().unwrap(), &network.server, &settings).unwrap();
    let client = &network.clients[0];
    // The high octets of a multiplicative hash: noise that is the same in every run.
    let noise: Vec<u8> =
        (0..20_000_u32).map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()[0]).collect();
    for octets in [
        &noise[..],
        &[0; 5_000],
        b"GET",
        b"POST / HTTP/9.9\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ] {
        let send = || TcpStream::connect(target()).and_then(|mut stream| stream.write_all(octets));
        // The server may hang up while the octets are still being sent.
        client.namespace.run(send).unwrap().ok();
    }
    deliver(client, "after-noise");
    eventually(SETTLE, "the delivery is recorded", || {
        let records = agent.dataset("delivery").ok()?;
        records.iter().any(|r| r["webhook"]["delivery_id"] == "after-noise").then_some(())
    })
    .unwrap();
    assert!(!agent.log().contains("panicked"), "{}", agent.log());
    assert_eq!(agent.status().unwrap()["state"], json!("running"));
}

#[test]
fn a_request_that_never_ends_takes_bounded_memory() {
    const SENT: usize = 128 << 20;
    let network = Network::new(1).unwrap();
    let _server = Server::start(&network.server, PORT).unwrap();
    let settings = Settings::new(network.interfaces(), PORT);
    let agent = Agent::start(&binary().unwrap(), &network.server, &settings).unwrap();
    let client = &network.clients[0];
    let before = agent.resident_bytes().unwrap();
    let head = b"POST /hooks/github HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
    let chunk = [b"10000\r\n".as_slice(), &vec![b'x'; 1 << 16], b"\r\n"].concat();
    let endless = || {
        let mut stream = TcpStream::connect(target())?;
        stream.write_all(head)?;
        for _ in 0..SENT >> 16 {
            stream.write_all(&chunk)?;
        }
        Ok::<_, std::io::Error>(stream)
    };
    let _open = client.namespace.run(endless).unwrap().unwrap();
    deliver(client, "beside");
    let grown = agent.resident_bytes().unwrap().saturating_sub(before);
    assert!(grown < 16 << 20, "{grown} octets more after {SENT}");
}
