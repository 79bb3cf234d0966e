//! The record of a connection whose messages are not read.
//!
//! It must not know how values are encoded.

use std::net::SocketAddr;

use serde::Serialize;

use super::Observer;
use super::fields::{
    Addresses, Ecs, Event, Hexadecimal, Id, ObserverFields, Peer, Related, Text, Word,
};
use super::moment::Time;
use super::network::Network;
use crate::http::{ClientHello, Opaque, Protocol};
use crate::id::event_id;

#[derive(Serialize)]
pub(super) struct ConnectionRecord<'a> {
    #[serde(rename = "@timestamp")]
    timestamp: Time,
    event: Event<'a>,
    source: Peer,
    destination: Peer,
    network: Network,
    #[serde(skip_serializing_if = "Option::is_none")]
    http: Option<Http>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tls: Option<Tls<'a>>,
    hooksensor: Hooksensor<'a>,
    related: Related<Addresses, [Text<'a>; 1]>,
    observer: ObserverFields<'a>,
    ecs: Ecs,
}

impl<'a> ConnectionRecord<'a> {
    pub(super) fn new(connection: &'a Opaque, observer: &'a Observer) -> Self {
        let flow = &connection.flow;
        let hello = match &connection.protocol {
            Protocol::Tls(hello) => hello.as_deref(),
            Protocol::Http2 | Protocol::Unknown => None,
        };
        let name = hello.and_then(|hello| hello.server_name.as_deref());
        Self {
            timestamp: Time(connection.started),
            event: event(connection),
            source: peer(flow.source),
            destination: peer(flow.destination),
            network: Network::new(flow, protocol(connection)),
            http: (connection.protocol == Protocol::Http2).then_some(Http { version: "2" }),
            tls: hello
                .map(|hello| Tls { client: TlsClient { server_name: name, ja4: &hello.ja4 } }),
            hooksensor: Hooksensor {
                flow_id: Hexadecimal(flow.id.to_be_bytes()),
                tls: hello.map(Offer::new),
            },
            related: Related {
                ip: Addresses::new([flow.source.ip(), flow.destination.ip()]),
                hosts: name.map(|name| [Text::from(name.as_bytes())]),
            },
            observer: ObserverFields::new(observer, Some(flow.interface)),
            ecs: Ecs::CURRENT,
        }
    }
}

/// `http.*`.
#[derive(Serialize)]
struct Http {
    version: &'static str,
}

/// `tls.*`. Its version is that which both sides agreed on, and was not seen.
#[derive(Serialize)]
struct Tls<'a> {
    client: TlsClient<'a>,
}

/// `tls.client.*`.
#[derive(Serialize)]
struct TlsClient<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    server_name: Option<&'a str>,
    ja4: &'a str,
}

/// `hooksensor.*`.
#[derive(Serialize)]
struct Hooksensor<'a> {
    flow_id: Hexadecimal<8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tls: Option<Offer<'a>>,
}

/// `hooksensor.tls.*`: what the client offered.
#[derive(Serialize)]
struct Offer<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    offered_version: Option<&'static str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    offered_protocols: &'a [String],
}

impl<'a> Offer<'a> {
    fn new(hello: &'a ClientHello) -> Self {
        let offered_version = match hello.version {
            0x0304 => Some("1.3"),
            0x0303 => Some("1.2"),
            0x0302 => Some("1.1"),
            0x0301 => Some("1.0"),
            _ => None,
        };
        Self { offered_version, offered_protocols: &hello.protocols }
    }
}

fn event(connection: &Opaque) -> Event<'_> {
    let mut seed = *b"connection........";
    seed[10..].copy_from_slice(&connection.flow.id.to_be_bytes());
    Event {
        id: Id(event_id(connection.started, &seed)),
        kind: Word("event"),
        category: &[Word("network")],
        kinds: &[Word("connection"), Word("start")],
        dataset: Word("hooksensor.connection"),
        action: None,
        reason: None,
    }
}

fn peer(address: SocketAddr) -> Peer {
    Peer { ip: Some(address.ip()), port: Some(address.port()) }
}

/// The protocol in the words of ECS, where it is known.
const fn protocol(connection: &Opaque) -> Option<&'static str> {
    match connection.protocol {
        Protocol::Tls(_) => Some("tls"),
        Protocol::Http2 => Some("http"),
        Protocol::Unknown => None,
    }
}
