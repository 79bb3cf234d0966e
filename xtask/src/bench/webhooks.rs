//! Writes a capture of webhook deliveries as a busy endpoint has them: many connections that are
//! kept open, interleaved segment by segment.
//!
//! It must not know who reads the capture.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use harness::packet::{Packet, flag};
use harness::pcap::pcap;

/// Connections that are open at once.
const CONNECTIONS: u16 = 64;

/// Deliveries of each of them: with the size of one, a capture of about 200 MB.
const ROUNDS: u32 = 1_150;

/// Octets of a delivery's body: that of a usual event of the large senders.
const BODY: usize = 2_000;

/// Octets of a segment on an Ethernet, beside timestamps.
const SEGMENT: usize = 1_448;

/// What is answered, in turn.
const ANSWERS: [&str; 3] = ["200 OK", "401 Unauthorized", "500 Internal Server Error"];

/// Time between two segments of the capture.
const PAUSE: Duration = Duration::from_micros(3);

/// When the capture starts; any time will do that is the same in every run.
const START: Duration = Duration::from_secs(1_700_000_000);

/// One connection, as far as it has come.
struct Connection {
    client: SocketAddr,
    server: SocketAddr,
    /// Octets sent by the client and by the server, which is where their next segments start.
    sent: u32,
    answered: u32,
}

/// Writes the capture and says how many deliveries it holds.
pub(super) fn write(path: &Path) -> Result<u32> {
    let context = || format!("cannot write {}", path.display());
    let mut file = BufWriter::new(File::create(path).with_context(context)?);
    file.write_all(&pcap([])).with_context(context)?;
    let mut connections: Vec<_> = (0..CONNECTIONS).map(Connection::new).collect();
    let mut time = START;
    let mut deliveries = 0;
    for round in 0..=ROUNDS {
        let frames = if round == 0 {
            connections.iter_mut().flat_map(Connection::open).collect()
        } else {
            deliveries += u32::from(CONNECTIONS);
            interleaved(&mut connections, deliveries)
        };
        for frame in frames {
            time += PAUSE;
            let header = pcap([]).len();
            file.write_all(&pcap([(time, frame.as_slice())])[header..]).with_context(context)?;
        }
    }
    file.flush().with_context(context)?;
    Ok(deliveries)
}

/// One delivery of every connection, first the first segment of each, then the second, and so on.
fn interleaved(connections: &mut [Connection], first: u32) -> Vec<Vec<u8>> {
    let numbered = (first..).zip(connections);
    let mut turns: Vec<_> =
        numbered.map(|(number, connection)| connection.deliver(number).into_iter()).collect();
    let longest = turns.iter().map(ExactSizeIterator::len).max().unwrap_or_default();
    (0..longest)
        .flat_map(|_| turns.iter_mut().filter_map(Iterator::next).collect::<Vec<_>>())
        .collect()
}

impl Connection {
    fn new(number: u16) -> Self {
        Self {
            client: ([198, 51, 100, 7], 20_000 + number).into(),
            server: ([192, 0, 2, 1], 8080).into(),
            sent: 0,
            answered: 0,
        }
    }

    fn open(&mut self) -> [Vec<u8>; 3] {
        let asked = self.client_sends(flag::SYN, &[]);
        self.sent = 1;
        let answered = self.server_sends(flag::SYN | flag::ACK, &[]);
        self.answered = 1;
        [asked, answered, self.client_sends(flag::ACK, &[])]
    }

    /// The segments of a delivery, of its answer, and the acknowledgement of that.
    fn deliver(&mut self, number: u32) -> Vec<Vec<u8>> {
        let request = request(number);
        let mut frames: Vec<_> = request
            .chunks(SEGMENT)
            .map(|segment| self.client_sends(flag::PSH | flag::ACK, segment))
            .collect();
        frames.push(self.server_sends(flag::PSH | flag::ACK, &response(number)));
        frames.push(self.client_sends(flag::ACK, &[]));
        frames
    }

    fn client_sends(&mut self, flags: u8, payload: &[u8]) -> Vec<u8> {
        let packet = Packet::tcp(self.client, self.server).numbers(self.sent, self.answered);
        self.sent += octets(payload);
        packet.flags(flags).payload(payload).frame()
    }

    fn server_sends(&mut self, flags: u8, payload: &[u8]) -> Vec<u8> {
        let packet = Packet::tcp(self.server, self.client).numbers(self.answered, self.sent);
        self.answered += octets(payload);
        packet.flags(flags).payload(payload).frame()
    }
}

fn octets(payload: &[u8]) -> u32 {
    u32::try_from(payload.len()).expect("a segment that fits a frame")
}

fn request(number: u32) -> Vec<u8> {
    let mut request = format!(
        "POST /hooks/github?attempt=1 HTTP/1.1\r\nHost: hooks.example.com\r\n\
         User-Agent: GitHub-Hookshot/044aadd\r\nAccept: */*\r\nContent-Type: application/json\r\n\
         X-GitHub-Event: push\r\nX-GitHub-Delivery: 72d3162e-cc78-11e3-81ab-{number:012x}\r\n\
         X-Hub-Signature-256: sha256={number:064x}\r\nContent-Length: {BODY}\r\n\r\n"
    )
    .into_bytes();
    request.resize(request.len() + BODY, b'x');
    request
}

fn response(number: u32) -> Vec<u8> {
    let answer = ANSWERS[number as usize % ANSWERS.len()];
    format!(
        "HTTP/1.1 {answer}\r\nServer: nginx\r\nContent-Type: application/json\r\n\
         Content-Length: 2\r\n\r\n{{}}"
    )
    .into_bytes()
}
