//! The JA4 fingerprint of a TLS client: what it offers, in an order it cannot shuffle.
//!
//! It must not read the hello.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

use super::{Fields, extension, is_grease};

/// Digits of a hash that are in a fingerprint.
const DIGITS: usize = 12;

/// Most of anything that two digits count.
const MOST: usize = 99;

/// The fingerprint over TCP: `t13d1516h2_8daaf6152771_e5627efa2ab1`.
pub(super) fn fingerprint(fields: &Fields<'_>) -> String {
    let mut ciphers = sensible(&fields.ciphers);
    ciphers.sort_unstable();
    let mut extensions = sensible(&fields.extensions);
    let count = extensions.len();
    extensions.retain(|kind| ![extension::SERVER_NAME, extension::PROTOCOLS].contains(kind));
    extensions.sort_unstable();
    let mut offered = list(&extensions);
    let signatures = sensible(&fields.signatures);
    if !signatures.is_empty() {
        offered.push('_');
        offered += &list(&signatures);
    }
    format!(
        "t{}{}{:02}{:02}{}_{}_{}",
        version(fields.version()),
        if fields.has_server_name { 'd' } else { 'i' },
        ciphers.len().min(MOST),
        count.min(MOST),
        protocol(fields.protocols.first().copied().unwrap_or_default()),
        hash(&list(&ciphers)),
        hash(if extensions.is_empty() { "" } else { &offered }),
    )
}

fn sensible(values: &[u16]) -> Vec<u16> {
    values.iter().copied().filter(|value| !is_grease(*value)).collect()
}

fn list(values: &[u16]) -> String {
    values.iter().map(|value| format!("{value:04x}")).collect::<Vec<_>>().join(",")
}

fn version(version: u16) -> &'static str {
    match version {
        0x0304 => "13",
        0x0303 => "12",
        0x0302 => "11",
        0x0301 => "10",
        0x0300 => "s3",
        _ => "00",
    }
}

/// First and last character of the first protocol offered; of its hexadecimal digits where one of
/// them is neither letter nor digit.
fn protocol(name: &[u8]) -> String {
    let (Some(first), Some(last)) = (name.first(), name.last()) else { return "00".to_owned() };
    if first.is_ascii_alphanumeric() && last.is_ascii_alphanumeric() {
        [*first, *last].map(char::from).iter().collect()
    } else {
        format!("{:x}{:x}", first >> 4, last & 15)
    }
}

fn hash(text: &str) -> String {
    if text.is_empty() {
        return "0".repeat(DIGITS);
    }
    let digest = Sha256::digest(text);
    digest.iter().take(DIGITS / 2).fold(String::new(), |mut digits, octet| {
        write!(digits, "{octet:02x}").expect("memory takes every write");
        digits
    })
}
