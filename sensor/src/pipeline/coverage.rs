//! Counts, for each endpoint, how many of its requests gave a full record, and why the others did
//! not; and what came of their signatures.
//!
//! Pure. It must not know what the kernel counted.

use std::collections::BTreeMap;

use crate::export::{EndpointCoverage, named};
use crate::http::Gravest;
use crate::webhook::{Delivery, Status};

/// The requests of each port and endpoint. Those to no configured endpoint stand under the empty
/// name.
#[derive(Debug, Default)]
pub(super) struct Covered(BTreeMap<u16, BTreeMap<String, Requests>>);

#[derive(Debug, Default)]
struct Requests {
    /// By [`Gravest`], the gravest reason for which their records are not full.
    parts: [u64; Gravest::NAMES.len()],
    /// By [`Status`], of those whose sender is known to sign.
    signatures: [u64; Status::ALL.len()],
}

impl Covered {
    /// Counts the request of a delivery, if it has one: a response alone is no request.
    pub(super) fn count(&mut self, delivery: &Delivery) {
        let exchange = &delivery.exchange;
        if exchange.request.is_none() {
            return;
        }
        let endpoints = self.0.entry(exchange.flow.destination.port()).or_default();
        let name = delivery.endpoint.as_ref().map_or("", |endpoint| endpoint.name.as_str());
        let requests = match endpoints.get_mut(name) {
            Some(requests) => requests,
            None => endpoints.entry(name.to_owned()).or_default(),
        };
        requests.parts[exchange.coverage.gravest() as usize] += 1;
        if let Some(signature) = &delivery.signature {
            requests.signatures[signature.status as usize] += 1;
        }
    }

    /// The counts so far, in the order of ports and names.
    pub(super) fn figures(&self) -> Vec<EndpointCoverage> {
        let endpoints = self.0.iter().flat_map(|(port, endpoints)| {
            endpoints.iter().map(move |(name, requests)| (*port, name, requests))
        });
        endpoints
            .map(|(port, name, requests)| EndpointCoverage {
                port,
                endpoint: name.clone(),
                requests: named(Gravest::NAMES.into_iter().zip(requests.parts)),
                signatures: named(
                    Status::ALL.map(Status::name).into_iter().zip(requests.signatures),
                ),
            })
            .collect()
    }
}
