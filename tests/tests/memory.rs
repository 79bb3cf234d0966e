//! What is sent to exhaust memory does not, at the size of a real attack, and others are still
//! understood.
//!
//! One test, because it looks at the memory of its whole process.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics where it stands")]

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};

use hooksensor::capture::{Segment, TcpFlags, Timestamp};
use hooksensor::http::{Engine, Observation, Options};

/// What an engine may take with its default limits: 200 000 connections of some 250 octets with
/// their index, and 32 MiB each of data out of order and of heads.
const BUDGET: u64 = 128 << 20;

/// Half-open connections, five times as many as are remembered.
const HALF_OPEN: u32 = 1_000_000;

/// Connections whose heads never end, and what each sends: together more than twice what is taken.
const ENDLESS_HEADS: u32 = 10_000;
const HEAD_SEGMENTS: u32 = 6;

/// Octets of a body: more than a counter of 32 bits holds.
const BODY: u64 = 10 << 30;

/// Octets of a segment that the network card has put together.
const SEGMENT: usize = 65_000;

/// Octets of one chunk extension.
const EXTENSION: u64 = 64 << 20;

const SERVER: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 80);

/// An engine, and what of the process's memory was there before.
struct Target {
    engine: Engine,
    before: u64,
    answered: u64,
}

impl Target {
    fn new() -> Self {
        Self { engine: Engine::new(Options::default()), before: resident(), answered: 0 }
    }

    fn send(&mut self, client: SocketAddr, flags: u8, sequence: u64, payload: &[u8]) {
        let segment = Segment {
            // Slow enough for a flood, fast enough that nothing is forgotten for its age.
            time: Timestamp(1),
            source: client,
            destination: SERVER,
            // Sequence numbers start again every 4 GiB.
            sequence: u32::try_from(sequence & u64::from(u32::MAX)).unwrap(),
            acknowledgement: 1,
            flags: TcpFlags(flags),
            payload,
            payload_length: u32::try_from(payload.len()).unwrap(),
            skipped: false,
            vlan: None,
            interface: 1,
            sampling: 1,
        };
        self.engine.segment(&segment, &mut |seen| {
            let Observation::Exchange(exchange) = seen else { return };
            self.answered += u64::from(exchange.client == client_of(u32::MAX).ip());
        });
    }

    /// Sends `octets` again and again on one connection, after a `head`.
    fn pour(&mut self, client: SocketAddr, head: &[u8], octets: &[u8], total: u64) {
        self.send(client, TcpFlags::SYN, 0, b"");
        self.send(client, TcpFlags::ACK, 1, head);
        let mut sequence = 1 + head.len() as u64;
        let end = sequence + total;
        while sequence < end {
            self.send(client, TcpFlags::ACK, sequence, octets);
            sequence += octets.len() as u64;
        }
    }

    /// Memory is within the budget, and another client's request still gives an exchange.
    fn check(mut self, attack: &str) {
        let grown = resident().saturating_sub(self.before);
        assert!(grown < BUDGET, "{attack}: {grown} octets");
        let other = client_of(u32::MAX);
        self.send(other, TcpFlags::SYN, 0, b"");
        self.send(other, TcpFlags::ACK, 1, b"GET / HTTP/1.1\r\n\r\n");
        self.send(other, TcpFlags::RST, 19, b"");
        let Self { engine, answered, .. } = &mut self;
        engine.finish(&mut |seen| {
            let Observation::Exchange(exchange) = seen else { return };
            *answered += u64::from(exchange.client == other.ip());
        });
        assert_eq!(self.answered, 1, "{attack}: another client's request");
    }
}

fn client_of(number: u32) -> SocketAddr {
    (Ipv4Addr::from(number), 40_000).into()
}

/// Octets of this process in memory.
fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
}

#[test]
fn memory_has_a_bound_under_attack() {
    let mut target = Target::new();
    for number in 0..HALF_OPEN {
        target.send(client_of(number), TcpFlags::SYN, 0, b"");
    }
    target.check("half-open connections");

    let mut target = Target::new();
    let fields = b"X-Field: of a head without end\r\n".repeat(45);
    for number in 0..ENDLESS_HEADS {
        let total = u64::from(HEAD_SEGMENTS) * fields.len() as u64;
        target.pour(client_of(number), b"GET / HTTP/1.1\r\n", &fields, total);
    }
    target.check("heads without end");

    let mut target = Target::new();
    let head = format!("POST / HTTP/1.1\r\nContent-Length: {BODY}\r\n\r\n");
    target.pour(client_of(1), head.as_bytes(), &vec![b'x'; SEGMENT], BODY);
    target.check("a body without end");

    let mut target = Target::new();
    let head = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5;";
    target.pour(client_of(1), head, &vec![b'e'; SEGMENT], EXTENSION);
    target.check("a chunk extension without end");
}
