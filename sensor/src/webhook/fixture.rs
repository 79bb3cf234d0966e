//! Exchanges for tests, from text.
//!
//! It must not know what is tested.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use bytes::Bytes;

use super::{Delivery, Knowledge, Webhooks};
use crate::capture::Timestamp;
use crate::config::{Config, Endpoint};
use crate::http::{Body, Coverage, Exchange, Flow, Headers, Request, Response, Version};

/// Header fields from lines of `name: value`.
pub(crate) fn headers(lines: &str) -> Headers {
    let head = Bytes::copy_from_slice(lines.as_bytes());
    let offset = |part: &str| u32::try_from(part.as_ptr().addr() - lines.as_ptr().addr()).unwrap();
    let range = |part: &str| offset(part)..offset(part) + u32::try_from(part.len()).unwrap();
    let fields = lines.lines().filter_map(|line| line.split_once(": "));
    let fields = fields.map(|(name, value)| (range(name), range(value))).collect();
    Headers::new(head, fields)
}

/// The endpoint `hooks`, of all paths of a port, where deliveries of `provider` are expected,
/// signed.
pub(crate) fn endpoint_of(provider: &str) -> Endpoint {
    Endpoint {
        name: "hooks".to_owned(),
        port: 8080,
        path_prefix: "/".to_owned(),
        provider: provider.to_owned(),
        secrets: vec!["env:UNSET".parse().expect("a reference")],
        ..Endpoint::default()
    }
}

/// A POST of `target` with these header lines, without a response.
pub(crate) fn exchange(target: &str, lines: &str) -> Box<Exchange> {
    let address = |last| IpAddr::from(Ipv4Addr::new(192, 0, 2, last));
    Box::new(Exchange {
        flow: Flow {
            id: 7,
            source: SocketAddr::new(address(1), 40_000),
            destination: SocketAddr::new(address(2), 8080),
            vlan: None,
            interface: 1,
        },
        index: 0,
        client: address(1),
        request: Some(Request {
            started: Timestamp(1_700_000_000_000_000_000),
            method: Bytes::from_static(b"POST"),
            target: Bytes::copy_from_slice(target.as_bytes()),
            version: Version(1, 1),
            headers: headers(lines),
            body: Body::default(),
            wire_bytes: 0,
            doubtful: false,
        }),
        response: None,
        coverage: Coverage::FULL,
        anomalies: Vec::new(),
    })
}

/// `exchange` at another time, with a response of this status after so many milliseconds.
pub(crate) fn answered(
    mut exchange: Box<Exchange>,
    time: Timestamp,
    answer: Option<(u16, u64)>,
) -> Box<Exchange> {
    if let Some(request) = &mut exchange.request {
        request.started = time;
    }
    exchange.response = answer.map(|(status, took)| Response {
        started: Timestamp(time.0 + took * 1_000_000),
        version: Version(1, 1),
        status,
        headers: headers(""),
        body: Body::default(),
        wire_bytes: 0,
    });
    exchange
}

/// The delivery that `exchange` is where these endpoints are configured, without secrets.
pub(crate) fn deliver_to(exchange: Box<Exchange>, endpoints: Vec<Endpoint>) -> Delivery {
    let config = Config { endpoints, ..Config::default() };
    let knowledge = Arc::new(Knowledge::new(&config, Vec::new()));
    Webhooks::new(knowledge, Arc::default()).deliver(exchange)
}

/// The delivery that `exchange` is where nothing is configured.
pub(crate) fn deliver(exchange: Box<Exchange>) -> Delivery {
    deliver_to(exchange, Vec::new())
}
