//! All stages over deliveries to a path for which nothing is configured, beside the same where
//! another path of the port has all there is to configure.
//!
//! It must not know what the stages do.

use std::collections::BTreeMap;
use std::sync::Arc;

use hooksensor::capture::{Segment, TcpFlags, Timestamp};
use hooksensor::config::{Config, UnknownMembers};
use hooksensor::http::PortFilter;
use hooksensor::pipeline::{Basis, Output, Stages};
use hooksensor::record::Observer;
use hooksensor::webhook::payload::{Schema, Schemas};
use hooksensor::webhook::{Knowledge, Secret};
use zeroize::Zeroizing;

use crate::Outcome;
use crate::timing::best_of_two;

/// Deliveries of one round.
const ROUND: u32 = 1_000;

/// How much longer a delivery may take that nothing is configured for.
const MAX_ADDED: f64 = 0.05;

const ELSEWHERE: &str = r#"
[[endpoint]]
name = "elsewhere"
port = 8080
path_prefix = "/elsewhere"
provider = "github"
secrets = ["env:UNUSED"]
checks = ["content", "shape", "injection"]
schemas = { "*" = "/unused" }
"#;

#[expect(clippy::print_stdout, reason = "a benchmark prints its result")]
pub(crate) fn run(body: &[u8]) -> Outcome {
    let (request, response) = (request(body), b"HTTP/1.1 204 No Content\r\n\r\n");
    let pass = |mut stages: Stages| {
        let mut lines = 0;
        for segment in segments(&request, response) {
            stages.segment(&segment, &mut |output| {
                lines += u32::from(matches!(output, Output::Delivery(_)));
            });
        }
        assert_eq!(lines, ROUND);
    };
    let (without, with) = best_of_two(|| stages(""), || stages(ELSEWHERE), pass);
    let added = with.as_secs_f64() / without.as_secs_f64() - 1.0;
    let each = without.as_secs_f64() * 1e9 / f64::from(ROUND);
    println!("all stages, nothing configured: {each:.0} ns a delivery");
    println!("the same with another endpoint configured: {:+.1} %", added * 100.0);
    Outcome::from(added <= MAX_ADDED)
}

fn stages(config: &str) -> Stages {
    let config = Config::parse(config, "bench").expect("a good configuration");
    let secret = || Secret::new("bench", Zeroizing::new(b"secret".to_vec()));
    let schema = || Arc::new(Schema::parse(b"{}", UnknownMembers::Allow).expect("a sound schema"));
    let secrets = config.endpoints.iter().map(|_| vec![secret()]).collect();
    let schemas = config.endpoints.iter().map(|_| Schemas::new(vec![("*".to_owned(), schema())]));
    let knowledge = Knowledge::new(&config, secrets).with_schemas(schemas.collect());
    let observer = Observer { hostname: "h".to_owned(), version: "0", interfaces: BTreeMap::new() };
    Stages::new(Basis {
        config: &config,
        knowledge: Arc::new(knowledge),
        ports: PortFilter::Any,
        observer: Arc::new(observer),
        seed: 0,
    })
}

fn request(body: &[u8]) -> Vec<u8> {
    let mut request = format!(
        "POST /hooks/github HTTP/1.1\r\nHost: hooks.example.com\r\n\
         User-Agent: GitHub-Hookshot/044aadd\r\nAccept: */*\r\nContent-Type: application/json\r\n\
         X-GitHub-Event: push\r\nX-GitHub-Delivery: 72d3162e-cc78-11e3-81ab-000000000000\r\n\
         Content-Length: {}\r\n\r\n",
        body.len()
    )
    .into_bytes();
    request.extend_from_slice(body);
    request
}

/// The segments of one connection, each delivery in one and its response in another.
fn segments<'a>(request: &'a [u8], response: &'a [u8]) -> impl Iterator<Item = Segment<'a>> {
    let octets = |payload: &[u8]| u32::try_from(payload.len()).expect("a segment");
    let (asked, answered) = (octets(request), octets(response));
    let opening = [(true, TcpFlags::SYN, 0, 0), (false, TcpFlags::SYN | TcpFlags::ACK, 0, 1)];
    let exchanges = (0..ROUND).flat_map(move |number| {
        let (sent, got) = (1 + number.wrapping_mul(asked), 1 + number.wrapping_mul(answered));
        [(true, TcpFlags::ACK, sent, got), (false, TcpFlags::ACK, got, sent.wrapping_add(asked))]
    });
    let frames = opening.into_iter().chain(exchanges).zip(0_u64..);
    frames.map(move |((from_client, flags, sequence, acknowledgement), number)| {
        let payload = match (flags, from_client) {
            (TcpFlags::ACK, true) => request,
            (TcpFlags::ACK, false) => response,
            _ => &[],
        };
        let (client, server) = (([192, 0, 2, 1], 40_000).into(), ([192, 0, 2, 2], 8080).into());
        let (source, destination) = if from_client { (client, server) } else { (server, client) };
        Segment {
            time: Timestamp(1_700_000_000_000_000_000 + number * 1_000),
            source,
            destination,
            sequence,
            acknowledgement,
            flags: TcpFlags(flags),
            payload,
            payload_length: octets(payload),
            skipped: false,
            vlan: None,
            interface: 1,
            sampling: 1,
        }
    })
}
