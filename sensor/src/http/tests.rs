//! What the engine makes of connections, exchange by exchange.

mod anomalies;
mod bounds;
mod doubt;
mod loss;
mod messages;
mod opaque;
mod pairing;
mod proofs;
mod properties;
mod roles;
mod segmentation;
mod skips;
mod starts;

use std::fmt::Write;

use super::{Body, Engine, Exchange, Headers, Observation, Options};
use crate::tcp::wire::Wire;

/// Replays a connection through a new engine.
fn replay(wire: &Wire, options: Options) -> (Vec<Exchange>, Engine) {
    let mut exchanges = Vec::new();
    let mut engine = Engine::new(options);
    let mut sink = |observation| match observation {
        Observation::Exchange(exchange) => exchanges.push(*exchange),
        Observation::Opaque(_) | Observation::Skip(_) => {}
    };
    for segment in wire.segments() {
        engine.segment(&segment, &mut sink);
    }
    engine.finish(&mut sink);
    let counters = *engine.counters();
    assert_eq!(counters.exchanges(), exchanges.len() as u64, "the parts of coverage add up");
    assert_eq!(
        counters.requests + counters.orphan_responses,
        exchanges.len() as u64,
        "every request and every lone response is in one exchange"
    );
    (exchanges, engine)
}

/// An exchange on one line: `METHOD target body/wire -> status body/wire`, then what is not plain.
fn line(exchange: &Exchange) -> String {
    let mut line = String::new();
    match &exchange.request {
        Some(request) => {
            line += &String::from_utf8_lossy(&request.method);
            line.push(' ');
            line += &String::from_utf8_lossy(&request.target);
            sizes(&mut line, &request.body, request.wire_bytes);
        }
        None => line.push('-'),
    }
    match &exchange.response {
        Some(response) => {
            write!(line, " -> {}", response.status).unwrap();
            sizes(&mut line, &response.body, response.wire_bytes);
        }
        None => line += " -> -",
    }
    for name in exchange.coverage.names() {
        write!(line, " ?{name}").unwrap();
    }
    for anomaly in &exchange.anomalies {
        write!(line, " !{}", anomaly.name()).unwrap();
    }
    line
}

fn sizes(line: &mut String, body: &Body, wire_bytes: u64) {
    match body.unseen {
        true => write!(line, " ?/{wire_bytes}").unwrap(),
        false => write!(line, " {}/{wire_bytes}", body.bytes).unwrap(),
    }
    if body.truncated {
        line.push('~');
    }
}

/// Fields as `name: value`, one a line.
fn fields(headers: &Headers) -> String {
    headers.iter().fold(String::new(), |mut text, (name, value)| {
        let (name, value) = (String::from_utf8_lossy(name), String::from_utf8_lossy(value));
        writeln!(text, "{name}: {value}").unwrap();
        text
    })
}

#[track_caller]
fn check(wire: &Wire, expected: &[&str]) {
    let (exchanges, _) = replay(wire, Options::default());
    let lines: Vec<String> = exchanges.iter().map(line).collect();
    assert_eq!(lines, expected);
}
