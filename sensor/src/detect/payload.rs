//! The rules about payloads: each tells the faults of one kind.
//!
//! They must not know how faults are found. They alert and never ban: a payload is what a provider
//! made of what its users wrote, and none of them is at the source's address.

use std::time::Duration;

use super::Rule;
use super::claims::{Claim, QUIET, provider, rule};
use crate::webhook::Delivery;
use crate::webhook::payload::Fault;

/// The rules of this file that are about a source.
pub(super) const RULES: [(Rule, Claim, Duration); 4] = [
    (rule("payload-coding"), coding, QUIET),
    (rule("payload-content"), content, QUIET),
    (rule("payload-shape"), shape, QUIET),
    (rule("payload-injection"), injection, QUIET),
];

/// A schema is an agreement with the sender: where it does not hold, it does not for every delivery
/// of the event, from whichever host.
pub(super) const RULE_OF_SETUP: (Rule, Claim) = (rule("payload-schema"), schema);

fn coding(delivery: &Delivery) -> Option<String> {
    tell(delivery, |fault| matches!(fault, Fault::Undecodable(_) | Fault::Bomb(_)))
}

fn content(delivery: &Delivery) -> Option<String> {
    tell(delivery, |fault| {
        matches!(
            fault,
            Fault::NotJson(_)
                | Fault::JsonForForm
                | Fault::NotForm(_)
                | Fault::Binary(_)
                | Fault::Repeated(_)
        )
    })
}

fn schema(delivery: &Delivery) -> Option<String> {
    tell(delivery, |fault| matches!(fault, Fault::Schema(_)))
}

fn shape(delivery: &Delivery) -> Option<String> {
    tell(delivery, |fault| matches!(fault, Fault::Shape(_)))
}

fn injection(delivery: &Delivery) -> Option<String> {
    tell(delivery, |fault| matches!(fault, Fault::Injection { .. }))
}

/// The faults of this kind in one sentence.
fn tell(delivery: &Delivery, is_of_kind: fn(&Fault) -> bool) -> Option<String> {
    let faults = delivery.payload.as_ref()?.faults.iter();
    let faults: Vec<_> =
        faults.filter(|fault| is_of_kind(fault)).map(ToString::to_string).collect();
    (!faults.is_empty()).then(|| {
        let event = delivery.event_type.as_deref().unwrap_or("an event");
        format!("the payload of {event} of {}: {}", provider(delivery), faults.join("; "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::Consequence;
    use crate::detect::claims::Claims;
    use crate::webhook::Payload;
    use crate::webhook::fixture::{deliver, exchange};
    use crate::webhook::payload::{Coding, Drift, Mismatch};

    /// The rule that tells a fault, and how.
    fn check(fault: Fault, rule: &str, words: &str) {
        let mut delivery = deliver(exchange("/", "X-GitHub-Event: ping"));
        delivery.payload = Some(Payload { faults: vec![fault], ..Payload::default() });
        let mut found = Vec::new();
        let mut claims = Claims::new();
        claims.look(&delivery, &mut |finding| found.push(finding));
        let [finding] = &found[..] else { panic!("{found:?}") };
        assert_eq!((finding.rule.id, finding.rule.consequence), (rule, Consequence::Alert));
        assert_eq!(finding.reason, format!("the payload of ping of github: {words}"));
        claims.look(&delivery, &mut |finding| panic!("{finding:?} is said twice"));
    }

    #[test]
    fn every_fault_has_its_rule() {
        let bomb = "it grows out of all proportion when br is unpacked";
        check(Fault::Bomb(Coding::Brotli), "payload-coding", bomb);
        check(Fault::JsonForForm, "payload-content", "it is declared a form, and is JSON");
        let mismatch = Mismatch { pointer: "/a".to_owned(), keyword: "type".to_owned() };
        let words = "/a fails the keyword \"type\" of its schema";
        check(Fault::Schema(mismatch), "payload-schema", words);
        let drift = Fault::Shape(Drift::New("/a".to_owned()));
        check(drift, "payload-shape", "/a was never there");
        let sign = Fault::Injection { rule: "jndi-lookup", pointer: "/a".to_owned() };
        check(sign, "payload-injection", "/a has a sign of jndi-lookup");
    }

    #[test]
    fn an_agreement_that_does_not_hold_is_told_once() {
        let mut claims = Claims::new();
        let mut told = |source: [u8; 4], pointer: &str| {
            let mut delivery = deliver(exchange("/", "X-GitHub-Event: ping"));
            delivery.exchange.client = source.into();
            let (pointer, keyword) = (pointer.to_owned(), "type".to_owned());
            let faults = vec![Fault::Schema(Mismatch { pointer, keyword })];
            delivery.payload = Some(Payload { faults, ..Payload::default() });
            let mut count = 0;
            claims.look(&delivery, &mut |_| count += 1);
            count
        };
        assert_eq!(told([192, 0, 2, 1], "/a"), 1);
        assert_eq!(told([192, 0, 2, 2], "/a"), 0);
        assert_eq!(told([192, 0, 2, 2], "/b"), 1);
    }

    #[test]
    fn what_was_not_judged_is_not_told() {
        let mut delivery = deliver(exchange("/", "X-GitHub-Event: ping"));
        delivery.payload = Some(Payload::unjudged(crate::webhook::payload::Unjudged::TooLarge));
        Claims::new().look(&delivery, &mut |finding| panic!("{finding:?}"));
    }
}
