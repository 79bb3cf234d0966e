//! The one spelling of a path, for places that are known by the start of it.
//!
//! It must not know which places there are. A record has the path as it was sent.

use std::borrow::Cow;

/// `path` as servers look it up (RFC 3986, section 6.2.2): escapes decoded once, repeated slashes
/// as one, dot segments taken out. Escaped slashes are decoded with the rest, as nginx, Go and WSGI
/// do: a path that only some servers take to a place is looked at as if it went there.
#[must_use]
pub fn canonical_path(path: &[u8]) -> Cow<'_, [u8]> {
    let is_canonical = !path.contains(&b'%')
        && !path.windows(2).any(|pair| matches!(pair, b"//" | b"/."))
        && path.starts_with(b"/");
    if is_canonical {
        return Cow::Borrowed(path);
    }
    let decoded = decode(path);
    if !decoded.starts_with(b"/") {
        return Cow::Owned(decoded);
    }
    Cow::Owned(without_dots(&decoded))
}

fn decode(path: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(path.len());
    let mut rest = path;
    while let Some((octet, after)) = unescape(rest) {
        decoded.push(octet);
        rest = after;
    }
    decoded
}

/// The octet that `text` starts with, decoded where it is escaped (RFC 3986, section 2.1), and what
/// follows it; `None` where there is none.
#[must_use]
pub fn unescape(text: &[u8]) -> Option<(u8, &[u8])> {
    let (first, after) = text.split_first()?;
    Some(escaped(text).unwrap_or((*first, after)))
}

/// The octet that an escape at the start of `text` stands for, and what follows it.
fn escaped(text: &[u8]) -> Option<(u8, &[u8])> {
    let [b'%', high, low, rest @ ..] = text else { return None };
    let digit =
        |octet: u8| char::from(octet).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    Some((digit(*high)? << 4 | digit(*low)?, rest))
}

/// `path`, which starts with a slash, with one slash between segments and none of them dots.
fn without_dots(path: &[u8]) -> Vec<u8> {
    let mut segments: Vec<&[u8]> = Vec::new();
    let mut is_directory = false;
    for segment in path.split(|octet| *octet == b'/').skip(1) {
        is_directory = matches!(segment, b"" | b"." | b"..");
        match segment {
            b"" | b"." => {}
            b".." => drop(segments.pop()),
            _ => segments.push(segment),
        }
    }
    let mut whole = Vec::with_capacity(path.len());
    for segment in &segments {
        whole.push(b'/');
        whole.extend_from_slice(segment);
    }
    if is_directory || segments.is_empty() {
        whole.push(b'/');
    }
    whole
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn spellings_of_a_path() {
        let check = |path: &str, expected: &str| {
            let canonical = canonical_path(path.as_bytes());
            assert_eq!(String::from_utf8_lossy(&canonical), expected, "{path}");
        };
        check("/hooks", "/hooks");
        check("/hooks/", "/hooks/");
        check("/%68ooks", "/hooks");
        check("/hooks%2fgithub", "/hooks/github");
        check("//hooks///github", "/hooks/github");
        check("/x/../hooks", "/hooks");
        check("/x/%2e%2E/hooks", "/hooks");
        check("/../../hooks", "/hooks");
        check("/./hooks/.", "/hooks/");
        check("/hooks/..", "/");
        check("/hooks/..%2fx", "/x");
        check("/%252e/x", "/%2e/x");
        check("/.well-known/x", "/.well-known/x");
        check("/a...b/..c", "/a...b/..c");
        check("/%", "/%");
        check("/%6", "/%6");
        check("/%zz/%+1", "/%zz/%+1");
        check("/", "/");
        check("//", "/");
        check("*", "*");
        check("%2fhooks", "/hooks");
        check("", "");
    }

    proptest! {
        #[test]
        fn a_path_without_escapes_is_spelled_once(path in "(/[./a]{0,3}){0,6}") {
            let once = canonical_path(path.as_bytes());
            let twice = canonical_path(&once);
            prop_assert_eq!(&twice, &once);
            prop_assert!(!once.windows(2).any(|pair| pair == b"//"));
        }
    }
}
