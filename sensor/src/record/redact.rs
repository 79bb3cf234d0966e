//! What no output may hold: which names belong to secrets, and how their values are covered.
//!
//! It must not know records or how they are encoded.

use std::borrow::Cow;
use std::ops::Range;

use memchr::memchr_iter;

use crate::http::unescape;
use crate::webhook::{HeaderRole, Roles};

/// What stands in the place of a secret.
const REDACTED: &[u8] = b"[redacted]";

/// Longest name that is looked into. A longer one is taken for that of a secret, so that padding
/// hides nothing.
const MAX_NAME_BYTES: usize = 128;

/// Parts of names, between characters that are neither letter nor digit, that tell a secret.
const SECRET_PARTS: [&[u8]; 13] = [
    b"auth", b"bearer", b"creds", b"csrf", b"hmac", b"jwt", b"key", b"otp", b"pass", b"pwd",
    b"sess", b"sig", b"xsrf",
];

/// Query parameters that are secrets by their whole name. A code is what OAuth trades for a token
/// (RFC 6749, section 4.1.2), and an assertion or a SAML response another such (RFC 7521); `sign` is
/// a signature and `sid` a session. `country_code`, `account_sid` and `zodiac_sign` are none.
const SECRET_PARAMETERS: [&[u8]; 7] =
    [b"assertion", b"code", b"pin", b"pw", b"samlresponse", b"sid", b"sign"];

/// `value` of the header `name`, which is in lower case and may have a role: covered whole when the
/// name is that of a secret, and else where it holds a URL with one.
pub(super) fn header_value<'a>(name: &[u8], value: &'a [u8], roles: &Roles) -> Cow<'a, [u8]> {
    if is_secret_header(name, roles) {
        Cow::Borrowed(REDACTED)
    } else if name.ends_with(b"host") {
        target(value)
    } else if may_hold_secret(value) {
        cover(value, &url_secrets(value, Start::Text))
    } else {
        Cow::Borrowed(value)
    }
}

/// A request target with its secrets covered, and otherwise as it was sent.
pub(super) fn target(target: &[u8]) -> Cow<'_, [u8]> {
    if may_hold_secret(target) {
        cover(target, &url_secrets(target, Start::Target))
    } else {
        Cow::Borrowed(target)
    }
}

/// A query, without its question mark, with its secrets covered.
pub(super) fn query(query: &[u8]) -> Cow<'_, [u8]> {
    cover(query, &url_secrets(query, Start::Query))
}

/// Whether `value` has a character without which no URL in it holds a secret. Every header is asked,
/// so this looks at all octets without a branch, which the compiler does many at a time.
fn may_hold_secret(value: &[u8]) -> bool {
    value.iter().fold(false, |found, byte| found | matches!(byte, b'?' | b'#' | b'@'))
}

fn is_secret_header(name: &[u8], roles: &Roles) -> bool {
    // Nearly every delivery has these, and looking for parts of secrets in them takes longer.
    if matches!(
        name,
        b"accept"
            | b"accept-encoding"
            | b"connection"
            | b"content-length"
            | b"content-type"
            | b"host"
            | b"user-agent"
    ) {
        return false;
    }
    match roles.of(name) {
        Some(HeaderRole::Signature) => true,
        Some(HeaderRole::Identifier) => false,
        None => is_secret_name(name),
    }
}

/// What the start of a text is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Start {
    /// A request target, which may start with an authority (RFC 9112, section 3.2.3).
    Target,
    /// A name of a parameter.
    Query,
    /// Anything, with a URL in it or not.
    Text,
}

/// The places of secrets in `text`, by their start; they may overlap.
fn url_secrets(text: &[u8], start: Start) -> Vec<Range<usize>> {
    let mut secrets = Vec::new();
    let is_authority = start == Start::Target && !text.starts_with(b"/");
    if is_authority {
        secrets.extend(user_information(text, 0));
    }
    for colon in memchr_iter(b':', text).filter(|colon| text[*colon..].starts_with(b"://")) {
        secrets.extend(user_information(text, colon + 3));
    }
    let first = match start {
        Start::Query => Some(0),
        Start::Target | Start::Text => find(text, 0, b"?#").map(|mark| mark + 1),
    };
    if let Some(first) = first {
        parameter_secrets(text, first, &mut secrets);
    }
    secrets.sort_by_key(|secret| secret.start);
    secrets
}

/// What stands before the at sign of the authority at `start` (RFC 3986, section 3.2.1).
fn user_information(text: &[u8], start: usize) -> Option<Range<usize>> {
    let end = find(text, start, b"/?# ").unwrap_or(text.len());
    let length = text[start..end].iter().rposition(|byte| *byte == b'@')?;
    Some(start..start + length)
}

/// Values of parameters with secret names, from the name at `start` on. Such a value ends at an
/// ampersand only: what else could end it could also be part of it.
fn parameter_secrets(text: &[u8], start: usize, secrets: &mut Vec<Range<usize>>) {
    let mut name = start;
    while let Some(mark) = find(text, name, b"=&;?#") {
        let value = mark + 1;
        let next = if text[mark] != b'=' {
            Some(value)
        } else if is_secret_parameter(&text[name..mark]) {
            let end = find(text, value, b"&");
            secrets.push(value..end.unwrap_or(text.len()));
            end.map(|end| end + 1)
        } else {
            find(text, value, b"&;?#").map(|mark| mark + 1)
        };
        let Some(next) = next else { return };
        name = next;
    }
}

fn is_secret_parameter(name: &[u8]) -> bool {
    let mut plain = [0; MAX_NAME_BYTES];
    let Some(length) = decode(name, &mut plain) else { return true };
    let plain = &plain[..length];
    SECRET_PARAMETERS.contains(&plain) || is_secret_name(plain)
}

/// Takes percent-encoding and case off `name`; none when it is too long.
fn decode(name: &[u8], plain: &mut [u8; MAX_NAME_BYTES]) -> Option<usize> {
    let mut length = 0;
    let mut rest = name;
    while let Some((octet, after)) = unescape(rest) {
        *plain.get_mut(length)? = octet.to_ascii_lowercase();
        rest = after;
        length += 1;
    }
    Some(length)
}

/// Whether `name`, in lower case, is one that secrets have.
fn is_secret_name(name: &[u8]) -> bool {
    let has_word = || (0..name.len()).any(|place| starts_with_secret_word(&name[place..]));
    let has_part = || {
        name.split(|byte| !byte.is_ascii_alphanumeric()).any(|part| SECRET_PARTS.contains(&part))
    };
    name.len() > MAX_NAME_BYTES || has_word() || has_part()
}

/// Whether `text` starts with a word that tells a secret wherever it is in a name. The first letter
/// chooses the words, because this runs at every octet of every header name.
fn starts_with_secret_word(text: &[u8]) -> bool {
    let words: &[&[u8]] = match text.first() {
        Some(b'a') => &[b"authorization", b"apikey", b"accesskey"],
        Some(b'c') => &[b"cookie", b"credential"],
        Some(b'p') => &[b"passcode", b"password", b"passwd", b"passphrase", b"privatekey"],
        Some(b's') => &[b"secret", b"sessid", b"session", b"signature"],
        Some(b't') => &[b"token"],
        _ => &[],
    };
    words.iter().any(|word| text.starts_with(word))
}

/// The first place from `from` on of one of the octets in `any`. Each caller has its own, so that
/// they are compared with and not looked for.
#[inline]
fn find<const N: usize>(text: &[u8], from: usize, any: &[u8; N]) -> Option<usize> {
    text[from..].iter().position(|byte| any.contains(byte)).map(|place| from + place)
}

/// `text` with [`REDACTED`] in these places, which are sorted and may overlap.
fn cover<'a>(text: &'a [u8], secrets: &[Range<usize>]) -> Cow<'a, [u8]> {
    if secrets.is_empty() {
        return Cow::Borrowed(text);
    }
    let mut covered = Vec::with_capacity(text.len() + REDACTED.len());
    let mut done = 0;
    for secret in secrets {
        // One that starts within the last is already covered but for its end.
        if secret.start >= done {
            covered.extend_from_slice(&text[done..secret.start]);
            covered.extend_from_slice(REDACTED);
        }
        done = done.max(secret.end);
    }
    covered.extend_from_slice(&text[done..]);
    Cow::Owned(covered)
}

#[cfg(test)]
mod tests;
