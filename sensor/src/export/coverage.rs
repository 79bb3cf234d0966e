//! Holds the requests of a port that the kernel counted against those that gave a record.
//!
//! Pure. It must not know how either were counted.

use serde::{Deserialize, Serialize};

use super::snapshot::{EndpointCoverage, PortFigures};

/// By how much the two counts of a port's requests differ, both since the agent started. Where some
/// requests lack a record and others were not counted, the smaller number stands in neither.
///
/// Requests counted and `uncounted` are together those with a record and `unrecorded`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PortCoverage {
    /// The port.
    pub port: u16,
    /// Requests that the kernel counted and that gave no record: not copied up, not understood, or
    /// still under way.
    pub unrecorded: u64,
    /// Requests that gave a record and that the kernel did not count: their heads do not stand at
    /// the start of a segment.
    pub uncounted: u64,
}

impl PortCoverage {
    /// For a port of whose requests so many were counted before the agent started: the counts of
    /// the kernel outlive it.
    pub(crate) fn of(port: &PortFigures, before: u64, endpoints: &[EndpointCoverage]) -> Self {
        let endpoints = endpoints.iter().filter(|one| one.port == port.port);
        let recorded: u64 = endpoints.flat_map(|one| one.requests.values()).sum();
        let counted = port.requests.values().sum::<u64>().saturating_sub(before);
        Self {
            port: port.port,
            unrecorded: counted.saturating_sub(recorded),
            uncounted: recorded.saturating_sub(counted),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::export::named;

    /// Seven requests were counted before.
    fn of(counted: [u64; 2], recorded: &[(u16, u64, u64)]) -> PortCoverage {
        const BEFORE: u64 = 7;
        let [get, post] = [counted[0] + BEFORE, counted[1]];
        let requests = named([("get", get), ("post", post)]);
        let endpoints: Vec<_> = recorded
            .iter()
            .map(|(port, full, gap)| EndpointCoverage {
                port: *port,
                endpoint: String::new(),
                requests: named([("full", *full), ("gap", *gap)]),
                ..Default::default()
            })
            .collect();
        let port = PortFigures { port: 80, requests, ..Default::default() };
        PortCoverage::of(&port, BEFORE, &endpoints)
    }

    #[test]
    fn what_one_count_lacks_is_named() {
        let check = |counted, recorded: &[_], unrecorded, uncounted| {
            assert_eq!(of(counted, recorded), PortCoverage { port: 80, unrecorded, uncounted });
        };
        check([0, 0], &[], 0, 0);
        check([2, 3], &[], 5, 0);
        check([2, 3], &[(80, 1, 1), (80, 3, 0)], 0, 0);
        check([2, 3], &[(80, 1, 1), (81, 9, 9)], 3, 0);
        check([0, 1], &[(80, 2, 1), (80, 3, 0)], 0, 5);
    }

    proptest! {
        #[test]
        fn the_parts_add_up(
            counted in [0..1000_u64, 0..1000],
            recorded in prop::collection::vec((Just(80), 0..1000_u64, 0..1000_u64), 0..4),
        ) {
            let of = of(counted, &recorded);
            let recorded: u64 = recorded.iter().map(|(_, full, gap)| full + gap).sum();
            prop_assert_eq!(counted.iter().sum::<u64>() + of.uncounted, recorded + of.unrecorded);
        }
    }
}
