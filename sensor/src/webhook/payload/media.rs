//! What a request declares its content to be (RFC 9110, section 8.3).
//!
//! It must not know the content.

use crate::http::Headers;

/// What a media type promises of the content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// JSON text (RFC 8259), or a type that is written in it (RFC 6839, section 3.1).
    Json,
    /// The fields of a form (WHATWG URL, section 5).
    Form,
    /// Text of another kind.
    Text,
    /// Anything: the type promises nothing that is checked, or there is none.
    Any,
}

/// How the characters of text are coded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Charset {
    /// UTF-8 or its subset, ASCII; also where none is declared.
    Utf8,
    /// One that is not read here.
    Other,
}

/// The media type that `headers` declare.
pub(super) fn declared(headers: &Headers) -> (Kind, Charset) {
    let value = headers.first("content-type").unwrap_or_default();
    let mut parts = value.split(|octet| *octet == b';').map(<[u8]>::trim_ascii);
    let kind = kind(&parts.next().unwrap_or_default().to_ascii_lowercase());
    let charset = parts.find_map(|part| {
        let (name, value) = part.split_at_checked(b"charset=".len())?;
        name.eq_ignore_ascii_case(b"charset=").then_some(value)
    });
    (kind, charset.map_or(Charset::Utf8, coded))
}

fn kind(essence: &[u8]) -> Kind {
    match essence {
        b"application/json" | b"text/json" => Kind::Json,
        b"application/x-www-form-urlencoded" => Kind::Form,
        b"application/xml" => Kind::Text,
        _ if essence.ends_with(b"+json") => Kind::Json,
        _ if essence.starts_with(b"text/") || essence.ends_with(b"+xml") => Kind::Text,
        _ => Kind::Any,
    }
}

fn coded(charset: &[u8]) -> Charset {
    let charset = charset.trim_ascii();
    let bare = charset.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\""));
    let is = |known: &[u8]| bare.unwrap_or(charset).eq_ignore_ascii_case(known);
    if is(b"utf-8") || is(b"utf8") || is(b"us-ascii") { Charset::Utf8 } else { Charset::Other }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::webhook::fixture::headers;

    #[test]
    fn types() {
        let check = |value: &str, expected: (Kind, Charset)| {
            assert_eq!(declared(&headers(&format!("Content-Type: {value}"))), expected, "{value}");
        };
        check("application/json", (Kind::Json, Charset::Utf8));
        check("Application/JSON; v=2; Charset=\"UTF-8\"", (Kind::Json, Charset::Utf8));
        check("application/cloudevents+json;charset=utf-16", (Kind::Json, Charset::Other));
        check("application/x-www-form-urlencoded", (Kind::Form, Charset::Utf8));
        check("text/plain; charset=iso-8859-1", (Kind::Text, Charset::Other));
        check("application/soap+xml", (Kind::Text, Charset::Utf8));
        check("multipart/form-data; boundary=json", (Kind::Any, Charset::Utf8));
        check("", (Kind::Any, Charset::Utf8));
        assert_eq!(declared(&headers("")), (Kind::Any, Charset::Utf8));
    }
}
