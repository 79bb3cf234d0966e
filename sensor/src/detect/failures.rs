//! The rule `failed-requests`: a source collects too many failed requests within a window.
//!
//! It must not know what happens to such a source.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use lru::LruCache;
use uuid::Uuid;

use super::{Consequence, Finding, Place, REMEMBERED_SOURCES, Rule};
use crate::capture::Timestamp;
use crate::config::{self, Endpoint, Provider, StatusCodes};
use crate::net::one_host;
use crate::webhook::{Delivery, Status};

pub(super) const RULE: Rule =
    Rule { id: "failed-requests", version: 2, consequence: Consequence::Ban };

/// Failures whose identifiers are kept as evidence; the count goes on beyond them.
const EVIDENCE: usize = 100;

/// Recent failures of each source; the addresses of one host count together.
#[derive(Debug)]
pub(super) struct Failures {
    threshold: u32,
    window: Duration,
    codes: StatusCodes,
    sources: LruCache<IpNet, VecDeque<Failure>>,
}

#[derive(Debug)]
struct Failure {
    time: Timestamp,
    delivery: Uuid,
    endpoint: Option<Arc<Endpoint>>,
    provider: Option<Arc<Provider>>,
}

impl Failures {
    pub(super) fn new(ban: &config::Ban) -> Self {
        Self {
            threshold: ban.failures,
            window: ban.window,
            codes: ban.codes.clone(),
            sources: LruCache::new(REMEMBERED_SOURCES),
        }
    }

    pub(super) fn look(&mut self, delivery: &Delivery) -> Option<Finding> {
        let exchange = &delivery.exchange;
        let response = exchange.response.as_ref()?;
        if self.threshold == 0 || !self.codes.contains(response.status) || is_genuine(delivery) {
            return None;
        }
        let source = exchange.client;
        let time = response.started;
        let recent = self.sources.get_or_insert_mut(one_host(source), VecDeque::new);
        // What is later was seen before the clock was set back.
        while recent.front().is_some_and(|old| time.distance(old.time) > self.window) {
            recent.pop_front();
        }
        recent.push_back(Failure::of(delivery, time));
        if recent.len() < self.threshold as usize {
            return None;
        }
        let evidence =
            recent.iter().rev().take(EVIDENCE).rev().map(|failure| failure.delivery).collect();
        let reason = format!(
            "{} failed requests within {} s, the last answered {}",
            recent.len(),
            self.window.as_secs(),
            response.status
        );
        let place = common_place(recent);
        recent.clear();
        let port = exchange.flow.destination.port();
        Some(Finding { place, ..Finding::new(RULE, time, source, port, reason, evidence) })
    }
}

impl Failure {
    fn of(delivery: &Delivery, time: Timestamp) -> Self {
        let (endpoint, provider) = (delivery.endpoint.clone(), delivery.provider.clone());
        Self { time, delivery: delivery.id, endpoint, provider }
    }
}

/// Where all the `failures` went, and whose all of them said to be; of what they differ in,
/// nothing.
fn common_place(failures: &VecDeque<Failure>) -> Option<Place> {
    let endpoints = failures.iter().map(|one| one.endpoint.as_ref().map(|it| it.name.as_str()));
    let providers = failures.iter().map(|one| one.provider.as_ref().map(|it| it.name.as_str()));
    Place::named(common(endpoints).unwrap_or_default(), common(providers).unwrap_or_default())
}

/// The name that each of `names` is.
fn common<'n>(mut names: impl Iterator<Item = Option<&'n str>>) -> Option<&'n str> {
    let first = names.next()??;
    names.all(|name| name == Some(first)).then_some(first)
}

/// Whether a delivery is of the provider it says: then what we answer is a failure of our own, a
/// route that is gone or a secret that is not the one we were told, and no ban may cut the provider
/// off for it. An address is proof only where that provider is expected.
fn is_genuine(delivery: &Delivery) -> bool {
    let status = delivery.signature.as_ref().map(|signature| signature.status);
    matches!(status, Some(Status::Valid | Status::Stale)) || is_from_expected_provider(delivery)
}

fn is_from_expected_provider(delivery: &Delivery) -> bool {
    let (Some(told), Some(endpoint)) = (&delivery.provider, &delivery.endpoint) else {
        return false;
    };
    let client = delivery.exchange.client;
    told.name == endpoint.provider && told.networks.iter().any(|network| network.contains(&client))
}
