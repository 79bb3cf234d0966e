//! Where octets of strangers enter: each function takes any, and panics when a promise is broken.
//!
//! It must not know who makes the octets up: cargo-fuzz, or the test that runs beside all others.

mod loss;

use std::net::SocketAddr;

use hooksensor::capture::decode::{Decoder, Skipped};
use hooksensor::capture::pcap::{Frame, LinkType, Reader};
use hooksensor::capture::{Segment, TcpFlags, Timestamp};
use hooksensor::config::Config;
use hooksensor::http::{Engine, Observation, Options, PortFilter};
use hooksensor::pipeline::Replay;
use hooksensor::tcp::{Limits, Table};
use hooksensor::webhook::Knowledge;

pub use loss::loss;

/// Ends what one side says; no text holds it.
const TURN: u8 = 0xfe;

/// Octets that say how one segment is cut and ordered.
const CONTROL: usize = 4;

/// Octets at most of a segment that is cut out of a stream.
const SEGMENT: u8 = 64;

/// A capture file, from its header to the records that come out.
pub fn capture(octets: &[u8]) {
    let mut lines = 0;
    let mut replay =
        Replay::new(None, Knowledge::new(&Config::default(), Vec::new()), PortFilter::Any);
    let mut check = |line: &[u8]| {
        assert!(!line.iter().any(u8::is_ascii_control), "a record is one line of text");
        lines += 1;
    };
    // A damaged file is no fault; what was read of it is still put out.
    replay.capture(octets, &mut check).ok();
    let summary = replay.finish(&mut check);
    assert!(summary.deliveries <= lines);
    let mut reader = Reader::new(octets);
    while let Ok(Some(_)) = reader.as_mut().map_or(Ok(None), Reader::next_frame) {}
}

/// Frames, each behind the number of its link type (little-endian) and its length in an octet.
pub fn frame(octets: &[u8]) {
    let (mut decoder, mut fragments, mut left) = (Decoder::default(), 0, octets);
    while let [l0, l1, length, rest @ ..] = left {
        let (data, next) = rest.split_at(rest.len().min(usize::from(*length)));
        let frame = Frame {
            time: Timestamp(0),
            interface: 0,
            link: LinkType::from_number(u16::from_le_bytes([*l0, *l1])),
            data,
            wire_length: u32::try_from(data.len()).unwrap_or(u32::MAX),
        };
        match decoder.segment(&frame) {
            Ok(segment) => {
                assert!(segment.payload.len() <= octets.len());
                assert!(segment.payload.len() <= segment.payload_length as usize);
            }
            Err(skipped) => fragments += u64::from(skipped == Skipped::Fragment),
        }
        fragments = fragments.checked_sub(decoder.take_joined()).expect("joined what was skipped");
        left = next;
    }
}

/// Segments of two sides in any order, with any numbers and flags.
pub fn reassembly(octets: &[u8]) {
    let mut table = Table::new(Limits { held_octets: 1 << 12, ..Limits::default() }, 1);
    let (mut delivered, mut time) = (0, 1);
    for piece in octets.chunks(CONTROL + usize::from(SEGMENT)) {
        let Some((control, payload)) = piece.split_at_checked(CONTROL) else { break };
        time += 1 << (control[3] % 40);
        let (from, to) = if control[0] & 1 == 0 { (CLIENT, SERVER) } else { (SERVER, CLIENT) };
        let segment = Segment {
            sequence: u32::from(control[1]),
            acknowledgement: u32::from(control[2]),
            flags: TcpFlags(control[0] >> 1),
            time: Timestamp(time),
            ..segment(from.into(), to.into(), payload)
        };
        table.segment(&segment, &mut |_| delivered += 1);
    }
    table.finish(&mut |_| delivered += 1);
    assert_eq!(table.open_connections(), 0);
}

/// What a client says first: request heads, the header of a proxy, a hello of TLS. The first octet
/// says how long its segments are.
pub fn requests(octets: &[u8]) {
    converse(octets, b"", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}");
}

/// What a proxy puts before a connection. The first octet chooses the version.
pub fn proxy(octets: &[u8]) {
    const BINARY: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
    let Some((version, _)) = octets.split_first() else { return };
    let before = if version % 2 == 0 { BINARY } else { b"PROXY " };
    converse(octets, before, b"");
}

/// The first message of TLS.
pub fn client_hello(octets: &[u8]) {
    converse(octets, b"\x16\x03\x01", b"");
}

/// The chunks of a body.
pub fn body(octets: &[u8]) {
    converse(octets, b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", b"");
}

/// What a server answers.
pub fn responses(octets: &[u8]) {
    let Some((length, said)) = octets.split_first() else { return };
    let mut engine = Conversation::open();
    engine.say(0, b"GET / HTTP/1.1\r\n\r\nHEAD / HTTP/1.1\r\n\r\n", SEGMENT);
    engine.say(1, said, *length);
    engine.finish();
}

/// What two sides say in turns, which [`TURN`] ends: how it is cut into segments makes no
/// difference. The first octet says how long segments are.
pub fn segmentation(octets: &[u8]) {
    let Some((length, said)) = octets.split_first() else { return };
    for ports in [PortFilter::Any, PortFilter::Only([SERVER.1].into())] {
        let whole = observed(said, usize::MAX, ports.clone());
        let cut = observed(said, usize::from(*length).max(1), ports);
        assert_eq!(cut, whole, "cuts make a difference");
    }
}

fn observed(said: &[u8], length: usize, ports: PortFilter) -> Vec<Observation> {
    let mut engine = Engine::new(Options { ports, ..Options::default() });
    let (mut seen, mut sent) = (Vec::new(), [1, 0]);
    let syn =
        Segment { flags: TcpFlags(TcpFlags::SYN), ..segment(CLIENT.into(), SERVER.into(), b"") };
    engine.segment(&syn, &mut |observation| seen.push(observation));
    for (turn, octets) in said.split(|octet| *octet == TURN).enumerate() {
        let side = turn % 2;
        for piece in octets.chunks(length) {
            let numbered = next_segment(&mut sent, side, piece);
            engine.segment(&numbered, &mut |observation| seen.push(observation));
        }
    }
    engine.finish(&mut |observation| seen.push(observation));
    seen
}

fn converse(octets: &[u8], before: &[u8], answer: &[u8]) {
    let Some((length, said)) = octets.split_first() else { return };
    let mut engine = Conversation::open();
    engine.say(0, before, SEGMENT);
    engine.say(0, said, *length);
    engine.say(1, answer, SEGMENT);
    engine.finish();
}

const CLIENT: ([u8; 4], u16) = ([192, 0, 2, 1], 40_000);
const SERVER: ([u8; 4], u16) = ([192, 0, 2, 2], 80);

/// A connection through an engine, without loss.
struct Conversation {
    engine: Engine,
    /// Octets that the client and the server have sent.
    sent: [u32; 2],
    exchanges: u64,
}

impl Conversation {
    fn open() -> Self {
        let mut conversation =
            Self { engine: Engine::new(Options::default()), sent: [0; 2], exchanges: 0 };
        let syn = segment(CLIENT.into(), SERVER.into(), b"");
        conversation
            .engine
            .segment(&Segment { flags: TcpFlags(TcpFlags::SYN), ..syn }, &mut |_| {});
        conversation.sent = [1; 2];
        conversation
    }

    /// The client, of side 0, or the server says `octets`.
    fn say(&mut self, side: usize, octets: &[u8], length: u8) {
        for piece in octets.chunks(usize::from(length.clamp(1, SEGMENT))) {
            let numbered = next_segment(&mut self.sent, side, piece);
            let exchanges = &mut self.exchanges;
            self.engine.segment(&numbered, &mut |seen| *exchanges += count(&seen));
        }
    }

    fn finish(mut self) {
        let exchanges = &mut self.exchanges;
        self.engine.finish(&mut |seen| *exchanges += count(&seen));
        let counters = self.engine.counters();
        assert_eq!(counters.exchanges(), self.exchanges, "every exchange is counted once");
        assert_eq!(counters.requests + counters.orphan_responses, self.exchanges);
        assert_eq!(self.engine.buffered(), 0, "nothing is kept of what has ended");
    }
}

fn count(seen: &Observation) -> u64 {
    u64::from(matches!(seen, Observation::Exchange(_)))
}

/// What the client, of side 0, or the server sends next, when so many octets were `sent` by each.
fn next_segment<'a>(sent: &mut [u32; 2], side: usize, payload: &'a [u8]) -> Segment<'a> {
    let ends = [CLIENT.into(), SERVER.into()];
    let next = Segment {
        sequence: sent[side],
        acknowledgement: sent[1 - side],
        ..segment(ends[side], ends[1 - side], payload)
    };
    sent[side] = sent[side].wrapping_add(next.payload_length);
    next
}

fn segment(source: SocketAddr, destination: SocketAddr, payload: &[u8]) -> Segment<'_> {
    Segment {
        time: Timestamp(1),
        source,
        destination,
        sequence: 0,
        acknowledgement: 0,
        flags: TcpFlags(TcpFlags::ACK),
        payload,
        payload_length: u32::try_from(payload.len()).unwrap_or(u32::MAX),
        skipped: false,
        vlan: None,
        interface: 1,
        sampling: 1,
    }
}
