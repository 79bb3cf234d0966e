//! Measures the pure stages: exchanges a second through decoding, reassembly, parsing and pairing,
//! on one core, with 500-octet request bodies over many keep-alive connections.

use std::net::SocketAddr;
use std::time::Instant;

use hooksensor::capture::{Segment, TcpFlags, Timestamp};
use hooksensor::http::{Engine, Options};

const CONNECTIONS: usize = 1024;
const ROUNDS: u32 = 1000;
const BODY: usize = 500;

/// What one side of every connection says in each round.
struct Side {
    address: fn(usize) -> SocketAddr,
    message: Vec<u8>,
}

fn main() {
    let client = Side { address: client_address, message: request() };
    let server = Side { address: |_| ([192, 0, 2, 1], 443).into(), message: response() };
    let mut engine = Engine::new(Options::default());
    let mut exchanges = 0_u64;
    let started = Instant::now();
    for connection in 0..CONNECTIONS {
        let syn = segment(&client, &server, connection, 0, 0, TcpFlags::SYN);
        engine.segment(
            &Segment { sequence: u32::MAX, payload: b"", payload_length: 0, ..syn },
            &mut |_| {},
        );
    }
    for round in 0..ROUNDS {
        for connection in 0..CONNECTIONS {
            let asked = segment(&client, &server, connection, round, round, TcpFlags::ACK);
            let answered = segment(&server, &client, connection, round, round + 1, TcpFlags::ACK);
            engine.segment(&asked, &mut |_| exchanges += 1);
            engine.segment(&answered, &mut |_| exchanges += 1);
        }
    }
    let seconds = started.elapsed().as_secs_f64();
    report(exchanges, seconds, &engine);
}

#[expect(clippy::print_stdout, reason = "an example talks to whoever runs it")]
#[expect(clippy::cast_precision_loss, reason = "a rate needs no more than 53 bits")]
fn report(exchanges: u64, seconds: f64, engine: &Engine) {
    println!("{exchanges} exchanges in {seconds:.3} s: {:.0} a second", exchanges as f64 / seconds);
    println!("{:?}", engine.counters());
}

fn segment<'a>(
    from: &'a Side,
    to: &Side,
    connection: usize,
    sent: u32,
    received: u32,
    flags: u8,
) -> Segment<'a> {
    let length = |side: &Side| u32::try_from(side.message.len()).unwrap_or(u32::MAX);
    Segment {
        time: Timestamp(1_000_000_000 + u64::from(sent)),
        source: (from.address)(connection),
        destination: (to.address)(connection),
        sequence: sent.wrapping_mul(length(from)),
        acknowledgement: received.wrapping_mul(length(to)),
        flags: TcpFlags(flags),
        payload: &from.message,
        payload_length: length(from),
        skipped: false,
        vlan: None,
        interface: 1,
        sampling: 1,
    }
}

fn client_address(connection: usize) -> SocketAddr {
    let port = u16::try_from(20_000 + connection).unwrap_or(u16::MAX);
    ([198, 51, 100, 7], port).into()
}

fn request() -> Vec<u8> {
    let mut request = format!(
        "POST /hooks/github HTTP/1.1\r\nHost: hooks.example.com\r\nUser-Agent: GitHub-Hookshot/abc\r\n\
         Accept: */*\r\nContent-Type: application/json\r\nX-GitHub-Event: push\r\n\
         X-GitHub-Delivery: 72d3162e-cc78-11e3-81ab-4c9367dc0958\r\n\
         X-Hub-Signature-256: sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17\r\n\
         Content-Length: {BODY}\r\n\r\n"
    )
    .into_bytes();
    request.resize(request.len() + BODY, b'x');
    request
}

fn response() -> Vec<u8> {
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}".to_vec()
}
