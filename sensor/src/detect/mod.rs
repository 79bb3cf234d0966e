//! Finds what is wrong in deliveries and counters, and says so as [`Finding`]s with evidence.
//!
//! Pure: no clock, no I/O. It must not know what will be done about a finding.

mod claims;
mod failures;
mod level;
mod payload;
mod quota;
mod receiver;
mod rhythm;
mod share;
mod sustained;

use std::net::IpAddr;
use std::num::NonZeroUsize;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::capture::Timestamp;
use crate::config;
use crate::id::event_id;
use crate::webhook::{Delivery, started};

pub use level::{ANSWER_BOUNDS, Level, Times};
pub use receiver::{Receiver, Receivers};
pub use rhythm::Watch;

use claims::Claims;
use failures::Failures;
use sustained::Sustained;

/// Sources each rule remembers: the longest quiet is forgotten first, which forgives it.
const REMEMBERED_SOURCES: NonZeroUsize = NonZeroUsize::new(16_384).expect("not zero");

/// A rule by name and version, so that a decision can be traced to the code that caused it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// `rule.id`.
    pub id: &'static str,
    /// `rule.version`, raised when the rule's meaning changes.
    pub version: u32,
    /// What its findings call for.
    pub consequence: Consequence,
}

impl Rule {
    /// The rule of this name as it was in a version, if it is one whose findings may ban.
    #[must_use]
    pub fn that_bans(id: &str, version: u32) -> Option<Self> {
        let rules = [failures::RULE, sustained::PROVEN];
        let rule = rules.into_iter().find(|rule| rule.id == id)?;
        Some(Self { version, ..rule })
    }
}

/// What a finding calls for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consequence {
    /// The source may be banned.
    Ban,
    /// Somebody should know; nothing is to be dropped for it.
    Alert,
}

/// Something detected, with its evidence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// UUIDv7 from the time of the finding.
    pub id: Uuid,
    /// The rule that found it.
    pub rule: Rule,
    /// When the rule's condition became true, in packet time.
    pub time: Timestamp,
    /// The source it is about: the client, where trusted proxies stand between. A finding about
    /// a receiver of our own has none.
    pub source: Option<IpAddr>,
    /// The receiver it is about, or whose delivery it is about, as far as either is known.
    pub place: Option<Place>,
    /// The watched port it was seen on.
    pub port: u16,
    /// What was found, in a sentence.
    pub reason: String,
    /// `event.id` of each exchange that caused it; empty when packets, not exchanges, did.
    pub evidence: Vec<Uuid>,
}

/// A receiver of webhooks: an endpoint, and one provider that sends there. What is not known of a
/// delivery's is empty.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Place {
    /// The endpoint's name.
    pub endpoint: String,
    /// The provider's name.
    pub provider: String,
}

/// The kernel's word that a source is over its packet limit on a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OverLimit {
    /// The source.
    pub source: IpAddr,
    /// The watched port.
    pub port: u16,
    /// Whether the source completed a handshake. Of one that did not, the address may be made up.
    pub established: bool,
    /// When.
    pub time: Timestamp,
}

/// Every rule with its memory.
#[derive(Debug)]
pub struct Detector {
    claims: Claims,
    failures: Failures,
    sustained: Sustained,
}

impl Detector {
    /// Rules as configured, remembering nothing.
    #[must_use]
    pub fn new(ban: &config::Ban) -> Self {
        Self { claims: Claims::new(), failures: Failures::new(ban), sustained: Sustained::new(ban) }
    }

    /// Looks at one delivery; each finding goes to `out`.
    pub fn delivery(&mut self, delivery: &Delivery, out: &mut impl FnMut(Finding)) {
        self.claims.look(delivery, out);
        if let Some(finding) = self.failures.look(delivery) {
            out(finding);
        }
    }

    /// Looks at one notice of the kernel.
    pub fn over_limit(&mut self, notice: OverLimit) -> Option<Finding> {
        self.sustained.look(notice)
    }
}

impl Place {
    /// Where `delivery` went, and whose it says it is; `None` when neither is known.
    fn of(delivery: &Delivery) -> Option<Self> {
        let endpoint = delivery.endpoint.as_ref().map_or("", |endpoint| &endpoint.name);
        let provider = delivery.provider.as_ref().map_or("", |provider| &provider.name);
        Self::named(endpoint, provider)
    }

    /// The place of these names, of which one that is not known is empty.
    fn named(endpoint: &str, provider: &str) -> Option<Self> {
        let is_known = !endpoint.is_empty() || !provider.is_empty();
        is_known.then(|| Self { endpoint: endpoint.to_owned(), provider: provider.to_owned() })
    }
}

impl Finding {
    /// A finding about a source.
    fn new(
        rule: Rule,
        time: Timestamp,
        source: IpAddr,
        port: u16,
        reason: String,
        evidence: Vec<Uuid>,
    ) -> Self {
        let seed = format!("finding {} {source} {port}", rule.id);
        let id = event_id(time, seed.as_bytes());
        Self { id, rule, time, source: Some(source), place: None, port, reason, evidence }
    }

    /// A finding about a delivery.
    fn about(delivery: &Delivery, rule: Rule, reason: String) -> Self {
        let exchange = &delivery.exchange;
        let (time, port) = (started(exchange), exchange.flow.destination.port());
        let found = Self::new(rule, time, exchange.client, port, reason, vec![delivery.id]);
        Self { place: Place::of(delivery), ..found }
    }

    /// A finding about a receiver of our own.
    fn at(
        place: Place,
        rule: Rule,
        time: Timestamp,
        port: u16,
        reason: String,
        evidence: Vec<Uuid>,
    ) -> Self {
        let seed = format!("finding {} {} {}", rule.id, place.endpoint, place.provider);
        let id = event_id(time, seed.as_bytes());
        Self { id, rule, time, source: None, place: Some(place), port, reason, evidence }
    }
}

#[cfg(test)]
mod tests;
