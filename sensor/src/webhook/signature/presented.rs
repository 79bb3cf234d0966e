//! The signatures that a request presents, out of their header.
//!
//! It must not know what they are of.

use std::borrow::Cow;
use std::{iter, mem};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use memchr::memchr;

use crate::config::{Algorithm, Encoding, Scheme, Source};
use crate::http::Headers;
use crate::webhook::form::digit;
use crate::webhook::message::Message;

/// Signatures of one request that are looked at. Secrets are rotated two at a time; a header of
/// thousands would be made to cost us a check each.
const MAX_SIGNATURES: usize = 8;

/// What a request presents under one scheme.
#[derive(Debug)]
pub(super) struct Presented<'a> {
    header: Cow<'a, [u8]>,
}

/// The octets of signatures, one after the other in memory that is asked for once.
#[derive(Debug, Default)]
pub(super) struct Signatures {
    octets: Vec<u8>,
    /// Where each of the first `count` ends.
    ends: [usize; MAX_SIGNATURES],
    count: usize,
}

impl Signatures {
    /// Each of them.
    pub(super) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let mut start = 0;
        self.ends[..self.count]
            .iter()
            .map(move |end| &self.octets[mem::replace(&mut start, *end)..*end])
    }

    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// Takes the signature that is written as `text`, unless that is none or there are too many.
    fn take(&mut self, text: &[u8], scheme: &Scheme) {
        let start = self.octets.len();
        let is_one = decode(text, scheme, &mut self.octets) && self.octets.len() > start;
        match self.ends.get_mut(self.count) {
            Some(end) if is_one => {
                *end = self.octets.len();
                self.count += 1;
            }
            _ => self.octets.truncate(start),
        }
    }
}

impl<'a> Presented<'a> {
    /// The signatures under `scheme`; `None` when there is none, be it well written or not.
    pub(super) fn new(scheme: &Scheme, message: &Message<'a>) -> Option<Self> {
        if !scheme.when.iter().all(|mark| message.bears(mark)) {
            return None;
        }
        let header = match (&scheme.signature, separator(scheme)) {
            (Source::Header(name), Some(separator)) => lines(message.headers, name, separator)?,
            (source, _) => message.find(source)?,
        };
        signatures(&header, scheme).next()?;
        Some(Self { header })
    }

    /// The octets of each signature that is well written.
    pub(super) fn signatures(&self, scheme: &Scheme) -> Signatures {
        let mut found = Signatures::default();
        found.octets.reserve(self.header.len());
        signatures(&self.header, scheme)
            .take(MAX_SIGNATURES)
            .for_each(|text| found.take(text, scheme));
        found
    }

    /// The item of the header that starts with `prefix`, without it.
    fn item<'s>(&'s self, prefix: &str, scheme: &Scheme) -> Option<&'s [u8]> {
        items(&self.header, separator(scheme)).find_map(|item| item.strip_prefix(prefix.as_bytes()))
    }

    /// The time of signing as it was sent.
    pub(super) fn timestamp<'s>(
        &'s self,
        scheme: &Scheme,
        message: &Message<'s>,
    ) -> Option<Cow<'s, [u8]>> {
        scheme.timestamp.iter().find_map(|source| match source {
            Source::Item(prefix) => self.item(prefix, scheme).map(Cow::Borrowed),
            source => message.find(source),
        })
    }
}

/// The value of a header that may have several signatures: lines of one name are one list, in their
/// order (RFC 9110, section 5.3).
fn lines<'a>(headers: &'a Headers, name: &str, separator: u8) -> Option<Cow<'a, [u8]>> {
    let mut lines = headers.all(name);
    let first = lines.next()?;
    let Some(second) = lines.next() else { return Some(Cow::Borrowed(first)) };
    let whole = iter::once(second).chain(lines).fold(first.to_vec(), |mut whole, line| {
        whole.push(separator);
        whole.extend_from_slice(line);
        whole
    });
    Some(Cow::Owned(whole))
}

/// The texts of signatures in a header.
fn signatures<'h>(header: &'h [u8], scheme: &'h Scheme) -> impl Iterator<Item = &'h [u8]> {
    items(header, separator(scheme)).filter_map(|item| item.strip_prefix(scheme.prefix.as_bytes()))
}

/// The octet between two items of the header, if there can be two.
fn separator(scheme: &Scheme) -> Option<u8> {
    scheme.separator.as_bytes().first().copied()
}

fn items(header: &[u8], separator: Option<u8>) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(header);
    iter::from_fn(move || {
        let text = rest.take()?;
        let end = separator.and_then(|octet| memchr(octet, text)).unwrap_or(text.len());
        rest = text.get(end + 1..);
        Some(text[..end].trim_ascii())
    })
}

/// Appends the octets that `text` stands for; `false` when it stands for none.
fn decode(text: &[u8], scheme: &Scheme, octets: &mut Vec<u8>) -> bool {
    match scheme.encoding {
        _ if scheme.algorithm == Algorithm::Token => {
            octets.extend_from_slice(text);
            true
        }
        Encoding::Hex => append_hexadecimal(text, octets),
        Encoding::Base64 => STANDARD.decode_vec(text, octets).is_ok(),
    }
}

/// The octets that hexadecimal digits of either case stand for.
pub(crate) fn hexadecimal(text: &[u8]) -> Option<Vec<u8>> {
    let mut octets = Vec::new();
    append_hexadecimal(text, &mut octets).then_some(octets)
}

fn append_hexadecimal(text: &[u8], octets: &mut Vec<u8>) -> bool {
    let (pairs, []) = text.as_chunks::<2>() else { return false };
    let mut seen = 0;
    octets.extend(pairs.iter().map(|pair| {
        let [high, low] = pair.map(|character| VALUES[usize::from(character)]);
        seen |= high | low;
        high << 4 | low
    }));
    seen != NO_DIGIT
}

/// What stands for no digit, and has every bit set, so that one among many is still seen.
const NO_DIGIT: u8 = u8::MAX;

/// The value of each character as a hexadecimal digit: a signature has 64 of them.
const VALUES: [u8; 256] = {
    let mut values = [NO_DIGIT; 256];
    let mut character = u8::MIN;
    while character < u8::MAX {
        if let Some(value) = digit(character) {
            values[character as usize] = value;
        }
        character += 1;
    }
    values
};
