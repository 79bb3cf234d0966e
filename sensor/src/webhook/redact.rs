//! What no output may hold: where secrets are in headers, URLs and identifiers, and how they are
//! covered.
//!
//! It must not know records or how they are encoded.

use std::borrow::Cow;
use std::ops::Range;

use memchr::{memchr, memchr_iter};

use self::lines::holds_secret_field;
use self::signs::{is_secret_name, is_secret_parameter, is_secret_value};
use super::{HeaderRole, Roles};
use crate::http::{is_tchar, unescape};

mod lines;
mod signs;

/// What stands in the place of a secret.
const REDACTED: &[u8] = b"[redacted]";

/// What the values of a header may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Holding {
    /// A secret, whatever is in it.
    Secret,
    /// A host or a URL, as request targets are.
    Target,
    /// Text, with a URL in it or not.
    #[default]
    Text,
}

/// What values of the header `name` may hold, which is in lower case and may have a role.
pub(crate) fn holding(name: &[u8], roles: &Roles) -> Holding {
    match name {
        name if is_secret_header(name, roles) => Holding::Secret,
        [.., b'h', b'o', b's', b't'] | [.., b'u', b'r', b'i' | b'l'] | b"referer" => {
            Holding::Target
        }
        _ => Holding::Text,
    }
}

/// `value` of a header that may hold this: covered whole when it is a secret, and else where it
/// holds a URL with one.
pub(crate) fn header_value(holding: Holding, value: &[u8]) -> Cow<'_, [u8]> {
    match holding {
        Holding::Secret => Cow::Borrowed(REDACTED),
        _ if is_secret_value(value) => Cow::Borrowed(REDACTED),
        _ if !has_mark(value) => Cow::Borrowed(value),
        _ if holds_secret_field(value) => Cow::Borrowed(REDACTED),
        Holding::Target => target(value),
        Holding::Text if may_hold_secret(value) => cover(value, &url_secrets(value, Start::Text)),
        Holding::Text => Cow::Borrowed(value),
    }
}

/// `text`, taken as an identifier, as it may be shown wherever it stands: as the value of any
/// header.
pub(crate) fn identifier(text: String) -> String {
    let shown = header_value(Holding::Text, text.as_bytes());
    if *shown == *text.as_bytes() { text } else { String::from_utf8_lossy(&shown).into_owned() }
}

/// A request target with its secrets covered, and otherwise as it was sent.
pub(crate) fn target(target: &[u8]) -> Cow<'_, [u8]> {
    if may_hold_secret(target) || target.contains(&b';') {
        cover(target, &url_secrets(target, Start::Target))
    } else {
        Cow::Borrowed(target)
    }
}

/// A query, without its question mark, with its secrets covered.
pub(crate) fn query(query: &[u8]) -> Cow<'_, [u8]> {
    cover(query, &url_secrets(query, Start::Query))
}

/// Whether `value` has one of the octets without which no field is hidden in it, and no URL in it
/// holds a secret. Nearly all values are asked: the last block may overlap the one before it.
fn has_mark(value: &[u8]) -> bool {
    match value.last_chunk() {
        Some(last) => has_mark_in_block(last) || value.as_chunks().0.iter().any(has_mark_in_block),
        None => value.iter().any(|octet| mark(*octet) != 0),
    }
}

/// Looks at every octet of a block, without a branch, so that the compiler does it at once.
fn has_mark_in_block(block: &[u8; 16]) -> bool {
    block.iter().fold(0, |marks, octet| marks | mark(*octet)) != 0
}

/// Not zero for a control, a space and what sets parts of URLs apart. It subtracts because
/// processors do that for a whole block in one step.
fn mark(octet: u8) -> u8 {
    let is = |other: u8| 1_u8.saturating_sub(octet ^ other);
    (b' ' + 1).saturating_sub(octet) | is(b'?') | is(b'#') | is(b'@') | is(b';')
}

/// Whether `value` has a character without which no URL in it holds a secret.
fn may_hold_secret(value: &[u8]) -> bool {
    value.iter().any(|octet| matches!(octet, b'?' | b'#' | b'@'))
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
        // What is no name of a field may be a secret one to a server that passes over an octet.
        None => !is_field_name(name) || is_secret_name(name),
    }
}

/// Whether `name` is a token, as names of fields are (RFC 9110, sections 5.1 and 5.6.2).
fn is_field_name(name: &[u8]) -> bool {
    !name.is_empty() && name.iter().all(|octet| is_tchar(*octet))
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
    let mut secrets = plain_secrets(text, start);
    if memchr(b'%', text).is_some() {
        secrets.extend(escaped_secrets(text, start));
    }
    secrets.sort_by_key(|secret| secret.start);
    secrets
}

/// Those that are seen without taking off percent-encoding, but from names.
fn plain_secrets(text: &[u8], start: Start) -> Vec<Range<usize>> {
    let mut secrets = Vec::new();
    if memchr(b'@', text).is_some() {
        let is_authority = start == Start::Target && !text.starts_with(b"/");
        secrets.extend(is_authority.then(|| user_information(text, 0)).flatten());
        secrets.extend(memchr_iter(b'/', text).filter_map(|slash| after_slashes(text, slash)));
    }
    let first = match start {
        Start::Query => Some(0),
        Start::Target | Start::Text => find(text, 0, b"?#").map(|mark| mark + 1),
    };
    if start == Start::Target {
        path_secrets(&text[..first.unwrap_or(text.len())], &mut secrets);
    }
    if let Some(first) = first {
        parameter_secrets(text, first, &mut secrets);
    }
    secrets
}

/// Secrets in a URL that is a parameter's value, and so has its marks percent-encoded. It is
/// decoded once: a server that gets it does no more before it uses it.
fn escaped_secrets(text: &[u8], start: Start) -> Vec<Range<usize>> {
    let (mut plain, mut places) = (Vec::with_capacity(text.len()), Vec::new());
    let mut rest = text;
    while let Some((octet, after)) = unescape(rest) {
        plain.push(octet);
        places.push(text.len() - rest.len());
        rest = after;
    }
    places.push(text.len());
    let secrets = plain_secrets(&plain, start);
    secrets.into_iter().map(|secret| places[secret.start]..places[secret.end]).collect()
}

/// User information behind the second of two slashes. Without a scheme before them they may also
/// be in a path, where an at sign tells nothing by itself.
fn after_slashes(text: &[u8], slash: usize) -> Option<Range<usize>> {
    if text.get(slash + 1) != Some(&b'/') {
        return None;
    }
    let found = user_information(text, slash + 2)?;
    let has_scheme = text[..slash].ends_with(b":");
    (has_scheme || text[found.clone()].contains(&b':')).then_some(found)
}

/// Values of parameters with secret names in a path, such as `/orders;jsessionid=1/2`
/// (RFC 3986, section 3.3).
fn path_secrets(path: &[u8], secrets: &mut Vec<Range<usize>>) {
    for semicolon in memchr_iter(b';', path) {
        let name = semicolon + 1;
        let Some(mark) = find(path, name, b"=;/?#").filter(|mark| path[*mark] == b'=') else {
            continue;
        };
        let value = mark + 1..find(path, mark + 1, b";/?#").unwrap_or(path.len());
        if is_secret_parameter(&path[name..mark]) || is_secret_value(&path[value.clone()]) {
            secrets.push(value);
        }
    }
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
            let end = find(text, value, b"&;?#");
            let whole = value..end.unwrap_or(text.len());
            if is_secret_value(&text[whole.clone()]) {
                secrets.push(whole);
            }
            end.map(|end| end + 1)
        };
        let Some(next) = next else { return };
        name = next;
    }
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
    let (mut done, mut last) = (0, None);
    for secret in secrets {
        // One that starts with the last, which may be empty, or within it is already covered but
        // for its end.
        if secret.start >= done && last != Some(secret.start) {
            covered.extend_from_slice(&text[done..secret.start]);
            covered.extend_from_slice(REDACTED);
        }
        done = done.max(secret.end);
        last = Some(secret.start);
    }
    covered.extend_from_slice(&text[done..]);
    Cow::Owned(covered)
}

#[cfg(test)]
mod tests;
