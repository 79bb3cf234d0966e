//! A check in steps that a person can follow.
//!
//! It must not decide: the check does, and this says what it saw.

use std::time::Duration;

use super::check::Choice;
use super::key::{Key, KeyError, Secret};
use super::presented::Presented;
use super::sign::Signed;
use super::time::milliseconds;
use super::{Check, Reason, Signature, Terms};
use crate::config::{Algorithm, Encoding, KeyForm, Provider, Scheme, Source, format_duration};
use crate::time::Timestamp;
use crate::webhook::message::Message;

/// Octets of the signed text that are shown from its start.
const SHOWN: usize = 200;
/// Digits that a time in milliseconds has, and one in seconds has not before the year 33658.
const MILLISECOND_DIGITS: usize = 13;

/// What [`Check::judge`] looked at to reach `result`, a sentence a step. Secrets are called by
/// their reference; signatures are in it, because whoever asks has the request. `sent` is when the
/// message arrived, where that is known.
#[must_use]
pub fn explain(
    check: &Check,
    provider: &Provider,
    message: &Message<'_>,
    sent: Option<Timestamp>,
    terms: Terms<'_>,
    result: Option<&Signature>,
) -> Vec<String> {
    let mut steps = vec![format!("The provider is {}.", provider.name)];
    let Some(choice) = check.choose(provider, message, terms) else {
        steps.push(looked_for(provider, message));
        steps.extend(result.map(conclusion));
        return steps;
    };
    let Choice { scheme, keys, presented, passed_over } = choice;
    steps.extend(passed_over.map(|(scheme, lack)| {
        let (name, place) = (scheme.algorithm.name(), &scheme.signature);
        format!("The signature by {name} in \"{place}\" cannot be checked: {lack}.")
    }));
    steps.push(found_signatures(scheme, &presented));
    steps.extend(unusable(scheme, terms.others));
    if !keys.is_empty() {
        let names: Vec<&str> = keys.iter().map(|key| &*key.reference).collect();
        steps.push(format!("Tried with {}.", names.join(", ")));
    }
    let surroundings = (terms.url, terms.subscription);
    let signed = Signed::new(scheme, &provider.delivery_id, message, &presented, surroundings);
    match signed {
        _ if scheme.algorithm == Algorithm::Token => {}
        Ok(signed) => steps.push(signed_text(scheme, &signed)),
        Err(reason) => {
            let places = sought(&reason, scheme, provider);
            let signed = &scheme.signed;
            steps.push(format!("What is signed, {signed}, cannot be built: {reason}{places}."));
        }
    }
    let signed_at = presented.timestamp(scheme, message);
    steps.extend(result.and_then(|result| timing(scheme, result, signed_at.as_deref(), sent)));
    steps.extend(result.map(conclusion));
    steps
}

fn looked_for(provider: &Provider, message: &Message<'_>) -> String {
    let places = provider.signature.iter().map(|scheme| {
        let name = &scheme.signature;
        let when = scheme.when.iter().map(|mark| format!(" where \"{mark}\" is"));
        let when: String = when.collect();
        match message.find(name) {
            Some(_) if !scheme.prefix.is_empty() => {
                format!("\"{name}\"{when} (its value does not begin with {:?})", scheme.prefix)
            }
            _ => format!("\"{name}\"{when}"),
        }
    });
    let places: Vec<String> = places.collect();
    if places.is_empty() {
        String::from("This provider does not sign.")
    } else {
        format!("There is no signature in {}.", places.join(" or "))
    }
}

/// Where what is missing was looked for.
fn sought(reason: &Reason, scheme: &Scheme, provider: &Provider) -> String {
    let places = match reason {
        Reason::NoTimestamp => &scheme.timestamp,
        Reason::NoId if scheme.id.is_empty() => &provider.delivery_id,
        Reason::NoId => &scheme.id,
        _ => return String::new(),
    };
    let name = |place: &Source| match place {
        Source::Item(prefix) => format!("{:?} behind {prefix:?}", scheme.signature.to_string()),
        place => format!("\"{place}\""),
    };
    let places: Vec<_> = places.iter().map(name).collect();
    format!("; it belongs in {}", places.join(" or "))
}

/// Whether none of the signatures on `message` has the length of one: then no secret and no body
/// would make it valid.
#[must_use]
pub fn is_misshapen(
    check: &Check,
    provider: &Provider,
    message: &Message<'_>,
    terms: Terms<'_>,
) -> bool {
    let is_misshapen = |choice: Choice<'_>| {
        let length = choice.scheme.algorithm.tag_octets()?;
        let signatures = choice.presented.signatures(choice.scheme);
        Some(signatures.iter().all(|signature| signature.len() != length))
    };
    check.choose(provider, message, terms).and_then(is_misshapen).unwrap_or_default()
}

/// How many signatures there are, and whether each can be one.
fn found_signatures(scheme: &Scheme, presented: &Presented<'_>) -> String {
    let (name, place) = (scheme.algorithm.name(), &scheme.signature);
    let signatures = presented.signatures(scheme);
    let written = match scheme.encoding {
        Encoding::Hex => "hexadecimal digits",
        Encoding::Base64 => "base64",
    };
    let count = signatures.count();
    if count == 0 {
        return format!("What is in \"{place}\" is no signature by {name}: that is {written}.");
    }
    let wrong = scheme.algorithm.tag_octets().and_then(|length| {
        signatures
            .iter()
            .map(<[u8]>::len)
            .find(|found| *found != length)
            .map(|found| (found, length))
    });
    let wrong = wrong.map_or(String::new(), |(found, length)| {
        format!(" One has {found} octets in {written}, and should have {length}.")
    });
    format!("{count} signature(s) by {name} in \"{place}\".{wrong}")
}

/// The secrets that can be no key of the scheme, and why.
fn unusable(scheme: &Scheme, secrets: &[Secret]) -> Vec<String> {
    let form = match scheme.key {
        KeyForm::Text => "text",
        KeyForm::Base64 => "base64, with \"whsec_\" or \"whpk_\" before it or without",
        KeyForm::Hex => "hexadecimal digits",
    };
    let refused = secrets.iter().filter_map(|secret| {
        let error = Key::new(secret, scheme.algorithm, scheme.key).err()?;
        let form = match error {
            KeyError::Empty => String::new(),
            KeyError::Form => format!(", which is {form}"),
            KeyError::PublicKey if scheme.algorithm == Algorithm::Ed25519 => {
                format!(", which is {form}, or PEM")
            }
            KeyError::PublicKey => String::from(", which is PEM, or the base64 inside it"),
        };
        Some(format!("{} is no key: {error}{form}.", secret.reference()))
    });
    refused.collect()
}

fn signed_text(scheme: &Scheme, signed: &Signed<'_>) -> String {
    let mut text = Vec::new();
    signed.feed(b"{secret}", &mut |part| text.extend_from_slice(part));
    let more = if text.len() > SHOWN { " ..." } else { "" };
    let shown = String::from_utf8_lossy(&text[..text.len().min(SHOWN)]).into_owned();
    format!("What is signed is {}, {} octets: {shown:?}{more}", scheme.signed, text.len())
}

fn timing(
    scheme: &Scheme,
    result: &Signature,
    signed_at: Option<&[u8]>,
    sent: Option<Timestamp>,
) -> Option<String> {
    let (skew, text) = (result.skew_ms?, signed_at?);
    let moment = |at| jiff::Timestamp::from_millisecond(at).map(|at| at.to_string()).ok();
    let signed = moment(milliseconds(text)?)?;
    let is_in_milliseconds = text.len() >= MILLISECOND_DIGITS && !text.contains(&b'-');
    let unit = if is_in_milliseconds { " The time is in milliseconds." } else { "" };
    let Some(sent) = sent else {
        return Some(format!(
            "It was signed at {signed}; when it was sent is not known, so its age is not judged.{unit}"
        ));
    };
    let sent = moment(i64::try_from(sent.0 / 1_000_000).ok()?)?;
    let distance = format_duration(Duration::from_millis(skew.unsigned_abs()));
    let order = if skew < 0 { "after" } else { "before" };
    let tolerated = match format_duration(scheme.tolerance) {
        _ if scheme.tolerance.is_zero() => String::from("any age is"),
        tolerance => format!("{tolerance} is"),
    };
    Some(format!(
        "It was signed at {signed}, {distance} {order} it was sent at {sent}; {tolerated} tolerated.{unit}"
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
