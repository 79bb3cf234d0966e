//! Fields that several kinds of record have, and how single values are encoded.
//!
//! It must not know which record they are in.

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;

use serde::{Serialize, Serializer};
use uuid::Uuid;
use uuid::fmt::Hyphenated;

use super::Observer;
use super::json::ENCODED;
use crate::detect::Rule;

/// `event.*` of what is no delivery.
#[derive(Serialize)]
pub(super) struct Event<'a> {
    pub(super) id: Id,
    pub(super) kind: Word,
    pub(super) category: &'static [Word],
    #[serde(rename = "type")]
    pub(super) kinds: &'static [Word],
    pub(super) dataset: Word,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) action: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<&'a str>,
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
    product: Word,
    #[serde(rename = "type")]
    kind: Word,
    /// None in a replay, which need not run where the capture was made.
    #[serde(skip_serializing_if = "str::is_empty")]
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
            product: Word("hooksensor"),
            kind: Word("sensor"),
            hostname: &observer.hostname,
            version: observer.version,
            ingress: name.map(|name| Ingress { interface: Interface { name } }),
        }
    }
}

/// `related.*`: every address and host of a record, once, for searches across fields.
#[derive(Serialize)]
pub(super) struct Related<A = Addresses, H = ()> {
    pub(super) ip: A,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) hosts: Option<H>,
}

/// Up to three addresses, each once.
pub(super) struct Addresses([Option<IpAddr>; 3]);

impl Addresses {
    /// Those of `addresses`, without what comes again.
    pub(super) fn new<const N: usize>(addresses: [IpAddr; N]) -> Self {
        let mut distinct = [None; 3];
        for address in addresses {
            if let Some(place) =
                distinct.iter_mut().find(|one| one.is_none_or(|one| one == address))
            {
                *place = Some(address);
            }
        }
        Self(distinct)
    }
}

impl Serialize for Addresses {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().flatten())
    }
}

/// `ecs.*`.
#[derive(Serialize)]
pub(super) struct Ecs {
    version: Word,
}

impl Ecs {
    pub(super) const CURRENT: Self = Self { version: Word("9.4.0") };
}

/// A word that the program chose, in which nothing has to be escaped.
#[derive(Clone, Copy)]
pub(super) struct Word(pub(super) &'static str);

impl Serialize for Word {
    #[inline]
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_unit_variant("Word", 0, self.0)
    }
}

/// A value that is encoded already; or members, where it has no name. Only
/// [`write_line`](super::write_line) takes it as that.
#[derive(Clone, Copy)]
pub(super) struct Encoded<'a>(pub(super) &'a [u8]);

impl<'a> Encoded<'a> {
    /// The members of `object`, which is encoded.
    pub(super) fn members(object: &'a [u8]) -> Self {
        Self(object.get(1..object.len() - 1).unwrap_or_default())
    }
}

impl Serialize for Encoded<'_> {
    #[inline]
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_newtype_struct(ENCODED, &Octets(self.0))
    }
}

/// Octets as such.
struct Octets<'a>(&'a [u8]);

impl Serialize for Octets<'_> {
    #[inline]
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.0)
    }
}

/// A UUID in its hyphenated form.
pub(super) struct Id(pub(super) Uuid);

impl Serialize for Id {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut text = [b'"'; Hyphenated::LENGTH + 2];
        self.0.hyphenated().encode_lower(&mut text[1..=Hyphenated::LENGTH]);
        Encoded(&text).serialize(serializer)
    }
}

/// A value as the text it is displayed as.
pub(super) struct Shown<T>(pub(super) T);

impl<T: fmt::Display> Serialize for Shown<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// Octets of any kind, which the encoder writes as text.
pub(super) struct Text<'a>(pub(super) Cow<'a, [u8]>);

impl<'a> From<&'a [u8]> for Text<'a> {
    fn from(octets: &'a [u8]) -> Self {
        Self(Cow::Borrowed(octets))
    }
}

impl Serialize for Text<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

/// Octets in hexadecimal digits, of which JSON numbers would lose the last ones above 2^53.
pub(super) struct Hexadecimal<const N: usize>(pub(super) [u8; N]);

impl<const N: usize> Serialize for Hexadecimal<N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let digit = |half: u8| DIGITS[usize::from(half)];
        let digits = self.0.map(|octet| [digit(octet >> 4), digit(octet & 15)]);
        serializer.serialize_bytes(digits.as_flattened())
    }
}

#[cfg(test)]
mod tests {
    use super::super::write_line;
    use super::*;

    fn check(value: &impl Serialize, expected: &str) {
        let mut line = Vec::new();
        write_line(value, &mut line);
        assert_eq!(String::from_utf8(line).unwrap(), expected);
    }

    #[test]
    fn octets_become_text() {
        check(&Text::from(&b"a\"b\\c\n\0"[..]), r#""a\"b\\c\n\u0000""#);
        check(&Text::from(&b"a\xff\xc3b"[..]), "\"a\u{fffd}\u{fffd}b\"");
        check(&Hexadecimal([0x0a, 0xf0]), r#""0af0""#);
    }

    #[test]
    fn addresses_stand_once() {
        let addresses = |texts: [&str; 3]| Addresses::new(texts.map(|text| text.parse().unwrap()));
        let (a, b, c) = ("192.0.2.1", "192.0.2.2", "::1");
        check(&addresses([a, b, c]), r#"["192.0.2.1","192.0.2.2","::1"]"#);
        check(&addresses([a, b, a]), r#"["192.0.2.1","192.0.2.2"]"#);
        check(&addresses([a, a, b]), r#"["192.0.2.1","192.0.2.2"]"#);
    }
}
