//! The records of findings and decisions.
//!
//! It must not know which rules there are.

use std::collections::BTreeSet;
use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Serialize, Serializer};
use uuid::Uuid;

use super::Observer;
use super::fields::{Addresses, Ecs, Event, Id, ObserverFields, Peer, Related, RuleFields, Word};
use super::moment::Time;
use crate::decide::{Action, Decision, Origin, Scope};
use crate::detect::Finding;

/// What both are to the reader of alerts.
const CATEGORY: &[Word] = &[Word("network"), Word("intrusion_detection")];

#[derive(Serialize)]
pub(super) struct FindingRecord<'a> {
    #[serde(rename = "@timestamp")]
    timestamp: Time,
    event: Event<'a>,
    rule: RuleFields,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<Peer>,
    destination: Peer,
    #[serde(skip_serializing_if = "Option::is_none")]
    webhook: Option<Receiver<'a>>,
    hooksensor: Cause<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    related: Option<Related>,
    observer: ObserverFields<'a>,
    ecs: Ecs,
}

impl<'a> FindingRecord<'a> {
    pub(super) fn new(finding: &'a Finding, observer: &'a Observer) -> Self {
        Self {
            timestamp: Time(finding.time),
            event: event(
                finding.id,
                "hooksensor.finding",
                "detected",
                &[Word("info")],
                &finding.reason,
            ),
            rule: finding.rule.into(),
            source: finding.source.map(|address| Peer { ip: Some(address), port: None }),
            destination: Peer { ip: None, port: Some(finding.port) },
            webhook: finding
                .place
                .as_ref()
                .map(|place| Receiver { provider: &place.provider, endpoint: &place.endpoint }),
            hooksensor: Cause { evidence: &finding.evidence },
            related: finding
                .source
                .map(|address| Related { ip: Addresses::new([address]), hosts: None }),
            observer: ObserverFields::new(observer, None),
            ecs: Ecs::CURRENT,
        }
    }
}

/// `webhook.*` of a finding about a receiver or a delivery; what is not known of it is absent.
#[derive(Serialize)]
struct Receiver<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    provider: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    endpoint: &'a str,
}

/// `hooksensor.*` of a finding.
#[derive(Serialize)]
struct Cause<'a> {
    #[serde(skip_serializing_if = "<[_]>::is_empty", serialize_with = "ids")]
    evidence: &'a [Uuid],
}

#[derive(Serialize)]
pub(super) struct DecisionRecord<'a> {
    #[serde(rename = "@timestamp")]
    timestamp: Time,
    event: Event<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<RuleFields>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<Peer>,
    hooksensor: Verdict<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    related: Option<Related>,
    observer: ObserverFields<'a>,
    ecs: Ecs,
}

impl<'a> DecisionRecord<'a> {
    pub(super) fn new(decision: &'a Decision, observer: &'a Observer) -> Self {
        let action = decision.action_name();
        let kinds: &[Word] = match (decision.action, decision.enforced) {
            (Action::Ban, true) => &[Word("denied")],
            (Action::Ban, false) => &[Word("info")],
            (Action::Unban, _) => &[Word("allowed")],
        };
        let rule = match decision.origin {
            Origin::Rule(rule) => Some(rule.into()),
            Origin::Operator | Origin::Restart => None,
        };
        let source = single_address(decision.target);
        Self {
            timestamp: Time(decision.time),
            event: event(decision.id, "hooksensor.decision", action, kinds, &decision.reason),
            rule,
            source: source.map(|address| Peer { ip: Some(address), port: None }),
            hooksensor: Verdict::new(decision),
            related: source.map(|address| Related { ip: Addresses::new([address]), hosts: None }),
            observer: ObserverFields::new(observer, None),
            ecs: Ecs::CURRENT,
        }
    }
}

/// `hooksensor.*` of a decision.
#[derive(Serialize)]
struct Verdict<'a> {
    target: IpNet,
    scope: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    ports: Option<&'a BTreeSet<u16>>,
    origin: &'static str,
    enforced: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<Time>,
    #[serde(skip_serializing_if = "<[_]>::is_empty", serialize_with = "ids")]
    evidence: &'a [Uuid],
}

impl<'a> Verdict<'a> {
    fn new(decision: &'a Decision) -> Self {
        let (scope, ports) = match &decision.scope {
            Scope::WatchedPorts => ("watched_ports", None),
            Scope::Ports(ports) => ("ports", Some(ports)),
            Scope::Host => ("host", None),
        };
        Self {
            target: decision.target,
            scope,
            ports,
            origin: match decision.origin {
                Origin::Rule(_) => "rule",
                Origin::Operator => "operator",
                Origin::Restart => "restart",
            },
            enforced: decision.enforced,
            expires_at: match decision.action {
                Action::Ban => Some(Time(decision.expires_at())),
                Action::Unban => None,
            },
            evidence: &decision.evidence,
        }
    }
}

fn event<'a>(
    id: Uuid,
    dataset: &'static str,
    action: &'static str,
    kinds: &'static [Word],
    reason: &'a str,
) -> Event<'a> {
    Event {
        id: Id(id),
        kind: Word("alert"),
        category: CATEGORY,
        kinds,
        dataset: Word(dataset),
        action: Some(action),
        reason: Some(reason),
    }
}

/// The address that `target` is, when it is a single one.
fn single_address(target: IpNet) -> Option<IpAddr> {
    (target.prefix_len() == target.max_prefix_len()).then(|| target.addr())
}

fn ids<S: Serializer>(ids: &[Uuid], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(ids.iter().map(|id| Id(*id)))
}
