//! Fields that several kinds of record have, and how single values are encoded.
//!
//! It must not know which record they are in.

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;

use serde::{Serialize, Serializer};
use uuid::Uuid;

use super::Observer;
use crate::capture::Timestamp;
use crate::detect::Rule;

/// `event.*`.
#[derive(Serialize)]
pub(super) struct Event<'a> {
    pub(super) id: Id,
    pub(super) kind: &'static str,
    pub(super) category: &'static [&'static str],
    #[serde(rename = "type")]
    pub(super) kinds: &'static [&'static str],
    pub(super) dataset: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) action: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) outcome: Option<&'static str>,
    /// Nanoseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) duration: Option<u64>,
}

/// `source.*`, `destination.*` and `client.*`.
#[derive(Serialize)]
pub(super) struct Peer {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ip: Option<IpAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) port: Option<u16>,
}

/// `rule.*`.
#[derive(Serialize)]
pub(super) struct RuleFields {
    id: &'static str,
    version: Shown<u32>,
}

impl From<Rule> for RuleFields {
    fn from(rule: Rule) -> Self {
        Self { id: rule.id, version: Shown(rule.version) }
    }
}

/// `observer.*`.
#[derive(Serialize)]
pub(super) struct ObserverFields<'a> {
    product: &'static str,
    #[serde(rename = "type")]
    kind: &'static str,
    hostname: &'a str,
    version: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    ingress: Option<Ingress<'a>>,
}

/// `observer.ingress.*`.
#[derive(Serialize)]
struct Ingress<'a> {
    interface: Interface<'a>,
}

/// `observer.ingress.interface.*`.
#[derive(Serialize)]
struct Interface<'a> {
    name: &'a str,
}

impl<'a> ObserverFields<'a> {
    /// The observer, with the interface of this index where the record has one.
    pub(super) fn new(observer: &'a Observer, interface: Option<u32>) -> Self {
        let name = interface.and_then(|index| observer.interfaces.get(&index));
        Self {
            product: "hooksensor",
            kind: "sensor",
            hostname: &observer.hostname,
            version: observer.version,
            ingress: name.map(|name| Ingress { interface: Interface { name } }),
        }
    }
}

/// `related.*`: every address and host of a record, once, for searches across fields.
#[derive(Serialize)]
pub(super) struct Related<'a> {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) ip: Vec<IpAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) hosts: Option<[Text<'a>; 1]>,
}

/// `ecs.*`.
#[derive(Serialize)]
pub(super) struct Ecs {
    version: &'static str,
}

impl Ecs {
    pub(super) const CURRENT: Self = Self { version: "9.4.0" };
}

/// A UUID in its hyphenated form.
pub(super) struct Id(pub(super) Uuid);

impl Serialize for Id {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.hyphenated().encode_lower(&mut Uuid::encode_buffer()))
    }
}

/// A value as the text it is displayed as.
pub(super) struct Shown<T>(pub(super) T);

impl<T: fmt::Display> Serialize for Shown<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// Octets of any kind as text: what is not UTF-8 becomes U+FFFD.
pub(super) struct Text<'a>(pub(super) Cow<'a, [u8]>);

impl<'a> From<&'a [u8]> for Text<'a> {
    fn from(octets: &'a [u8]) -> Self {
        Self(Cow::Borrowed(octets))
    }
}

impl Serialize for Text<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match str::from_utf8(&self.0) {
            Ok(text) => serializer.serialize_str(text),
            Err(_) => serializer.serialize_str(&String::from_utf8_lossy(&self.0)),
        }
    }
}

/// A time as RFC 3339 has it: UTC, with microseconds.
pub(super) struct Time(pub(super) Timestamp);

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let time = jiff::Timestamp::from_nanosecond(i128::from(self.0.0))
            .expect("64 bits of nanoseconds end in the year 2554");
        serializer.collect_str(&format_args!("{time:.6}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_six_digits_and_are_not_rounded_up() {
        let check = |nanoseconds, expected: &str| {
            let text = serde_json::to_string(&Time(Timestamp(nanoseconds))).unwrap();
            assert_eq!(text, format!("\"{expected}\""));
        };
        check(0, "1970-01-01T00:00:00.000000Z");
        check(1_700_000_000_123_456_789, "2023-11-14T22:13:20.123456Z");
        check(1_700_000_000_999_999_999, "2023-11-14T22:13:20.999999Z");
        check(u64::MAX, "2554-07-21T23:34:33.709551Z");
    }

    #[test]
    fn octets_become_text() {
        let check = |octets: &[u8], expected: &str| {
            assert_eq!(serde_json::to_string(&Text::from(octets)).unwrap(), expected);
        };
        check(b"a\"b\\c\n\0", r#""a\"b\\c\n\u0000""#);
        check(b"a\xff\xc3b", "\"a\u{fffd}\u{fffd}b\"");
        check("\u{e9}".as_bytes(), "\"\u{e9}\"");
    }
}
