//! The parts of a request target (RFC 9112, section 3.2), as they were sent.
//!
//! It must not decode or judge them.

use super::octet_set::OctetSet;

/// A request target in parts. What the target's form does not have is absent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target<'a> {
    /// Host and port, with user information when there is any.
    pub authority: Option<&'a [u8]>,
    /// The path, with its first slash.
    pub path: Option<&'a [u8]>,
    /// What is between the question mark and the fragment or the end.
    pub query: Option<&'a [u8]>,
}

impl<'a> Target<'a> {
    /// Splits `target`, sent with `method`, which alone tells the authority-form.
    #[must_use]
    pub fn parse(method: &[u8], target: &'a [u8]) -> Self {
        if method == b"CONNECT" {
            return Self { authority: Some(target), path: None, query: None };
        }
        let (authority, rest) = match scheme_length(target) {
            Some(length) => {
                let after = &target[length..];
                let (authority, rest) = split_before(after, |b| matches!(b, b'/' | b'?' | b'#'));
                (Some(authority), rest)
            }
            None => (None, target),
        };
        let (without_fragment, _) = split_before(rest, |b| b == b'#');
        let (path, query) = split_before(without_fragment, |b| b == b'?');
        Self { authority, path: (!path.is_empty()).then_some(path), query: query.get(1..) }
    }

    /// The host of the authority: without user information and port.
    #[must_use]
    pub fn host(&self) -> Option<&'a [u8]> {
        self.authority.and_then(host_of)
    }
}

/// Whether `target`, sent with `method`, has one of the four forms. Two words have none.
pub(super) fn has_form(method: &[u8], target: &[u8]) -> bool {
    starts_as_form(method, target) && !target.iter().any(u8::is_ascii_whitespace)
}

/// Whether `target`, sent with `method`, has one of the four forms but for white space in it.
pub(super) fn starts_as_form(method: &[u8], target: &[u8]) -> bool {
    match method {
        b"CONNECT" => target.contains(&b':'),
        b"OPTIONS" if target == b"*" => true,
        _ => target.starts_with(b"/") || scheme_length(target).is_some(),
    }
}

/// Whether `value` may be that of a Host field: no octet of it is one that neither a host nor a
/// port has (RFC 3986, section 3.2.2). Octets beyond ASCII are taken, as receivers do.
pub(super) fn may_be_host(value: &[u8]) -> bool {
    static ODD: OctetSet = OctetSet::of(b" \"#/<>?@\\^`{|}\x7f").with_range(0, 0x1f);
    !value.iter().any(|octet| ODD.has(*octet))
}

/// The host of `authority`, which may be a Host header's value: without user information and port.
#[must_use]
pub fn host_of(authority: &[u8]) -> Option<&[u8]> {
    let authority = authority.rsplit(|b| *b == b'@').next()?.trim_ascii();
    // A Host field may hold anything; what follows would be a path or a query.
    let (authority, _) = split_before(authority, |b| matches!(b, b'/' | b'?' | b'#'));
    let end = if authority.starts_with(b"[") {
        authority.iter().position(|b| *b == b']').map(|bracket| bracket + 1)
    } else {
        authority.iter().position(|b| *b == b':')
    };
    let host = &authority[..end.unwrap_or(authority.len())];
    (!host.is_empty()).then_some(host)
}

/// Length of the scheme with its colon and slashes (RFC 3986, section 3.1).
fn scheme_length(target: &[u8]) -> Option<usize> {
    let colon = target.iter().position(|b| !(b.is_ascii_alphanumeric() || b"+-.".contains(b)))?;
    (colon > 0 && target[colon..].starts_with(b"://")).then_some(colon + 3)
}

fn split_before(text: &[u8], ends: impl Fn(u8) -> bool) -> (&[u8], &[u8]) {
    text.split_at(text.iter().position(|byte| ends(*byte)).unwrap_or(text.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(target: &str, authority: Option<&str>, path: Option<&str>, query: Option<&str>) {
        let expected = Target {
            authority: authority.map(str::as_bytes),
            path: path.map(str::as_bytes),
            query: query.map(str::as_bytes),
        };
        assert_eq!(Target::parse(b"POST", target.as_bytes()), expected, "{target}");
    }

    #[test]
    fn forms() {
        check("/hook", None, Some("/hook"), None);
        check("/hook?a=1?b", None, Some("/hook"), Some("a=1?b"));
        check("/hook?", None, Some("/hook"), Some(""));
        check("/hook?a#b?c", None, Some("/hook"), Some("a"));
        check("/hook#b?c", None, Some("/hook"), None);
        check("/a://b?c", None, Some("/a://b"), Some("c"));
        check("//a@b/c", None, Some("//a@b/c"), None);
        check("http://h:80/p?q", Some("h:80"), Some("/p"), Some("q"));
        check("HTTP://u:p@h?q", Some("u:p@h"), None, Some("q"));
        check("://h", None, Some("://h"), None);
        check("*", None, Some("*"), None);
        check("", None, None, None);
        let connect = Target::parse(b"CONNECT", b"h:443");
        assert_eq!((connect.host(), connect.path), (Some(&b"h"[..]), None));
    }

    #[test]
    fn a_target_has_one_of_four_forms() {
        let check = |method: &str, target: &str, expected: bool| {
            assert_eq!(has_form(method.as_bytes(), target.as_bytes()), expected, "{target}");
        };
        check("POST", "/hook", true);
        check("POST", "/", true);
        check("POST", "http://h/hook", true);
        check("CONNECT", "h:443", true);
        check("OPTIONS", "*", true);
        check("POST", "hook", false);
        check("POST", "h:443", false);
        check("POST", "*", false);
        check("CONNECT", "/hook", false);
        check("POST", "POST /hook", false);
        check("POST", "/a POST /hook", false);
        check("POST", "", false);
    }

    #[test]
    fn host_fields() {
        let check = |value: &str, expected: bool| {
            assert_eq!(may_be_host(value.as_bytes()), expected, "{value}");
        };
        check("example.com", true);
        check("example.com:8080", true);
        check("[2001:db8::1%25eth0]:80", true);
        check("under_score.example", true);
        check("b\u{fc}cher.example", true);
        check("", true);
        check("a b", false);
        check("a\tb", false);
        check("a/b", false);
        check("http://a", false);
        check("user@a", false);
        check("a?b", false);
        check("a#b", false);
        check("a\\b", false);
        check("a\u{7f}", false);
    }

    #[test]
    fn hosts() {
        let check = |authority: &str, expected: Option<&str>| {
            assert_eq!(host_of(authority.as_bytes()), expected.map(str::as_bytes), "{authority}");
        };
        check("example.com", Some("example.com"));
        check("example.com:8080", Some("example.com"));
        check("user:pass@example.com:8080", Some("example.com"));
        check("[2001:db8::1]:80", Some("[2001:db8::1]"));
        check("[2001:db8::1", Some("[2001:db8::1"));
        check(" h ", Some("h"));
        check("h?token=a", Some("h"));
        check("u/p@h/a?b", Some("h"));
        check("", None);
        check(":80", None);
        check("u@", None);
    }
}
