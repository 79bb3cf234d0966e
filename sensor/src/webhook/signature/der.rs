//! The public key in a certificate (RFC 5280, section 4.1) or in a `SubjectPublicKeyInfo`.
//!
//! It must not judge a certificate: one that is pinned is trusted for being pinned.

const BIT_STRING: u8 = 0x03;
const SEQUENCE: u8 = 0x30;
/// The tag of the version field, which version 1 certificates leave out.
const VERSION: u8 = 0xa0;
/// Fields of a certificate between its version and its key: serial number, algorithm, issuer,
/// validity, subject.
const FIELDS_BEFORE_KEY: usize = 5;

/// The octets of the public key in `der`.
pub(super) fn public_key(der: &[u8]) -> Option<&[u8]> {
    let (outer, rest) = element(der, SEQUENCE)?;
    if !rest.is_empty() {
        return None;
    }
    in_certificate(outer).or_else(|| in_key_info(outer))
}

fn in_certificate(certificate: &[u8]) -> Option<&[u8]> {
    let (mut fields, _) = element(certificate, SEQUENCE)?;
    if fields.first() == Some(&VERSION) {
        fields = any(fields)?.2;
    }
    for _ in 0..FIELDS_BEFORE_KEY {
        fields = any(fields)?.2;
    }
    let (key_info, _) = element(fields, SEQUENCE)?;
    in_key_info(key_info)
}

fn in_key_info(info: &[u8]) -> Option<&[u8]> {
    let (_, rest) = element(info, SEQUENCE)?;
    let (bits, _) = element(rest, BIT_STRING)?;
    // The first octet counts the unused bits at the end; keys have none.
    bits.strip_prefix(&[0])
}

/// The content of the element at the start, if it has this tag, and what follows it.
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (found, content, rest) = any(der)?;
    (found == tag).then_some((content, rest))
}

/// Tag and content of the element at the start, and what follows it (X.690, section 8.1).
fn any(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let [tag, first, rest @ ..] = der else { return None };
    let (length, rest) = match first {
        0x00..=0x7f => (usize::from(*first), rest),
        // No key has more than 64 KiB.
        0x81 | 0x82 => {
            let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            (digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit)), rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((*tag, content, rest))
}
