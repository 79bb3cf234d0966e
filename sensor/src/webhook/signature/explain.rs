//! A check in steps that a person can follow.
//!
//! It must not decide: the check does, and this says what it saw.

use super::presented::Presented;
use super::sign::Signed;
use super::{Check, Signature, Terms};
use crate::config::{Provider, Scheme};
use crate::time::Timestamp;
use crate::webhook::message::Message;

/// Octets of the signed text that are shown from its start.
const SHOWN: usize = 200;

/// What [`Check::judge`] looked at to reach `result`, a sentence a step. Secrets are called by
/// their reference; signatures are in it, because whoever asks has the request.
#[must_use]
pub fn explain(
    check: &Check,
    provider: &Provider,
    message: &Message<'_>,
    now: Timestamp,
    terms: Terms<'_>,
    result: Option<&Signature>,
) -> Vec<String> {
    let mut steps = vec![format!("The provider is {}.", provider.name)];
    let found = provider.signature.iter().zip(&check.keys).find_map(|(scheme, keys)| {
        Presented::new(scheme, message).map(|presented| (scheme, keys, presented))
    });
    let Some((scheme, keys, presented)) = found else {
        steps.push(looked_for(provider));
        steps.extend(result.map(conclusion));
        return steps;
    };
    steps.push(format!(
        "{} signature(s) by {} in \"{}\".",
        presented.signatures(scheme).count(),
        scheme.algorithm.name(),
        scheme.signature,
    ));
    steps.push(match keys.as_slice() {
        [] => String::from("No secret can be a key of this scheme."),
        keys => {
            let names: Vec<&str> = keys.iter().map(|key| &*key.reference).collect();
            format!("Tried with {}.", names.join(", "))
        }
    });
    let surroundings = (terms.url, terms.subscription);
    steps.push(
        match Signed::new(scheme, &provider.delivery_id, message, &presented, surroundings) {
            Ok(signed) => signed_text(scheme, &signed),
            Err(reason) => format!("What is signed, {}, cannot be built: {reason}.", scheme.signed),
        },
    );
    steps.extend(result.and_then(|result| timing(scheme, result, now)));
    steps.extend(result.map(conclusion));
    steps
}

fn looked_for(provider: &Provider) -> String {
    let places: Vec<String> =
        provider.signature.iter().map(|scheme| format!("\"{}\"", scheme.signature)).collect();
    if places.is_empty() {
        String::from("This provider does not sign.")
    } else {
        format!("There is no signature in {}.", places.join(" or "))
    }
}

fn signed_text(scheme: &Scheme, signed: &Signed<'_>) -> String {
    let mut text = Vec::new();
    signed.feed(b"{secret}", &mut |part| text.extend_from_slice(part));
    let more = if text.len() > SHOWN { " ..." } else { "" };
    let shown = String::from_utf8_lossy(&text[..text.len().min(SHOWN)]).into_owned();
    format!("What is signed is {}, {} octets: {shown:?}{more}", scheme.signed, text.len())
}

fn timing(scheme: &Scheme, result: &Signature, now: Timestamp) -> Option<String> {
    let skew = result.skew_ms?;
    let tolerance = crate::config::format_duration(scheme.tolerance);
    let tolerance =
        if scheme.tolerance.is_zero() { String::from("any") } else { format!("{tolerance} is") };
    Some(format!(
        "It was signed {skew} ms before it was sent, at {} s since 1970; {tolerance} tolerated.",
        now.0 / 1_000_000_000
    ))
}

fn conclusion(result: &Signature) -> String {
    let name = result.status.name();
    match (&result.reason, &result.key_id) {
        (Some(reason), _) => format!("So it is {name}: {reason}."),
        (None, Some(key)) => format!("So it is {name}, by {key}."),
        (None, None) => format!("So it is {name}."),
    }
}
