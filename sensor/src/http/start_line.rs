//! Tells whether octets start an HTTP/1 message (RFC 9112, sections 3 and 4).
//!
//! It must not know connections, nor parse more than the first line.

use super::Version;
use super::octet_set::OctetSet;
use super::target::has_form;

/// Octets of a version that follows the grammar: `HTTP/1.1`.
pub(super) const VERSION_LENGTH: usize = 8;

/// What a version starts with.
const NAME: &[u8] = b"HTTP/";

/// Longest method taken; the longest registered one, `UPDATEREDIRECTREF`, has 17 octets.
pub(super) const MAX_METHOD: usize = 32;

/// The least status code there is (RFC 9110, section 15).
pub(super) const LEAST_STATUS: u16 = 100;

/// A request line's parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RequestLine<'a> {
    pub(super) method: &'a [u8],
    pub(super) target: &'a [u8],
    pub(super) version: Version,
    /// Whether the version is written as the grammar has it.
    pub(super) exact: bool,
}

/// A status line's parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct StatusLine {
    pub(super) version: Version,
    pub(super) status: u16,
    /// Whether one space stands before the status, and one behind it where something follows.
    pub(super) exact: bool,
}

/// Parts of a line that is credible as a request line: a token, a target that may hold spaces, and
/// a version, which may be odd where the method is in common use. `line` has no line ending.
pub(super) fn request_line(line: &[u8]) -> Option<RequestLine<'_>> {
    let method = method(line)?;
    let rest = line[method.len()..].trim_ascii();
    let (target, last) = rest.split_at_checked(rest.len().wrapping_sub(VERSION_LENGTH))?;
    let (target, version, exact) = match version(last) {
        Some(version) => (target, version, true),
        None if is_known_method(method) => {
            let (target, version) = odd_version(rest)?;
            (target, version, false)
        }
        None => return None,
    };
    let separated = target.last().is_some_and(u8::is_ascii_whitespace);
    let target = target.trim_ascii();
    (separated && !target.is_empty()).then_some(RequestLine { method, target, version, exact })
}

/// What stands before the last word of `rest` that looks like a version, and what it says.
fn odd_version(rest: &[u8]) -> Option<(&[u8], Version)> {
    let starts = (1..rest.len()).rev().find(|at| {
        let name = rest[*at..].get(..NAME.len());
        rest[at - 1].is_ascii_whitespace() && name.is_some_and(|n| n.eq_ignore_ascii_case(NAME))
    })?;
    let (target, version) = rest.split_at(starts);
    let word = version.split(u8::is_ascii_whitespace).next().unwrap_or_default();
    Some((target, loose_version(word).unwrap_or(Version::UNREADABLE)))
}

/// Parts of a line that is credible as a status line: clients read the digits of its status and
/// nothing after them.
pub(super) fn status_line(line: &[u8]) -> Option<StatusLine> {
    let end = line.iter().position(u8::is_ascii_whitespace)?;
    let version = loose_version(&line[..end])?;
    let (digits, after) = line[end..].trim_ascii_start().split_at_checked(3)?;
    let ends = after.first().is_none_or(|octet| !octet.is_ascii_digit());
    let is_one_space = line[end..].strip_prefix(b" ").is_some_and(|rest| rest.starts_with(digits));
    let exact = is_one_space && after.first().is_none_or(|octet| *octet == b' ');
    let status = decimal(digits)?;
    (ends && status >= LEAST_STATUS).then_some(StatusLine { version, status, exact })
}

/// Whether a request line may start with these octets.
pub(super) fn may_be_request(octets: &[u8]) -> bool {
    let end = octets.iter().take(MAX_METHOD + 1).position(|octet| !is_token(*octet));
    match end {
        Some(end) => end > 0 && ends_method(&octets[..end], octets[end]),
        None => octets.len() <= MAX_METHOD,
    }
}

/// Whether a status line may start with these octets.
pub(super) fn may_be_response(octets: &[u8]) -> bool {
    let length = octets.len().min(NAME.len());
    octets[..length].eq_ignore_ascii_case(&NAME[..length])
}

/// As [`may_be_response`], in the letters that servers use.
pub(super) fn may_be_usual_response(octets: &[u8]) -> bool {
    let length = octets.len().min(NAME.len());
    octets[..length] == NAME[..length]
}

/// Whether octets start with a method in common use and a space, or with the start of one.
///
/// Where no message is due, as after a gap, any word and a version would be too weak a sign.
pub(super) fn starts_with_known_method(octets: &[u8]) -> bool {
    let Some(initial) = octets.first() else { return true };
    known_methods(*initial).iter().any(|method| {
        let length = octets.len().min(method.len());
        octets[..length] == method[..length]
            && octets.get(method.len()).is_none_or(|octet| *octet == b' ')
    })
}

/// Whether a method is in common use.
pub(super) fn is_known_method(method: &[u8]) -> bool {
    method.first().is_some_and(|initial| known_methods(*initial).contains(&method))
}

fn all_known_methods() -> impl Iterator<Item = &'static &'static [u8]> {
    (b'A'..=b'Z').flat_map(known_methods)
}

/// The methods in common use that start so: those of the IANA registry (RFC 9110, section 16.1.1)
/// but for PRI, which only the preface of HTTP/2 holds; those of `UPnP`; and what caches (PURGE),
/// Icecast (SOURCE) and RPC over HTTP (MS-RPCH, section 2.1.2.1) call theirs.
fn known_methods(initial: u8) -> &'static [&'static [u8]] {
    match initial {
        b'A' => &[b"ACL"],
        b'B' => &[b"BASELINE-CONTROL", b"BIND"],
        b'C' => &[b"CONNECT", b"COPY", b"CHECKIN", b"CHECKOUT"],
        b'D' => &[b"DELETE"],
        b'G' => &[b"GET"],
        b'H' => &[b"HEAD"],
        b'L' => &[b"LOCK", b"LABEL", b"LINK"],
        b'M' => &[
            b"MKCOL",
            b"MOVE",
            b"MERGE",
            b"MKACTIVITY",
            b"MKCALENDAR",
            b"MKREDIRECTREF",
            b"MKWORKSPACE",
            b"M-SEARCH",
        ],
        b'N' => &[b"NOTIFY"],
        b'O' => &[b"OPTIONS", b"ORDERPATCH"],
        b'P' => &[b"POST", b"PUT", b"PATCH", b"PROPFIND", b"PROPPATCH", b"PURGE"],
        b'Q' => &[b"QUERY"],
        b'R' => &[b"REPORT", b"REBIND", b"RPC_IN_DATA", b"RPC_OUT_DATA"],
        b'S' => &[b"SEARCH", b"SUBSCRIBE", b"SOURCE"],
        b'T' => &[b"TRACE"],
        b'U' => &[
            b"UNLOCK",
            b"UNBIND",
            b"UNCHECKOUT",
            b"UNLINK",
            b"UNSUBSCRIBE",
            b"UPDATE",
            b"UPDATEREDIRECTREF",
        ],
        b'V' => &[b"VERSION-CONTROL"],
        _ => &[],
    }
}

/// Whether a line is a request line with nothing odd about its target or version.
pub(super) fn is_usual_request_line(line: &[u8]) -> bool {
    let is_usual = |parts: RequestLine<'_>| parts.exact && has_form(parts.method, parts.target);
    request_line(line).is_some_and(is_usual)
}

/// Whether a line is such a request line in three words, as clients write it. Where segments are
/// missing before it, the first of them may be what is left of a method in common use, or have the
/// end of a body before one: then it is not.
pub(super) fn is_plain_request_line(line: &[u8]) -> bool {
    let is_known_in_part = |method: &[u8]| {
        all_known_methods().any(|known| known.ends_with(method) || method.ends_with(known))
    };
    let mut words = line.split(|octet| *octet == b' ');
    words.next().is_some_and(|method| !is_known_in_part(method))
        && words.count() == 2
        && is_usual_request_line(line)
}

/// Whether a line is a request line, and not words with another one behind them.
pub(super) fn is_one_request_line(line: &[u8]) -> bool {
    let ends_in_method = |word: &[u8]| all_known_methods().any(|method| word.ends_with(method));
    let is_one = |parts: RequestLine<'_>| {
        let mut words = parts.target.split(u8::is_ascii_whitespace);
        words.next_back();
        !words.any(ends_in_method)
    };
    request_line(line).is_some_and(is_one)
}

fn method(line: &[u8]) -> Option<&[u8]> {
    let end = line.iter().take(MAX_METHOD + 1).position(|octet| !is_token(*octet))?;
    (end > 0 && ends_method(&line[..end], line[end])).then(|| &line[..end])
}

/// Whether the octet ends a method: a space, or a tab after one in common use.
fn ends_method(method: &[u8], octet: u8) -> bool {
    octet == b' ' || (octet == b'\t' && is_known_method(method))
}

/// `HTTP/` digit `.` digit.
fn version(octets: &[u8]) -> Option<Version> {
    match octets {
        [b'H', b'T', b'T', b'P', b'/', major, b'.', minor]
            if major.is_ascii_digit() && minor.is_ascii_digit() =>
        {
            Some(Version(major - b'0', minor - b'0'))
        }
        _ => None,
    }
}

/// As [`version`], with any number of digits and in letters of either case: some servers add a
/// digit, and clients take it.
fn loose_version(octets: &[u8]) -> Option<Version> {
    let (name, numbers) = octets.split_at_checked(NAME.len())?;
    if !name.eq_ignore_ascii_case(NAME) {
        return None;
    }
    let point = numbers.iter().position(|octet| *octet == b'.')?;
    let number = |digits| decimal(digits).and_then(|number| u8::try_from(number).ok());
    Some(Version(number(&numbers[..point])?, number(&numbers[point + 1..])?))
}

fn decimal(digits: &[u8]) -> Option<u16> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u16, |number, octet| {
        let digit = octet.is_ascii_digit().then(|| u16::from(octet - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    })
}

/// What is left without the white space that may stand around a value: `OWS` of RFC 9110, section
/// 5.6.3. Anything else there is part of the value to some and not to others.
pub(super) fn trim_ows(mut octets: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = octets {
        octets = rest;
    }
    while let [rest @ .., b' ' | b'\t'] = octets {
        octets = rest;
    }
    octets
}

/// `tchar` of RFC 9110, section 5.6.2.
pub(crate) fn is_token(octet: u8) -> bool {
    static TOKEN: OctetSet = OctetSet::of(b"!#$%&'*+-.^_`|~")
        .with_range(b'0', b'9')
        .with_range(b'A', b'Z')
        .with_range(b'a', b'z');
    TOKEN.has(octet)
}
