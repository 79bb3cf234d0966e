//! The signatures that a request presents, out of their header.
//!
//! It must not know what they are of.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::config::{Algorithm, Encoding, Scheme, Source};
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

impl<'a> Presented<'a> {
    /// The signatures under `scheme`; `None` when there is none, be it well written or not.
    pub(super) fn new(scheme: &Scheme, message: &Message<'a>) -> Option<Self> {
        if !scheme.when.iter().all(|mark| message.bears(mark)) {
            return None;
        }
        let header = message.find(&scheme.signature)?;
        signatures(&header, scheme).next()?;
        Some(Self { header })
    }

    /// The octets of each signature that is well written.
    pub(super) fn signatures(&self, scheme: &Scheme) -> Vec<Vec<u8>> {
        let texts = signatures(&self.header, scheme).take(MAX_SIGNATURES);
        texts.filter_map(|text| decode(text, scheme)).collect()
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

/// The texts of signatures in a header.
fn signatures<'h>(header: &'h [u8], scheme: &'h Scheme) -> impl Iterator<Item = &'h [u8]> {
    items(header, separator(scheme)).filter_map(|item| item.strip_prefix(scheme.prefix.as_bytes()))
}

/// The octet between two items of the header, if there can be two.
fn separator(scheme: &Scheme) -> Option<u8> {
    scheme.separator.as_bytes().first().copied()
}

fn items(header: &[u8], separator: Option<u8>) -> impl Iterator<Item = &[u8]> {
    header.split(move |octet| Some(*octet) == separator).map(<[u8]>::trim_ascii)
}

fn decode(text: &[u8], scheme: &Scheme) -> Option<Vec<u8>> {
    if scheme.algorithm == Algorithm::Token {
        return Some(text.to_vec());
    }
    match scheme.encoding {
        Encoding::Hex => hexadecimal(text),
        Encoding::Base64 => STANDARD.decode(text).ok(),
    }
    .filter(|octets| !octets.is_empty())
}

/// The octets that hexadecimal digits of either case stand for.
pub(super) fn hexadecimal(text: &[u8]) -> Option<Vec<u8>> {
    let pairs = text.chunks_exact(2);
    if !pairs.remainder().is_empty() {
        return None;
    }
    pairs.map(|pair| Some(digit(pair[0])? << 4 | digit(pair[1])?)).collect()
}
