//! What a provider signs: the parts of its template, in their order, from a message.
//!
//! It must not know keys or algorithms.

use std::borrow::Cow;
use std::collections::BTreeSet;

use sha2::{Digest as _, Sha256};

use super::Reason;
use super::presented::{Presented, hexadecimal};
use crate::config::{Part, Scheme, Source, Template};
use crate::webhook::form;
use crate::webhook::message::Message;

/// What the fields of a notification are signed as (Amazon SNS, "Verifying the signatures").
const SNS_NOTIFICATION: [&str; 6] =
    ["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"];
/// And those of a confirmation that a subscription begins or ends.
const SNS_CONFIRMATION: [&str; 7] =
    ["Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"];

/// What stands for itself in the URL that `HubSpot` signs, escaped or not.
const HUBSPOT_DECODES: &[u8] = b":/?@!$'()*,;";

/// Everything a template may name, found in one message.
#[derive(Debug)]
pub(super) struct Signed<'a> {
    template: &'a Template,
    pub(super) content: Cow<'a, [u8]>,
    timestamp: Cow<'a, [u8]>,
    id: Cow<'a, [u8]>,
    pub(super) url: Cow<'a, str>,
    /// The URL as it was told.
    told_url: &'a str,
    method: &'a [u8],
    subscription: &'a str,
    /// What stands for the coded part, if the template has one.
    coded: Vec<u8>,
}

impl<'a> Signed<'a> {
    /// Finds the parts of the scheme's template.
    pub(super) fn new(
        scheme: &'a Scheme,
        delivery_id: &'a [Source],
        message: &Message<'a>,
        presented: &'a Presented<'a>,
        (told_url, subscription): (&'a str, &'a str),
    ) -> Result<Self, Reason> {
        let has = |part: &Part| scheme.covers(part);
        let has_coded = has(&Part::TwilioForm) || has(&Part::SnsFields);
        let content: &[u8] = if has(&Part::Body) || has(&Part::BodyCrc32) || has_coded {
            message.content.map_err(Reason::Body)?
        } else {
            &[]
        };
        let wanted = |wanted: bool, found: Option<Cow<'a, [u8]>>, reason| match found {
            None if wanted => Err(reason),
            found => Ok(found.unwrap_or_default()),
        };
        let ids = if scheme.id.is_empty() { delivery_id } else { &scheme.id };
        let id = has(&Part::Id).then(|| ids.iter().find_map(|id| message.find(id))).flatten();
        let timestamp = presented.timestamp(scheme, message);
        let url = if has(&Part::HubspotUrl) {
            Cow::Owned(hubspot_url(told_url))
        } else {
            Cow::Borrowed(told_url)
        };
        if (has(&Part::Url) || has(&Part::HubspotUrl)) && url.is_empty() {
            return Err(Reason::NoPublicUrl);
        }
        if has(&Part::Subscription) && subscription.is_empty() {
            return Err(Reason::NoSubscription);
        }
        Ok(Self {
            template: &scheme.signed,
            content: Cow::Borrowed(content),
            timestamp: wanted(has(&Part::Timestamp), timestamp, Reason::NoTimestamp)?,
            id: wanted(has(&Part::Id), id, Reason::NoId)?,
            coded: if has(&Part::TwilioForm) {
                twilio_form(message, content, &url)?
            } else if has(&Part::SnsFields) {
                sns_fields(content).ok_or(Reason::Malformed)?
            } else {
                Vec::new()
            },
            url,
            told_url,
            method: message.method,
            subscription,
        })
    }

    /// Hands the signed text on, piece by piece, with `secret` where the template names it.
    pub(super) fn feed(&self, secret: &[u8], sink: &mut dyn FnMut(&[u8])) {
        for part in &self.template.0 {
            match part {
                Part::Text(text) => sink(text.as_bytes()),
                Part::Body => sink(&self.content),
                Part::Timestamp => sink(&self.timestamp),
                Part::Id => sink(&self.id),
                Part::Secret => sink(secret),
                Part::Url | Part::HubspotUrl => sink(self.url.as_bytes()),
                Part::Method => sink(self.method),
                Part::Subscription => sink(self.subscription.as_bytes()),
                Part::BodyCrc32 => {
                    sink(crc32fast::hash(&self.content).to_string().as_bytes());
                }
                Part::TwilioForm | Part::SnsFields => sink(&self.coded),
            }
        }
    }

    /// The other URL that may have been signed: as configured, with its port taken away or the
    /// scheme's added, as Twilio's libraries try it too; or as `HubSpot`'s takes it, with its
    /// escapes.
    pub(super) fn other_url(&self) -> Option<String> {
        if self.template.0.contains(&Part::TwilioForm) {
            return other_port(&self.url);
        }
        (self.url != self.told_url).then(|| self.told_url.to_owned())
    }
}

/// The names and values of a form, sorted and each pair once; nothing for another body, whose
/// SHA-256 the query must then name rightly.
fn twilio_form(message: &Message<'_>, content: &[u8], url: &str) -> Result<Vec<u8>, Reason> {
    let named = url.split(['?', '&']).find_map(|field| field.strip_prefix("bodySHA256="));
    if let Some(named) = named {
        let digest = hexadecimal(named.as_bytes());
        let is_right = digest.is_some_and(|digest| digest == Sha256::digest(content).as_slice());
        return if is_right { Ok(Vec::new()) } else { Err(Reason::BodyHash) };
    }
    let kind = message.headers.first("content-type").unwrap_or_default();
    if !kind.starts_with(b"application/x-www-form-urlencoded") {
        return Ok(Vec::new());
    }
    let pairs: BTreeSet<_> = form::fields(content).collect();
    Ok(pairs.into_iter().flat_map(|(name, value)| [name, value]).fold(
        Vec::new(),
        |mut text, part| {
            text.extend_from_slice(&part);
            text
        },
    ))
}

/// `url` with the escapes decoded that `HubSpot` decodes before it signs ("Validating requests",
/// the table of v3).
fn hubspot_url(url: &str) -> String {
    let mut parts = url.split('%');
    let mut decoded = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let code = part.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match code {
            Some(code) if HUBSPOT_DECODES.contains(&code) => {
                decoded.push(char::from(code));
                decoded.push_str(&part[2..]);
            }
            _ => {
                decoded.push('%');
                decoded.push_str(part);
            }
        }
    }
    decoded
}

/// `url` without its port, or with that of its scheme where it has none.
fn other_port(url: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    let port = match scheme {
        "https" => ":443",
        "http" => ":80",
        _ => return None,
    };
    let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    Some(match without_port(authority) {
        Some(host) => format!("{scheme}://{host}{path}"),
        None => format!("{scheme}://{authority}{port}{path}"),
    })
}

/// `authority` without its port; `None` where it has none.
fn without_port(authority: &str) -> Option<&str> {
    let (rest, port) = authority.rsplit_once(':')?;
    // Behind the colon before a password, or inside an IPv6 address, there are not digits alone.
    let is_port = !port.is_empty() && port.bytes().all(|octet| octet.is_ascii_digit());
    is_port.then_some(rest)
}

/// The signed fields of a message, each as its name and its value on a line of their own.
fn sns_fields(content: &[u8]) -> Option<Vec<u8>> {
    let message: serde_json::Map<String, serde_json::Value> =
        serde_json::from_slice(content).ok()?;
    let text = |name: &str| message.get(name).and_then(serde_json::Value::as_str);
    let names: &[&str] = match text("Type")? {
        "Notification" => &SNS_NOTIFICATION,
        "SubscriptionConfirmation" | "UnsubscribeConfirmation" => &SNS_CONFIRMATION,
        _ => return None,
    };
    let mut signed = Vec::new();
    for name in names {
        match text(name) {
            Some(value) => signed.extend_from_slice(format!("{name}\n{value}\n").as_bytes()),
            None if *name == "Subject" => {}
            None => return None,
        }
    }
    Some(signed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_with_another_port() {
        let check = |url: &str, expected: &str| {
            assert_eq!(other_port(url).as_deref(), Some(expected), "{url}");
        };
        check("https://h/in?a=1", "https://h:443/in?a=1");
        check("http://h", "http://h:80");
        check("http://h?a=b:1", "http://h:80?a=b:1");
        check("https://h:443/in", "https://h/in");
        check("https://h:1234/in", "https://h/in");
        check("http://h:8080?a", "http://h?a");
        check("https://u:1@h/in", "https://u:1@h:443/in");
        check("https://u:1@h:1234/in", "https://u:1@h/in");
        check("https://[2001:db8::1]/", "https://[2001:db8::1]:443/");
        check("https://[2001:db8::1]:1234/", "https://[2001:db8::1]/");
        assert_eq!(other_port("ftp://h/"), None);
        assert_eq!(other_port("h:80/in"), None);
    }
}
