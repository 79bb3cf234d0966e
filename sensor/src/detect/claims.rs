//! The rules that hold a delivery's claims against the facts: where it came from, where it went,
//! whether its signature stands, whether it came before.
//!
//! They must not know how any of that was found out. They alert and never ban: a proxy that is not
//! trusted, a list of networks grown old or a wrong secret of our own would otherwise cut a
//! provider off.

use std::time::Duration;

use ipnet::IpNet;
use lru::LruCache;

use super::quota::Quota;
use super::{Consequence, Finding, Place, REMEMBERED_SOURCES, Rule, payload};
use crate::capture::Timestamp;
use crate::config::Provider;
use crate::net::{is_local, one_host};
use crate::webhook::{Delivery, Replay, Status, Why, started};

const FORGED: Rule = rule("invalid-signature");
const UNSIGNED: Rule = Rule { version: 2, ..rule("missing-signature") };
const STALE: Rule = rule("stale-signature");
const REPLAYED: Rule = rule("replayed-delivery");
const ELSEWHERE: Rule = Rule { version: 2, ..rule("outside-provider-networks") };
const MISPLACED: Rule = rule("unexpected-provider");
const PLAINTEXT: Rule = rule("plaintext-delivery");

/// The rules of this file that are about a source.
const RULES: [(Rule, Claim, Duration); 6] = [
    (FORGED, forged, QUIET),
    (UNSIGNED, unsigned, QUIET),
    (STALE, stale, QUIET),
    (REPLAYED, replayed, QUIET),
    (ELSEWHERE, elsewhere, QUIET),
    (MISPLACED, misplaced, QUIET),
];

/// The rules that are about how a receiver and its sender are set up.
const RULES_OF_SETUP: [(Rule, Claim); 2] = [(PLAINTEXT, plaintext), payload::RULE_OF_SETUP];

/// How long a rule says nothing more about the same host and port: one wrong secret fails every
/// delivery, and a person needs to hear of it once.
pub(super) const QUIET: Duration = Duration::from_secs(60);

/// The same for what is so by configuration, and stays so until somebody has the time to change it.
const QUIET_OF_SETUP: Duration = Duration::from_hours(24);

/// Why a delivery's claim does not hold, in a sentence; `None` when it does.
pub(super) type Claim = fn(&Delivery) -> Option<String>;

/// What was said lately.
#[derive(Debug)]
pub(super) struct Claims {
    said: LruCache<Key, Timestamp>,
    quota: Quota,
}

/// What is said once: a rule about this, on a port.
type Key = (&'static str, About, u16);

/// What a rule is about.
#[derive(Debug, PartialEq, Eq, Hash)]
enum About {
    /// All addresses that one host may have: otherwise a /64 of them would be told of one by one.
    Source(IpNet),
    /// How a receiver is set up, in these words: no source can make it worth telling again.
    Setup(Option<Place>, String),
}

impl Claims {
    pub(super) fn new() -> Self {
        Self { said: LruCache::new(REMEMBERED_SOURCES), quota: Quota::default() }
    }

    pub(super) fn look(&mut self, delivery: &Delivery, out: &mut impl FnMut(Finding)) {
        let source = delivery.exchange.client;
        let port = delivery.exchange.flow.destination.port();
        for (rule, claim, quiet) in RULES.iter().chain(&payload::RULES) {
            let Some(reason) = claim(delivery) else { continue };
            let key = (rule.id, About::Source(one_host(source)), port);
            self.tell(key, *quiet, Finding::about(delivery, *rule, reason), out);
        }
        for (rule, claim) in &RULES_OF_SETUP {
            let Some(reason) = claim(delivery) else { continue };
            let key = (rule.id, About::Setup(Place::of(delivery), reason.clone()), port);
            self.tell(key, QUIET_OF_SETUP, Finding::about(delivery, *rule, reason), out);
        }
    }

    /// Tells of `finding`, if it is news and there is room for it.
    fn tell(
        &mut self,
        key: Key,
        quiet: Duration,
        mut finding: Finding,
        out: &mut impl FnMut(Finding),
    ) {
        let time = finding.time;
        // What was said later was said before the clock was set back.
        let is_quiet = |said: &Timestamp| time.distance(*said) < quiet;
        if !self.said.get(&key).is_some_and(is_quiet) && self.quota.admits(&mut finding) {
            self.said.put(key, time);
            out(finding);
        }
    }
}

pub(super) const fn rule(id: &'static str) -> Rule {
    Rule { id, version: 1, consequence: Consequence::Alert }
}

/// A proof of ownership may be signed wrongly on purpose, as Discord does to see it refused.
fn forged(delivery: &Delivery) -> Option<String> {
    let is_probe = || delivery.handshake && matches!(delivery.answer(), Some((400..500, _)));
    with_status(delivery, Status::Invalid).filter(|_| !is_probe())
}

fn stale(delivery: &Delivery) -> Option<String> {
    with_status(delivery, Status::Stale)
}

fn with_status(delivery: &Delivery, status: Status) -> Option<String> {
    let signature = delivery.signature.as_ref().filter(|signature| signature.status == status)?;
    let reason = signature.reason.as_ref()?;
    Some(format!("the signature of {} is {}: {reason}", provider(delivery), status.name()))
}

/// Where secrets are configured, or where the provider signs everything, a delivery has a
/// signature, and so has what proves who owns the endpoint: providers that sign sign that too.
fn unsigned(delivery: &Delivery) -> Option<String> {
    let status = delivery.signature.as_ref()?.status;
    let expects = delivery.endpoint.as_ref().is_some_and(|endpoint| !endpoint.secrets.is_empty())
        || delivery.provider.as_ref().is_some_and(|provider| provider.always_signs);
    (status == Status::Missing && expects)
        .then(|| format!("{}, and has no signature", claim(delivery)))
}

fn replayed(delivery: &Delivery) -> Option<String> {
    let Some(Replay::Replayed(why)) = delivery.replay else { return None };
    // Hooks of an organisation and of its repository both send the same payload to one endpoint.
    if why == Why::SameBodyNewId {
        return None;
    }
    let id = delivery.delivery_id.as_deref().unwrap_or_default();
    Some(format!("delivery {id} of {} came before: {}", provider(delivery), why.sentence()))
}

fn elsewhere(delivery: &Delivery) -> Option<String> {
    let provider = delivery.provider.as_ref().filter(|provider| !provider.networks.is_empty())?;
    let source = delivery.exchange.client;
    if is_local(source) {
        return None;
    }
    let is_inside = provider.networks.iter().any(|network| network.contains(&source));
    (!is_inside).then(|| {
        format!(
            "{}, and comes from outside its networks as of {}{}",
            claim(delivery),
            provider.networks_as_of,
            doubt(provider, started(&delivery.exchange))
        )
    })
}

/// What makes a list of networks a weak proof: providers move.
fn doubt(provider: &Provider, time: Timestamp) -> String {
    let days = provider.days_stale(time);
    days.map_or_else(String::new, |days| {
        format!(
            ", a list that was {days} days old by then and may lack newer ones; renew it before \
             you believe this"
        )
    })
}

fn misplaced(delivery: &Delivery) -> Option<String> {
    let (told, endpoint) = (delivery.provider.as_ref()?, delivery.endpoint.as_ref()?);
    (!endpoint.provider.is_empty() && endpoint.provider != told.name).then(|| {
        format!(
            "says it is of {}, at the endpoint {} of {}",
            told.name, endpoint.name, endpoint.provider
        )
    })
}

/// Whether the application took a delivery that everybody on the way could read and, where it is
/// not signed, change. What a trusted proxy passed on may have come to that one by TLS. Anybody can
/// name a provider to any path, so that it has to go to an endpoint, or prove itself.
fn plaintext(delivery: &Delivery) -> Option<String> {
    let is_taken = matches!(delivery.answer(), Some((200..300, _)));
    let peer = delivery.exchange.flow.source.ip();
    let is_direct = peer == delivery.exchange.client && !is_local(peer);
    let is_valid = delivery.signature.as_ref().is_some_and(|one| one.status == Status::Valid);
    let is_ours = delivery.provider.is_some() && (delivery.endpoint.is_some() || is_valid);
    (is_taken && is_direct && is_ours).then(|| {
        format!(
            "a delivery of {} came from a public address without TLS; where a proxy ends TLS, name \
             it in http.trusted_proxies",
            provider(delivery)
        )
    })
}

/// Whose it is, and what says so.
fn claim(delivery: &Delivery) -> String {
    let provider = provider(delivery);
    match &delivery.endpoint {
        Some(endpoint) if !delivery.names_provider() => {
            format!("went to the endpoint {} of {provider}", endpoint.name)
        }
        _ => format!("says it is of {provider}"),
    }
}

pub(super) fn provider(delivery: &Delivery) -> &str {
    delivery.provider.as_ref().map_or("an unknown provider", |provider| &provider.name)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::config::{Config, Endpoint};
    use crate::webhook::Table;
    use crate::webhook::fixture::{deliver_to, endpoint_of, exchange};

    /// The rules that a delivery breaks, sent from an address to an endpoint of GitHub's.
    fn check(lines: &str, source: &str, expected: &[&str]) {
        let endpoint = endpoint_of("github");
        let mut exchange = exchange("/", lines);
        exchange.client = source.parse().unwrap();
        let mut delivery = deliver_to(exchange, vec![endpoint]);
        if let Some(told) = delivery.provider.as_mut().filter(|told| told.name == "github") {
            Arc::make_mut(told).networks = vec!["140.82.112.0/20".parse().unwrap()];
        }
        let mut claims = Claims::new();
        let mut found = Vec::new();
        claims.look(&delivery, &mut |finding| found.push(finding));
        let rules: Vec<_> = found.iter().map(|finding| finding.rule.id).collect();
        assert_eq!(rules, expected, "{lines}");
        assert!(found.iter().all(|finding| finding.rule.consequence == Consequence::Alert));
        let provider = delivery.provider.as_ref().unwrap().name.clone();
        let place = Some(Place { endpoint: "hooks".to_owned(), provider });
        assert!(found.iter().all(|finding| finding.place == place), "{found:?}");
        claims.look(&delivery, &mut |finding| panic!("{finding:?} is said twice"));
    }

    #[test]
    fn claims_against_facts() {
        let (home, away) = ("140.82.112.1", "203.0.113.9");
        let signed = "X-GitHub-Event: push\nX-Hub-Signature-256: sha256=ab";
        check(signed, home, &[]);
        check(signed, away, &["outside-provider-networks"]);
        check(signed, "10.1.2.3", &[]);
        check("X-GitHub-Event: push", home, &["missing-signature"]);
        check("X-GitHub-Event: ping", home, &["missing-signature"]);
        check("Stripe-Signature: t=1,v1=ab", away, &["missing-signature", "unexpected-provider"]);
    }

    #[test]
    fn what_names_the_provider_is_said() {
        let said = |provider: &str, lines: &str, body: &'static str| {
            let endpoint = endpoint_of(provider);
            let mut exchange = exchange("/", lines);
            let sent = &mut exchange.request.as_mut().unwrap().body;
            (sent.bytes, sent.content) = (body.len() as u64, Some(body.into()));
            unsigned(&deliver_to(exchange, vec![endpoint])).unwrap_or_default()
        };
        let github = "says it is of github, and has no signature";
        assert_eq!(said("github", "X-GitHub-Event: push", ""), github);
        let unnamed = "went to the endpoint hooks of woocommerce, and has no signature";
        assert_eq!(said("woocommerce", "", "{}"), unnamed);
        assert_eq!(said("woocommerce", "", "webhook_id=7&a=b"), unnamed);
        assert_eq!(said("woocommerce", "", "webhook_id={}"), unnamed);
        assert_eq!(said("woocommerce", "", "webhook_id=7"), "");
    }

    #[test]
    fn the_lists_that_are_shipped() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/networks");
        let file = tempfile::NamedTempFile::new().unwrap();
        let lists = ["github", "stripe"].map(|name| format!("{folder}/{name}.toml"));
        std::fs::write(file.path(), format!("network_lists = {lists:?}")).unwrap();
        let table = Table::new(&Config::load(file.path()).unwrap().providers);
        let check = |line: &str, source: &str, day: &str, expected: &str| {
            let noon: jiff::Timestamp = format!("{day}T12:00:00Z").parse().unwrap();
            let mut exchange = exchange("/", line);
            exchange.request.as_mut().unwrap().started =
                Timestamp(u64::try_from(noon.as_nanosecond()).unwrap());
            exchange.client = source.parse().unwrap();
            let mut delivery = deliver_to(exchange, Vec::new());
            let told = delivery.provider.as_mut().unwrap();
            *told = Arc::clone(&table.providers()[table.position(&told.name).unwrap()]);
            let said = elsewhere(&delivery).unwrap_or_default();
            assert_eq!(said, expected, "{source} {day}");
        };
        let github = "X-GitHub-Event: push";
        for inside in ["140.82.115.1", "9.234.98.190", "2a0a:a443::1", "10.1.2.3"] {
            check(github, inside, "2026-10-08", "");
        }
        let outside = "says it is of github, and comes from outside its networks as of 2026-10-07";
        check(github, "203.0.113.9", "2026-10-08", outside);
        check(github, "203.0.113.9", "2027-01-05", outside);
        let doubtful = "a list that was 91 days old by then and may lack newer ones; renew it \
                        before you believe this";
        check(github, "203.0.113.9", "2027-01-06", &format!("{outside}, {doubtful}"));
        check("Stripe-Signature: t=1", "54.187.216.72", "2026-05-16", "");
        let outside = "says it is of stripe, and comes from outside its networks as of 2026-05-15";
        check("Stripe-Signature: t=1", "54.187.216.73", "2026-05-16", outside);
    }

    #[test]
    fn what_everybody_on_the_way_could_read() {
        use crate::webhook::fixture::answered;
        let check = |peer: &str, client: &str, status, expected: &[&str]| {
            let head = "Stripe-Signature: t=1,v1=ab";
            let mut exchange = answered(exchange("/", head), Timestamp(1), Some((status, 1)));
            exchange.flow.source.set_ip(peer.parse().unwrap());
            exchange.client = client.parse().unwrap();
            let stranger = deliver_to(exchange.clone(), Vec::new());
            let endpoint =
                Endpoint { port: 8080, path_prefix: "/".to_owned(), ..Endpoint::default() };
            let mut delivery = deliver_to(exchange, vec![endpoint]);
            let (mut claims, mut rules) = (Claims::new(), Vec::new());
            claims.look(&stranger, &mut |finding| panic!("{finding:?} where nothing is set up"));
            for last in [1, 2] {
                // Another source says nothing new of how the endpoint is set up.
                if client == "198.51.100.7" && peer == client {
                    delivery.exchange.client = [198, 51, 100, last].into();
                    delivery.exchange.flow.source.set_ip(delivery.exchange.client);
                }
                claims.look(&delivery, &mut |finding| rules.push(finding.rule.id));
            }
            assert_eq!(rules, expected, "{peer} {client} {status}");
        };
        let public = "198.51.100.7";
        check(public, public, 200, &["plaintext-delivery"]);
        check("2001:db8::7", "2001:db8::7", 204, &["plaintext-delivery"]);
        check(public, public, 401, &[]);
        check("10.1.2.3", "10.1.2.3", 200, &[]);
        check("100.64.0.1", "100.64.0.1", 200, &[]);
        check("fd00::1", "fd00::1", 200, &[]);
        // A proxy that is trusted told who the client is.
        check(public, "203.0.113.9", 200, &[]);
    }

    #[test]
    fn a_host_is_told_of_once_whatever_its_address() {
        let endpoint = Endpoint { port: 8080, path_prefix: "/".to_owned(), ..Endpoint::default() };
        let mut claims = Claims::new();
        let mut told = |source: &str| {
            let mut exchange = exchange("/", "X-Slack-Request-Timestamp: 1");
            exchange.client = source.parse().unwrap();
            let mut count = 0;
            claims.look(&deliver_to(exchange, vec![endpoint.clone()]), &mut |_| count += 1);
            count
        };
        assert_eq!(told("2001:db8::1"), 1);
        assert_eq!(told("2001:db8::ffff:2"), 0);
        assert_eq!(told("2001:db8:0:1::1"), 1);
        assert_eq!(told("198.51.100.1"), 1);
        assert_eq!(told("198.51.100.2"), 1);
    }

    #[test]
    fn a_clock_set_back_ends_the_silence() {
        let mut claims = Claims::new();
        let mut is_news = |second: u64| {
            let (time, source) = (Timestamp(second * 1_000_000_000), [192, 0, 2, 1].into());
            let finding = Finding::new(RULES[0].0, time, source, 80, String::new(), Vec::new());
            let mut told = false;
            claims.tell(("a-rule", About::Source(source.into()), 80), QUIET, finding, &mut |_| {
                told = true;
            });
            told
        };
        for (second, news) in [(7200, true), (7190, false), (3600, true), (3659, false)] {
            assert_eq!(is_news(second), news, "{second}");
        }
        assert!(is_news(3660));
    }

    #[test]
    fn a_probe_that_was_refused_is_not_told() {
        use crate::webhook::fixture::answered;
        use crate::webhook::{Reason, Signature};
        let told = |handshake, status| {
            let head = "X-Signature-Ed25519: 00";
            let mut delivery =
                deliver_to(answered(exchange("/", head), Timestamp(1), status), Vec::new());
            delivery.handshake = handshake;
            let reason = Some(Reason::Mismatch);
            let (status, scheme) = (Status::Invalid, None);
            delivery.signature =
                Some(Signature { status, reason, scheme, key_id: None, skew_ms: None });
            forged(&delivery).is_some()
        };
        let (refused, taken) = (Some((401, 1)), Some((200, 1)));
        assert!(told(true, taken) && told(true, None));
        assert!(told(false, refused) && !told(true, refused));
    }

    #[test]
    fn signatures_and_replays() {
        use crate::webhook::{Reason, Signature};
        let found = |status, reason, replay| {
            let mut delivery = deliver_to(exchange("/", "Stripe-Signature: t=1,v1=ab"), Vec::new());
            delivery.signature =
                Some(Signature { status, reason, scheme: None, key_id: None, skew_ms: None });
            delivery.replay = Some(replay);
            let mut rules = Vec::new();
            Claims::new().look(&delivery, &mut |finding| rules.push(finding.rule.id));
            rules
        };
        let none: [&str; 0] = [];
        assert_eq!(found(Status::Valid, None, Replay::First), none);
        assert_eq!(found(Status::Unverifiable, Some(Reason::NoPublicUrl), Replay::Retry), none);
        let twin = Replay::Replayed(Why::SameBodyNewId);
        assert_eq!(found(Status::Valid, None, twin), none);
        let copy = Replay::Replayed(Why::SameBodyOtherSource);
        assert_eq!(found(Status::Valid, None, copy), ["replayed-delivery"]);
        let mismatch = Some(Reason::Mismatch);
        assert_eq!(found(Status::Invalid, mismatch, Replay::First), ["invalid-signature"]);
        let old = Replay::Replayed(Why::OldTimestamp);
        let both = ["stale-signature", "replayed-delivery"];
        assert_eq!(found(Status::Stale, Some(Reason::TooOld), old), both);
    }
}
