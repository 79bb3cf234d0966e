//! What all deliveries of a connection say alike, encoded once and copied from then on.
//!
//! It must not know what else is in a record.

use std::net::{IpAddr, SocketAddr};

use super::Observer;
use super::fields::{Addresses, Encoded, ObserverFields, Peer};
use super::json::write_line;
use super::network::Network;
use crate::http::Flow;

/// Connections that are remembered, each with some 600 octets: more than deliver at the same time
/// on a busy host. One that is forgotten is encoded again, which costs what it did the first time.
const CONNECTIONS: usize = 512;

/// A member of a record that its connection and its observer settle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Source,
    Destination,
    Client,
    Network,
    Addresses,
    Observer,
}

/// The parts of one connection.
#[derive(Debug, Default)]
pub(super) struct Common {
    octets: Vec<u8>,
    /// Where each part ends, by its number.
    ends: [usize; Part::ALL.len()],
}

/// The connections that delivered last, each in the place that its identifier gives it.
#[derive(Debug, Default)]
pub(super) struct Connections(Vec<Option<(Flow, IpAddr, Common)>>);

impl Part {
    const ALL: [Self; 6] = [
        Self::Source,
        Self::Destination,
        Self::Client,
        Self::Network,
        Self::Addresses,
        Self::Observer,
    ];
}

impl Connections {
    /// The parts of the connection `flow` that carries requests of `client`.
    pub(super) fn common(&mut self, flow: &Flow, client: IpAddr, observer: &Observer) -> &Common {
        if self.0.is_empty() {
            self.0.resize_with(CONNECTIONS, || None);
        }
        let place = usize::try_from(flow.id % CONNECTIONS as u64).unwrap_or_default();
        let slot = &mut self.0[place];
        let is_known = slot.as_ref().is_some_and(|(of, for_whom, _)| {
            // An identifier is a hash, and peers may choose addresses by it.
            of == flow && *for_whom == client
        });
        if !is_known {
            let mut common = slot.take().map(|(.., common)| common).unwrap_or_default();
            common.encode(flow, client, observer);
            *slot = Some((flow.clone(), client, common));
        }
        slot.as_ref().map(|(.., common)| common).expect("it was there or was put there")
    }
}

impl Common {
    pub(super) fn part(&self, part: Part) -> Encoded<'_> {
        let number = part as usize;
        let start = number.checked_sub(1).map_or(0, |before| self.ends[before]);
        Encoded(&self.octets[start..self.ends[number]])
    }

    fn encode(&mut self, flow: &Flow, client: IpAddr, observer: &Observer) {
        self.octets.clear();
        for part in Part::ALL {
            let line = &mut self.octets;
            match part {
                Part::Source => write_line(&peer(flow.source), line),
                Part::Destination => write_line(&peer(flow.destination), line),
                Part::Client => write_line(&Peer { ip: Some(client), port: None }, line),
                Part::Network => write_line(&Network::new(flow, None), line),
                Part::Addresses => {
                    let all = [flow.source.ip(), flow.destination.ip(), client];
                    write_line(&Addresses::new(all), line);
                }
                Part::Observer => {
                    write_line(&ObserverFields::new(observer, Some(flow.interface)), line);
                }
            }
            self.ends[part as usize] = line.len();
        }
    }
}

fn peer(address: SocketAddr) -> Peer {
    Peer { ip: Some(address.ip()), port: Some(address.port()) }
}
