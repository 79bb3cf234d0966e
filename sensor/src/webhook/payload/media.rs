//! What a request declares its content to be (RFC 9110, section 8.3).
//!
//! It must not know the content.

use super::charset::Charset;
use crate::http::Headers;

/// What a media type promises of the content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// JSON text (RFC 8259), or a type that is written in it (RFC 6839, section 3.1).
    Json,
    /// The fields of a form (WHATWG URL, section 5).
    Form,
    /// An XML document (RFC 7303).
    Xml,
    /// Text of another kind.
    Text,
    /// Anything: the type promises nothing that is checked, or there is none.
    Any,
}

/// The media type that `headers` declare, and the charset if they declare one.
pub(super) fn declared(headers: &Headers) -> (Kind, Option<Charset>) {
    let value = headers.first("content-type").unwrap_or_default();
    let mut parts = value.split(|octet| *octet == b';').map(<[u8]>::trim_ascii);
    let kind = kind(&parts.next().unwrap_or_default().to_ascii_lowercase());
    let charset = parts.find_map(|part| {
        let (name, value) = part.split_at_checked(b"charset=".len())?;
        name.eq_ignore_ascii_case(b"charset=").then_some(value)
    });
    (kind, charset.map(Charset::named))
}

fn kind(essence: &[u8]) -> Kind {
    match essence {
        b"application/json" | b"text/json" => Kind::Json,
        b"application/x-www-form-urlencoded" => Kind::Form,
        b"application/xml" | b"text/xml" => Kind::Xml,
        _ if essence.ends_with(b"+json") => Kind::Json,
        _ if essence.ends_with(b"+xml") => Kind::Xml,
        _ if essence.starts_with(b"text/") => Kind::Text,
        _ => Kind::Any,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::webhook::fixture::headers;

    #[test]
    fn types() {
        let check = |value: &str, expected: (Kind, Option<Charset>)| {
            assert_eq!(declared(&headers(&format!("Content-Type: {value}"))), expected, "{value}");
        };
        check("application/json", (Kind::Json, None));
        check("Application/JSON; v=2; Charset=\"UTF-8\"", (Kind::Json, Some(Charset::Utf8)));
        check("application/cloudevents+json;charset=utf-16", (Kind::Json, Some(Charset::Other)));
        check("application/x-www-form-urlencoded", (Kind::Form, None));
        check("text/plain; charset=iso-8859-1", (Kind::Text, Some(Charset::Other)));
        check("application/soap+xml", (Kind::Xml, None));
        check("multipart/form-data; boundary=json", (Kind::Any, None));
        check("", (Kind::Any, None));
        assert_eq!(declared(&headers("")), (Kind::Any, None));
    }
}
