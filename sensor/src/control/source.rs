//! What a verb shows of a source: the kernel's exact counts of it on one port.
//!
//! It must not know how sources are kept or found.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::export::named;
use crate::kernel::Source;

/// Names of the classes of responses, by their first digit; 0 is any other.
const CLASSES: [&str; 6] = ["other", "1xx", "2xx", "3xx", "4xx", "5xx"];

/// A source on one port, with totals since the kernel knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceView {
    /// Its address, or the first one of its network.
    pub address: IpAddr,
    /// The watched port.
    pub port: u16,
    /// Whether it completed a handshake; its address may be made up otherwise.
    pub established: bool,
    /// Packets that arrived, without those that a ban met.
    pub packets: u64,
    /// Their octets, headers included.
    pub bytes: u64,
    /// Connections it asked for.
    pub connections: u64,
    /// Its segments that start with a request line.
    pub requests: u64,
    /// Status lines it was sent, by class.
    pub responses: BTreeMap<String, u64>,
    /// Its packets that were over a limit, dropped or only counted.
    pub over_limit: u64,
}

impl SourceView {
    /// The `top` sources by packets, of those in `slots` (slot, port), the busiest first. Sources
    /// with as many stand in the order of their addresses.
    #[must_use]
    pub fn busiest(sources: &[Source], slots: &[(u32, u16)], top: usize) -> Vec<Self> {
        let port_of = |slot| slots.iter().find(|(other, _)| *other == slot).map(|(_, port)| *port);
        let mut views: Vec<_> = sources
            .iter()
            .filter_map(|source| Some(Self::new(source, port_of(source.slot)?)))
            .collect();
        views.sort_unstable_by_key(|view| (Reverse(view.packets), view.address, view.port));
        views.truncate(top);
        views
    }

    fn new(source: &Source, port: u16) -> Self {
        let counts = source.state.counts;
        let responses = CLASSES.into_iter().zip(counts.responses).filter(|(_, count)| *count > 0);
        Self {
            address: source.address,
            port,
            established: source.established,
            packets: counts.packets,
            bytes: counts.bytes,
            connections: counts.connections,
            requests: counts.requests,
            responses: named(responses),
            over_limit: source.state.over_limit,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hooksensor_ebpf::abi::SourceState;

    fn source(address: &str, slot: u32, packets: u64) -> Source {
        let mut state = SourceState::NEW;
        state.counts.packets = packets;
        state.counts.responses[4] = 2;
        Source { address: address.parse().unwrap(), slot, established: true, state }
    }

    #[test]
    fn the_busiest_come_first_and_ports_that_are_gone_not_at_all() {
        let sources = vec![
            source("192.0.2.3", 1, 5),
            source("192.0.2.2", 2, 9),
            source("192.0.2.1", 1, 5),
            source("192.0.2.4", 3, 99),
            source("192.0.2.5", 1, 1),
        ];
        let views = SourceView::busiest(&sources, &[(1, 80), (2, 81)], 3);
        let shown: Vec<_> =
            views.iter().map(|view| (view.address.to_string(), view.port, view.packets)).collect();
        let row = |address: &str, port, packets| (address.to_owned(), port, packets);
        assert_eq!(
            shown,
            [row("192.0.2.2", 81, 9), row("192.0.2.1", 80, 5), row("192.0.2.3", 80, 5)]
        );
        assert_eq!(views[0].responses, named([("4xx", 2)]));
    }
}
