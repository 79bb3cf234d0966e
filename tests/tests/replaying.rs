//! A replay of what an agent saw says what the agent said: the same records, findings and
//! decisions.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics where it stands")]

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use harness::agent::{Agent, Settings, binary};
use harness::curl::Delivery;
use harness::eventually;
use harness::load::{Load, Progress};
use harness::network::{Network, SERVER_V4, SERVER_V6};
use harness::server::{LOCATIONS, Server};
use harness::webhook::{BODY, PORT, WORKING, endpoint, github, post, secret_file};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

/// Failed requests of a source that ban it.
const FAILURES: usize = 5;

/// Deliveries of a load over connections that are kept alive.
const LOADED: u64 = 200;

/// Their bodies: several segments each.
const BODY_BYTES: usize = 5_000;

/// What the last packet of a capture holds.
const LAST: &[u8] = b"that was all of it";

/// Records that are shown of those that differ.
const SHOWN: usize = 5;

/// How long a connection that answers no more may stay open.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Where records differ though they say the same: each observer has its own clock and name, and ids
/// hold the time.
const OWN: [&str; 11] = [
    "/@timestamp",
    "/event/id",
    "/event/created",
    "/event/start",
    "/event/end",
    "/event/duration",
    "/observer",
    "/host",
    "/hooksensor/timing",
    "/hooksensor/flow_id",
    "/hooksensor/expires_at",
];

/// What is not HTTP as it should be, or not HTTP at all.
const ODD: [&[u8]; 6] = [
    b"GET /any/a b HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    b"POST /any/x HTTP/1.1\nHost: a\nContent-Length: 2\nContent-Length: 2\nConnection: close\n\nok",
    b"POST /any/y HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"GET /hooks/github HTTP/1.1\r\nHost: a\r\n\r\nGET /any/z HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"EHLO example.org\r\n",
];

/// tcpdump on every link of the server, writing what it sees.
struct Capture {
    process: Child,
    file: PathBuf,
}

impl Capture {
    fn start(network: &Network) -> Self {
        let file = network.server.folder().join("seen.pcap");
        let mut command = Command::new("tcpdump");
        // A frame takes what the longest may, so that this holds four thousand of them.
        command.args(["-i", "any", "--immediate-mode", "-s", "16384", "-B", "65536"]);
        command.args(["-Z", "root", "-U", "-w"]).arg(&file).stderr(Stdio::piped());
        let mut process = network.server.spawn(&mut command).unwrap();
        let mut says = BufReader::new(process.stderr.take().unwrap());
        let mut line = String::new();
        while !line.contains("listening on") {
            line.clear();
            assert_ne!(says.read_line(&mut line).unwrap(), 0, "tcpdump ended");
        }
        thread::spawn(move || std::io::copy(&mut says, &mut std::io::sink()));
        Self { process, file }
    }

    /// Ends the capture once it holds all that was sent before.
    fn stop(mut self, network: &Network) -> PathBuf {
        let last =
            || UdpSocket::bind("0.0.0.0:0").unwrap().send_to(LAST, (SERVER_V4, PORT)).unwrap();
        network.clients[0].namespace.run(last).unwrap();
        eventually(TIMEOUT, "the last packet is captured", || {
            fs::read(&self.file)
                .ok()?
                .windows(LAST.len())
                .any(|octets| octets == LAST)
                .then_some(())
        })
        .unwrap();
        let pid = Pid::from_raw(self.process.id().try_into().unwrap());
        kill(pid, Signal::SIGINT).unwrap();
        assert!(self.process.wait().unwrap().success());
        std::mem::take(&mut self.file)
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

/// Sends octets and reads until the server has nothing more to say.
fn converse(network: &Network, octets: &[u8]) {
    let answer = || {
        let mut stream = TcpStream::connect((SERVER_V4, PORT)).unwrap();
        stream.set_read_timeout(Some(TIMEOUT)).unwrap();
        stream.write_all(octets).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        // A server may well reset the connection of such a client.
        stream.read_to_end(&mut Vec::new()).ok();
    };
    network.clients[0].namespace.run(answer).unwrap();
}

/// Deliveries of every kind.
///
/// The addresses of one client may be two shards' business, and of what both were sent at once
/// either may be told first: each address has a body of its own, so that none is a replay of the
/// other's.
fn deliver(network: &Network) {
    let [client, guessing] = &network.clients[..] else { panic!("two clients were asked for") };
    for address in [SERVER_V4.into(), SERVER_V6.into()] {
        let target = SocketAddr::new(address, PORT);
        let body = BODY.replace("main", &address.to_string());
        for (path, status) in LOCATIONS {
            let delivery = Delivery::new(target, path, &format!("{address}-{status}"), &body);
            assert_eq!(delivery.chunked().send(&client.namespace).unwrap(), status);
        }
    }
    let push = github("push", "signed", BODY.as_bytes());
    for body in [BODY.to_owned(), BODY.replace("main", "mian"), BODY.to_owned()] {
        post(&client.namespace, WORKING, &push, body.as_bytes()).unwrap();
    }
    ODD.iter().for_each(|octets| converse(network, octets));
    let load = Load {
        target: (SERVER_V4, PORT).into(),
        path: WORKING.to_owned(),
        rate: 1_000,
        count: LOADED,
        connections: 4,
        keep_alive: true,
        body_bytes: BODY_BYTES,
        prefix: "load-".to_owned(),
    };
    client.namespace.run(|| load.run(&Progress::default())).unwrap();
    for _ in 0..FAILURES {
        post(&guessing.namespace, "/hooks/unauthorized", &[], b"{}").unwrap();
    }
}

/// The records of a replay with the agent's own configuration.
fn replay(agent: &Agent<'_>, capture: &Path) -> Vec<Value> {
    let mut command = Command::new(binary().unwrap());
    command.args(["replay", "-o", "json", "--config"]).arg(agent.config()).arg(capture);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// What records say, without what each observer has of its own, and how often.
fn said(records: &[Value]) -> BTreeMap<String, usize> {
    let mut said = BTreeMap::new();
    for record in records {
        let mut record = record.clone();
        for pointer in OWN {
            let (parent, key) = pointer.rsplit_once('/').unwrap();
            if let Some(Value::Object(parent)) = record.pointer_mut(parent) {
                parent.remove(key);
            }
        }
        if let Some(Value::Array(evidence)) = record.pointer_mut("/hooksensor/evidence") {
            evidence.iter_mut().for_each(|id| *id = Value::Null);
        }
        *said.entry(record.to_string()).or_default() += 1;
    }
    said
}

#[test]
fn a_replay_says_what_the_agent_said() {
    let network = Network::new(2).unwrap();
    let _server = Server::start(&network.server, PORT).unwrap();
    let mut settings = Settings::new(network.interfaces(), PORT);
    settings.ban = format!("failures = {FAILURES}");
    let secret = secret_file(&network.server).unwrap();
    settings.tables = endpoint("github", "/hooks/", "github", Some(&secret));
    let mut agent = Agent::start(&binary().unwrap(), &network.server, &settings).unwrap();
    let capture = Capture::start(&network);
    deliver(&network);
    let capture = capture.stop(&network);
    assert_eq!(agent.stop(Signal::SIGTERM).unwrap().code(), Some(0), "{}", agent.log());
    let (live, replayed) = (said(&agent.records().unwrap()), said(&replay(&agent, &capture)));
    let only = |these: &BTreeMap<String, usize>, those: &BTreeMap<String, usize>| {
        let lacking = these.iter().filter(|(said, count)| those.get(*said) != Some(count));
        lacking.map(|(said, count)| format!("{count} x {said}\n")).take(SHOWN).collect::<String>()
    };
    let (alone, missing) = (only(&live, &replayed), only(&replayed, &live));
    assert!(live == replayed, "live alone:\n{alone}\nin the replay alone:\n{missing}");
}
