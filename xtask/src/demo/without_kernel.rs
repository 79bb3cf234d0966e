//! The sensor at work where the kernel cannot be had: a replay of a capture made here.
//!
//! It must not know why the kernel cannot be had.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result};
use harness::conversation::conversation;
use harness::curl::signature;
use harness::pcap::pcap;

use crate::shell::{self, say, workspace};

/// The clients' and the server's addresses, from the range for documentation (RFC 5737).
const CLIENT: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 10);
const SERVER: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 8080);

/// What the server answers to a signature over another payload.
const REJECTED: &str = "401 Unauthorized\r\nContent-Length: 0";

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
    let chunked = request("second", body, "Transfer-Encoding: chunked", &chunks);
    let exchanges = [
        (request("first", body, &length, body), "204 No Content"),
        (chunked, "200 OK\r\nContent-Length: 0"),
        (request("third", "{\"ref\":\"another\"}", &length, body), REJECTED),
    ];
    let mut frames = Vec::new();
    for ((request, status), port) in exchanges.iter().zip(50_001..) {
        let client = SocketAddr::new(CLIENT.into(), port);
        let response = format!("HTTP/1.1 {status}\r\n\r\n");
        let packets = conversation(client, SERVER, request, &response);
        frames.extend(packets.iter().map(|(_, packet)| packet.frame()));
    }
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
