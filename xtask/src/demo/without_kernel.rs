//! The sensor at work where the kernel cannot be had: a replay of a capture made here.
//!
//! It must not know why the kernel cannot be had.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result};
use harness::curl::signature;
use harness::packet::{Packet, flag};
use harness::pcap::pcap;

use crate::shell::{self, say, workspace};

/// The clients' and the server's addresses, from the range for documentation (RFC 5737).
const CLIENT: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 10);
const SERVER: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 8080);

/// Between two packets of the capture.
const STEP: Duration = Duration::from_millis(2);

/// Writes a capture of three deliveries and replays it.
pub(super) fn show(binary: &Path) -> Result<()> {
    let path = workspace().join("target/demo.pcap");
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    fs::write(&path, capture(now)).with_context(|| format!("cannot write {}", path.display()))?;
    let mut replay = Command::new(binary);
    replay.arg("replay").arg(&path).args(["-o", "human"]);
    say("Without it, the same sensor reads a capture. This was written here and is replayed with");
    say(&format!("    {}\n", shell::shown(&replay)));
    shell::run(&mut replay)
}

/// A delivery that is accepted, one in chunks, and one that is rejected.
fn capture(start: Duration) -> Vec<u8> {
    let body = "{\"ref\":\"refs/heads/main\"}";
    let length = format!("Content-Length: {}", body.len());
    let chunks = format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
    let mut frames = connection(50_001, &request("first", body, &length, body), "204 No Content");
    let chunked = request("second", body, "Transfer-Encoding: chunked", &chunks);
    frames.extend(connection(50_002, &chunked, "200 OK\r\nContent-Length: 0"));
    let rejected = request("third", "{\"ref\":\"another\"}", &length, body);
    frames.extend(connection(50_003, &rejected, "401 Unauthorized\r\nContent-Length: 0"));
    let times = (0..).map(|number| start + STEP * number);
    pcap(times.zip(frames.iter().map(Vec::as_slice)))
}

fn request(id: &str, signed: &str, framing: &str, sent: &str) -> String {
    format!(
        "POST /hooks/github HTTP/1.1\r\nHost: hooks.example\r\nUser-Agent: GitHub-Hookshot/044aadd\
         \r\nContent-Type: application/json\r\nX-GitHub-Event: push\r\nX-GitHub-Delivery: {id}\r\n\
         X-Hub-Signature-256: {}\r\n{framing}\r\n\r\n{sent}",
        signature(signed.as_bytes()),
    )
}

/// The frames of a connection with one exchange, from SYN to FIN.
fn connection(port: u16, request: &str, response: &str) -> Vec<Vec<u8>> {
    let client = SocketAddr::new(CLIENT.into(), port);
    let there = Packet::tcp(client, SERVER);
    let back = Packet::tcp(SERVER, client);
    let response = format!("HTTP/1.1 {response}\r\n\r\n");
    let (asked, answered) = (1 + length(request), 1 + length(&response));
    let frames = [
        there.clone().flags(flag::SYN).numbers(0, 0),
        back.clone().flags(flag::SYN | flag::ACK).numbers(0, 1),
        there.clone().numbers(1, 1),
        there.clone().flags(flag::PSH | flag::ACK).payload(request.as_bytes()),
        back.clone().flags(flag::PSH | flag::ACK).numbers(1, asked).payload(response.as_bytes()),
        there.clone().flags(flag::FIN | flag::ACK).numbers(asked, answered),
        back.flags(flag::FIN | flag::ACK).numbers(answered, asked + 1),
        there.numbers(asked + 1, answered + 1),
    ];
    frames.iter().map(Packet::frame).collect()
}

fn length(text: &str) -> u32 {
    u32::try_from(text.len()).expect("the texts here are short")
}
