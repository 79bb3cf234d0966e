//! The fields of a form (`application/x-www-form-urlencoded`, WHATWG URL, section 5.1).
//!
//! It must not know what a field means.

use std::borrow::Cow;

use crate::http::unescape;

/// Every field of `body` as (name, value), decoded, in the order sent.
pub(super) fn fields(body: &[u8]) -> impl Iterator<Item = (Cow<'_, [u8]>, Cow<'_, [u8]>)> {
    body.split(|b| *b == b'&').filter(|field| !field.is_empty()).map(|field| {
        let equals = field.iter().position(|b| *b == b'=');
        let (name, value) = field.split_at(equals.unwrap_or(field.len()));
        (decode(name), decode(value.get(1..).unwrap_or_default()))
    })
}

fn decode(text: &[u8]) -> Cow<'_, [u8]> {
    if !text.iter().any(|b| matches!(b, b'+' | b'%')) {
        return Cow::Borrowed(text);
    }
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((octet, after)) = unescape(rest) {
        decoded.push(if rest[0] == b'+' { b' ' } else { octet });
        rest = after;
    }
    Cow::Owned(decoded)
}

/// The value of a hexadecimal digit.
pub(super) const fn digit(octet: u8) -> Option<u8> {
    match octet {
        b'0'..=b'9' => Some(octet - b'0'),
        b'a'..=b'f' => Some(octet - b'a' + 10),
        b'A'..=b'F' => Some(octet - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decoded() {
        let check = |body: &str, expected: &[(&str, &str)]| {
            let text = |octets: Cow<'_, [u8]>| String::from_utf8_lossy(&octets).into_owned();
            let found: Vec<_> =
                fields(body.as_bytes()).map(|(name, value)| (text(name), text(value))).collect();
            let expected: Vec<_> =
                expected.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
            assert_eq!(found, expected, "{body}");
        };
        check("a=1&b=2", &[("a", "1"), ("b", "2")]);
        check("a+b=%2B1%20&&c", &[("a b", "+1 "), ("c", "")]);
        check("a=%zz%4&=x=y", &[("a", "%zz%4"), ("", "x=y")]);
        check("", &[]);
    }
}
