//! What all deliveries of a connection say alike, encoded once and copied from then on.
//!
//! It must not know what else is in a record.

use std::net::{IpAddr, SocketAddr};

use serde::Serialize;

use super::Observer;
use super::fields::{Addresses, Ecs, Encoded, Hexadecimal, ObserverFields, Peer};
use super::json::write_line;
use super::memo::Memo;
use super::network::Network;
use crate::http::Flow;

/// Places of connections that are remembered, two in each with some 700 octets: more than deliver
/// at the same time on a busy host. One that is forgotten is encoded again, which costs what it did
/// the first time.
const PLACES: usize = 512;

/// A part of a record that its connection and its observer settle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// The members from `source` to `network`.
    Ends,
    FlowId,
    Addresses,
    /// The members `observer` and `ecs`.
    Observer,
}

/// The parts of one connection.
#[derive(Debug, Default)]
pub(super) struct Common {
    octets: Vec<u8>,
    /// Where each part ends, by its number.
    ends: [usize; Part::ALL.len()],
}

/// The connections that delivered last.
#[derive(Debug, Default)]
pub(super) struct Connections(Memo<Connection, PLACES>);

#[derive(Debug, Default)]
struct Connection {
    /// None where it is none yet.
    flow: Option<(Flow, IpAddr)>,
    common: Common,
}

/// [`Part::Ends`].
#[derive(Serialize)]
struct Ends {
    source: Peer,
    destination: Peer,
    client: Peer,
    network: Network,
}

/// [`Part::Observer`].
#[derive(Serialize)]
struct Observed<'a> {
    observer: ObserverFields<'a>,
    ecs: Ecs,
}

impl Part {
    const ALL: [Self; 4] = [Self::Ends, Self::FlowId, Self::Addresses, Self::Observer];
}

impl Connections {
    /// The parts of the connection `flow` that carries requests of `client`.
    pub(super) fn common(&mut self, flow: &Flow, client: IpAddr, observer: &Observer) -> &Common {
        // An identifier is a hash, and peers may choose addresses by it.
        let is_it = |one: &Connection| {
            one.flow.as_ref().is_some_and(|(of, for_whom)| of == flow && *for_whom == client)
        };
        let (connection, is_known) = self.0.of(flow.id, is_it);
        if !is_known {
            connection.flow = Some((flow.clone(), client));
            connection.common.encode(flow, client, observer);
        }
        &connection.common
    }
}

impl Common {
    pub(super) fn part(&self, part: Part) -> Encoded<'_> {
        let number = part as usize;
        let start = number.checked_sub(1).map_or(0, |before| self.ends[before]);
        let octets = &self.octets[start..self.ends[number]];
        match part {
            Part::Ends | Part::Observer => Encoded::members(octets),
            Part::FlowId | Part::Addresses => Encoded(octets),
        }
    }

    fn encode(&mut self, flow: &Flow, client: IpAddr, observer: &Observer) {
        self.octets.clear();
        for part in Part::ALL {
            let line = &mut self.octets;
            match part {
                Part::Ends => write_line(&Ends::new(flow, client), line),
                Part::FlowId => write_line(&Hexadecimal(flow.id.to_be_bytes()), line),
                Part::Addresses => {
                    let all = [flow.source.ip(), flow.destination.ip(), client];
                    write_line(&Addresses::new(all), line);
                }
                Part::Observer => {
                    let observer = ObserverFields::new(observer, Some(flow.interface));
                    write_line(&Observed { observer, ecs: Ecs::CURRENT }, line);
                }
            }
            self.ends[part as usize] = line.len();
        }
    }
}

impl Ends {
    fn new(flow: &Flow, client: IpAddr) -> Self {
        Self {
            source: peer(flow.source),
            destination: peer(flow.destination),
            client: Peer { ip: Some(client), port: None },
            network: Network::new(flow, None),
        }
    }
}

fn peer(address: SocketAddr) -> Peer {
    Peer { ip: Some(address.ip()), port: Some(address.port()) }
}
