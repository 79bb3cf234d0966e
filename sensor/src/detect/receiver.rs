//! How our own receivers serve each sender: what they answer, how soon, and whether deliveries
//! still come.
//!
//! Its rules alert and never ban: what they find is our own fault, or a sender's silence. It must
//! not know how its figures are shown.

use std::collections::BTreeMap;
use std::time::Duration;

use super::level::{Answer, Level, Times, is_late};
use super::rhythm::{Rhythm, Turn, Watch};
use super::share::{Change, Share};
use super::{Consequence, Finding, Place, Rule};
use crate::config::{Endpoint, format_duration};
use crate::time::Timestamp;
use crate::webhook::{Delivery, Status, started};

const FAILING: Rule = rule("receiver-failing");
const RECOVERED: Rule = rule("receiver-recovered");
const SLOW: Rule = rule("answers-too-slow");
const IN_TIME: Rule = rule("answers-in-time");
const STOPPED: Rule = rule("deliveries-stopped");
const RESUMED: Rule = rule("deliveries-resumed");

/// Pairs of an endpoint and a provider that are followed. Both are named by configuration; an
/// endpoint that takes any provider is followed for each that signs with a secret of its own.
const MAX_RECEIVERS: usize = 256;

/// Event types of a pair that are told apart: GitHub has 73. What comes after them, and what nobody
/// signed, counts as [`OTHER`], so that no sender can make figures without end.
const MAX_EVENT_TYPES: usize = 80;

/// Octets of the longest event type that is told apart.
const MAX_EVENT_TYPE_BYTES: usize = 64;

/// The event type of what is not told apart.
const OTHER: &str = "other";

/// Every receiver that is followed, by its place.
#[derive(Debug, Default)]
pub struct Receivers {
    receivers: BTreeMap<Place, Receiver>,
    untracked: u64,
}

/// How one endpoint serves one provider.
#[derive(Debug, Default)]
pub struct Receiver {
    port: u16,
    events: BTreeMap<String, Level>,
    times: Times,
    failing: Share,
    slow: Share,
    rhythm: Rhythm,
}

impl Receivers {
    /// Takes note of a delivery.
    pub fn delivery(&mut self, delivery: &Delivery, out: &mut impl FnMut(Finding)) {
        let (Some(endpoint), Some(provider)) = (&delivery.endpoint, &delivery.provider) else {
            return;
        };
        if !is_expected(delivery, endpoint, &provider.name) {
            return;
        }
        let Some(answer) = Answer::of(delivery) else { return };
        let place = Place { endpoint: endpoint.name.clone(), provider: provider.name.clone() };
        let known = self.receivers.len();
        let receiver = match self.receivers.get_mut(&place) {
            Some(receiver) => receiver,
            None if known < MAX_RECEIVERS => self.receivers.entry(place.clone()).or_default(),
            None => {
                self.untracked += 1;
                return;
            }
        };
        let time = started(&delivery.exchange);
        let port = endpoint.port;
        receiver.port = port;
        receiver.count(delivery, answer);
        receiver.judge(delivery, answer, &mut |rule: Rule, reason: String, evidence| {
            out(Finding::at(place.clone(), rule, time, port, reason, evidence));
        });
    }

    /// Looks for deliveries that should have come by `now`, as far as traffic is watched.
    pub fn tick(&mut self, now: Timestamp, watch: Watch, out: &mut impl FnMut(Finding)) {
        for (place, receiver) in &mut self.receivers {
            if let Some(Turn::Stopped { silence, usual }) = receiver.rhythm.tick(now, watch) {
                let reason = format!(
                    "nothing came for {}; the longest silence that is usual at this hour is {}",
                    format_duration(silence),
                    format_duration(usual)
                );
                let port = receiver.port;
                out(Finding::at(place.clone(), STOPPED, now, port, reason, Vec::new()));
            }
        }
    }

    /// Forgets the places that `endpoints` do not speak of: nobody is expected to send there.
    pub fn keep(&mut self, endpoints: &[Endpoint]) {
        let is_there = |place: &Place| {
            let takes = |one: &Endpoint| one.provider.is_empty() || one.provider == place.provider;
            endpoints.iter().any(|one| one.name == place.endpoint && takes(one))
        };
        self.receivers.retain(|place, _| is_there(place));
    }

    /// Every receiver.
    pub fn iter(&self) -> impl Iterator<Item = (&Place, &Receiver)> {
        self.receivers.iter()
    }

    /// Deliveries to more receivers than are followed.
    #[must_use]
    pub fn untracked(&self) -> u64 {
        self.untracked
    }

    /// The rhythms of all receivers, for [`Receivers::recall`].
    #[must_use]
    pub fn to_octets(&self) -> Vec<u8> {
        let kept = |(place, one): (&Place, &Receiver)| (place.clone(), one.port, one.rhythm.kept());
        let kept: Vec<_> = self.receivers.iter().map(kept).collect();
        // Names and numbers can always be written.
        serde_json::to_vec(&kept).unwrap_or_default()
    }

    /// Goes on from the rhythms that [`Receivers::to_octets`] wrote.
    pub fn recall(&mut self, octets: &[u8]) {
        let kept: Vec<(Place, u16, Rhythm)> = serde_json::from_slice(octets).unwrap_or_default();
        for (place, port, rhythm) in kept.into_iter().take(MAX_RECEIVERS) {
            self.receivers.insert(place, Receiver { port, rhythm, ..Receiver::default() });
        }
    }
}

impl Receiver {
    /// What became of the deliveries of each event type.
    pub fn levels(&self) -> impl Iterator<Item = (&str, &Level)> {
        self.events.iter().map(|(name, level)| (name.as_str(), level))
    }

    /// How long answers took.
    #[must_use]
    pub fn times(&self) -> &Times {
        &self.times
    }

    /// Whether deliveries have stopped that should come.
    #[must_use]
    pub fn has_stopped(&self) -> bool {
        self.rhythm.has_stopped()
    }

    fn count(&mut self, delivery: &Delivery, answer: Answer) {
        self.level(delivery).count(delivery, answer);
        if let Some((_, took)) = delivery.answer() {
            self.times.count(took);
        }
    }

    fn level(&mut self, delivery: &Delivery) -> &mut Level {
        let told = event_type(delivery)
            .filter(|name| self.events.len() < MAX_EVENT_TYPES || self.events.contains_key(*name));
        let name = told.unwrap_or(OTHER);
        if !self.events.contains_key(name) {
            self.events.insert(name.to_owned(), Level::default());
        }
        self.events.get_mut(name).expect("it is there, or was just put there")
    }

    fn judge(
        &mut self,
        delivery: &Delivery,
        answer: Answer,
        find: &mut impl FnMut(Rule, String, Vec<uuid::Uuid>),
    ) {
        let time = started(&delivery.exchange);
        if let Some(change) = self.failing.look(answer != Answer::Served, time, delivery.id) {
            let rule = if change.is_bad { FAILING } else { RECOVERED };
            find(rule, said(&change, "were not answered with success"), change.evidence);
        }
        let limit = delivery.provider.as_ref().map_or(Duration::ZERO, |one| one.answer_within);
        if !limit.is_zero()
            && delivery.answer().is_some()
            && let Some(change) = self.slow.look(is_late(delivery), time, delivery.id)
        {
            let rule = if change.is_bad { SLOW } else { IN_TIME };
            let what = format!("were answered after more than {}", format_duration(limit));
            find(rule, said(&change, &what), change.evidence);
        }
        if let Some(Turn::Resumed { silence }) = self.rhythm.delivery(time) {
            let reason = format!("deliveries come again after {}", format_duration(silence));
            find(RESUMED, reason, vec![delivery.id]);
        }
    }
}

/// Whether its sender is one that should send there: the endpoint's own, or one that proves itself.
/// Anybody can name a provider in a header, and must not make a receiver by it that is missed
/// later.
fn is_expected(delivery: &Delivery, endpoint: &Endpoint, provider: &str) -> bool {
    if endpoint.provider.is_empty() {
        delivery.signature.as_ref().is_some_and(|signature| signature.status == Status::Valid)
    } else {
        endpoint.provider == provider
    }
}

fn said(change: &Change, what: &str) -> String {
    format!("{} of the last {} deliveries {what}", change.wrong, change.count)
}

/// The event type, where the provider vouches for it and it can be the label of a metric.
fn event_type(delivery: &Delivery) -> Option<&str> {
    let signature = delivery.signature.as_ref()?;
    let name = delivery.event_type.as_deref()?;
    let is_name = name.len() <= MAX_EVENT_TYPE_BYTES && name.bytes().all(|b| b.is_ascii_graphic());
    (signature.status == Status::Valid && is_name).then_some(name)
}

const fn rule(id: &'static str) -> Rule {
    Rule { id, version: 1, consequence: Consequence::Alert }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::webhook::Signature;
    use crate::webhook::fixture::{answered, deliver_to, endpoint_of, exchange};

    const SECOND: u64 = 1_000_000_000;

    /// A delivery of GitHub's at a second, signed so, answered so after some milliseconds.
    fn delivery(second: u64, event: &str, status: Status, answer: Option<(u16, u64)>) -> Delivery {
        delivery_to("github", second, event, status, answer)
    }

    /// The same to an endpoint of another provider, or of none.
    fn delivery_to(
        provider: &str,
        second: u64,
        event: &str,
        status: Status,
        answer: Option<(u16, u64)>,
    ) -> Delivery {
        let endpoint = endpoint_of(provider);
        let exchange = exchange("/", &format!("X-GitHub-Event: {event}"));
        let exchange = answered(exchange, Timestamp(second * SECOND), answer);
        let mut delivery = deliver_to(exchange, vec![endpoint]);
        delivery.signature =
            Some(Signature { status, reason: None, scheme: None, key_id: None, skew_ms: None });
        delivery
    }

    /// Every pair of a rule and a second it was found at.
    fn check(deliveries: &[(Status, Option<(u16, u64)>)], expected: &[(&str, u64)]) {
        let mut receivers = Receivers::default();
        let mut found = Vec::new();
        for (second, (status, answer)) in deliveries.iter().enumerate() {
            let second = 10 * second as u64;
            receivers.delivery(&delivery(second, "push", *status, *answer), &mut |finding| {
                assert_eq!((finding.source, finding.port), (None, 8080));
                found.push((finding.rule.id, second));
            });
        }
        assert_eq!(found, expected);
    }

    #[test]
    fn a_receiver_that_fails_is_told_and_that_it_recovered() {
        let good = (Status::Valid, Some((200, 5)));
        check(&[good; 200], &[]);
        let broken = [(Status::Valid, Some((502, 5))); 20];
        let expected = [("receiver-failing", 40), ("receiver-recovered", 390)];
        check(&[&broken[..], &[good; 100]].concat(), &expected);
        let silent = [(Status::Valid, None); 5];
        check(&silent, &[("receiver-failing", 40)]);
    }

    #[test]
    fn what_nobody_vouches_for_is_not_our_failure() {
        check(&[(Status::Unchecked, Some((404, 5))); 100], &[]);
        check(&[(Status::Invalid, Some((500, 5))); 100], &[]);
        check(&[(Status::Missing, None); 100], &[]);
        check(&[(Status::Unchecked, Some((500, 5))); 5], &[("receiver-failing", 40)]);
    }

    #[test]
    fn late_answers_are_told() {
        let late = (Status::Valid, Some((200, 10_001)));
        check(&[late; 10], &[("answers-too-slow", 40)]);
        check(&[(Status::Valid, Some((200, 9_999))); 100], &[]);
    }

    #[test]
    fn figures_have_a_bound() {
        let mut receivers = Receivers::default();
        for number in 0..2 * MAX_EVENT_TYPES {
            let event = format!("event-{number}");
            let answer = Some((200, 5));
            receivers.delivery(&delivery(1, &event, Status::Valid, answer), &mut |_| {});
            receivers.delivery(&delivery(1, "made up", Status::Unchecked, answer), &mut |_| {});
        }
        let (place, receiver) = receivers.iter().next().unwrap();
        assert_eq!((place.endpoint.as_str(), place.provider.as_str()), ("hooks", "github"));
        let total: u64 = receiver.levels().map(|(_, level)| level.served).sum();
        assert_eq!(total, 4 * MAX_EVENT_TYPES as u64);
        assert!(receiver.levels().count() <= MAX_EVENT_TYPES + 1);
        assert!(receiver.levels().all(|(name, _)| name == OTHER || name.starts_with("event-")));
        assert_eq!(receiver.times().counts[0], total);
    }

    #[test]
    fn a_stranger_makes_no_receiver() {
        for (provider, status, expected) in [
            ("github", Status::Unchecked, 1),
            ("", Status::Valid, 1),
            ("", Status::Unchecked, 0),
            ("", Status::Missing, 0),
            ("stripe", Status::Unchecked, 0),
            ("stripe", Status::Valid, 0),
        ] {
            let mut receivers = Receivers::default();
            let one = delivery_to(provider, 1, "push", status, Some((200, 5)));
            receivers.delivery(&one, &mut |_| {});
            assert_eq!(receivers.iter().count(), expected, "{provider} {status:?}");
        }
    }

    #[test]
    fn rhythms_outlive_a_restart_and_their_endpoints_only() {
        let mut receivers = Receivers::default();
        let answer = Some((200, 5));
        let mut none = |finding| panic!("{finding:?}");
        for minute in 0..2 * 24 * 60 {
            let one = delivery(minute * 60, "push", Status::Valid, answer);
            receivers.delivery(&one, &mut none);
        }
        let end = 2 * 24 * 3_600;
        let mut again = Receivers::default();
        again.recall(&receivers.to_octets());
        let mut found = Vec::new();
        for minute in 0..60 {
            let now = Timestamp((end + minute * 60) * SECOND);
            again.tick(now, Watch::Full, &mut |finding| found.push(finding.rule.id));
        }
        assert_eq!(found, ["deliveries-stopped"]);
        again.keep(&[]);
        assert_eq!(again.iter().count(), 0);
        again.recall(b"not what was written");
        assert_eq!(again.iter().count(), 0);
    }
}
