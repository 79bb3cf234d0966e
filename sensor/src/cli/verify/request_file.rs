//! A request out of a file: as it is on the wire, as tools print it, or in a HAR.
//!
//! It must not know what the request is for.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::Value;

use crate::http::Headers;
use crate::time::Timestamp;
use crate::webhook::NoContent;

/// Fields of a head that are read.
const MAX_FIELDS: usize = 128;

/// A request as a file has it.
#[derive(Debug)]
pub(super) struct RequestFile {
    pub(super) method: String,
    pub(super) target: String,
    pub(super) headers: Headers,
    /// The content, or why it is not there whole.
    pub(super) body: Result<Vec<u8>, NoContent>,
    /// The URL, where the file says so.
    pub(super) url: Option<String>,
    /// When it was sent, where that is known.
    pub(super) sent: Option<Timestamp>,
}

impl RequestFile {
    /// Reads any of the forms; says in words why it cannot.
    pub(super) fn read(octets: &[u8]) -> Result<Self, String> {
        if octets.trim_ascii_start().starts_with(b"{") {
            return from_har(octets).ok_or_else(|| {
                String::from(
                    "this is JSON and no HAR file with a request at log.entries[0].request",
                )
            });
        }
        from_wire(octets)
    }
}

fn from_wire(octets: &[u8]) -> Result<RequestFile, String> {
    let (head, body) = split(octets).ok_or_else(|| {
        String::from("no empty line ends the head; the file needs one before the body")
    })?;
    let head = plain(head);
    let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
    let mut request = httparse::Request::new(&mut fields);
    request.parse(&head).map_err(|error| format!("the head is not one of a request: {error}"))?;
    let fields: Vec<_> =
        request.headers.iter().map(|field| (field.name.to_owned(), field.value.to_vec())).collect();
    let is_chunked = fields.iter().any(|(name, value)| {
        name.eq_ignore_ascii_case("transfer-encoding")
            && value.to_ascii_lowercase().ends_with(b"chunked")
    });
    let body = if is_chunked { dechunked(body)? } else { declared(body, &fields).to_vec() };
    Ok(RequestFile {
        method: request.method.unwrap_or("POST").to_owned(),
        target: request.path.unwrap_or("/").to_owned(),
        headers: headers(&fields),
        body: Ok(body),
        url: None,
        sent: None,
    })
}

/// The head and the body, parted by the first empty line.
fn split(octets: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut start = 0;
    while let Some(length) = octets[start..].iter().position(|octet| *octet == b'\n') {
        let end = start + length + 1;
        let line = octets[start..end].trim_ascii();
        if start > 0 && (line.is_empty() || line == b">") {
            return Some((&octets[..start], &octets[end..]));
        }
        start = end;
    }
    None
}

/// The head with CRLF after each line and without the marks of `curl -v`.
fn plain(head: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(head.len() + 64);
    for line in head.split(|octet| *octet == b'\n') {
        let line = line.strip_prefix(b"> ").unwrap_or(line).trim_ascii_end();
        if !line.is_empty() {
            plain.extend_from_slice(line);
            plain.extend_from_slice(b"\r\n");
        }
    }
    plain.extend_from_slice(b"\r\n");
    plain
}

/// The body without the line ending that an editor puts at the end of a file: what stands behind the
/// declared length, where that is white space. Another difference may be what is looked for.
fn declared<'b>(body: &'b [u8], fields: &[(String, Vec<u8>)]) -> &'b [u8] {
    let length = fields.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    let length = length.and_then(|(_, value)| std::str::from_utf8(value).ok()?.trim().parse().ok());
    match length.and_then(|length| body.split_at_checked(length)) {
        Some((declared, rest)) if rest.trim_ascii().is_empty() => declared,
        _ => body,
    }
}

/// The content of a chunked body (RFC 9112, section 7.1); a body that is no longer chunked, as
/// tools print it, is taken as it is.
fn dechunked(body: &[u8]) -> Result<Vec<u8>, String> {
    let mut content = Vec::new();
    let mut rest = body;
    loop {
        let (size, at) = match httparse::parse_chunk_size(rest) {
            Ok(httparse::Status::Complete((at, size))) => (size, at),
            _ if content.is_empty() => return Ok(body.to_vec()),
            _ => return Err(String::from("the chunked body breaks off")),
        };
        if size == 0 {
            return Ok(content);
        }
        let size = usize::try_from(size).map_err(|_| String::from("a chunk is too large"))?;
        let chunk = rest.get(at..).and_then(|after| after.split_at_checked(size));
        let Some((chunk, after)) = chunk else {
            return Err(String::from("the chunked body breaks off"));
        };
        content.extend_from_slice(chunk);
        rest = after.strip_prefix(b"\r\n").unwrap_or(after);
    }
}

/// The first request of an HTTP Archive (version 1.2).
fn from_har(octets: &[u8]) -> Option<RequestFile> {
    let archive: Value = serde_json::from_slice(octets).ok()?;
    let request = archive.pointer("/log/entries/0/request")?;
    let text = |value: &Value, key: &str| value[key].as_str().map(str::to_owned);
    let url = text(request, "url")?;
    let fields: Vec<_> = request["headers"]
        .as_array()?
        .iter()
        .filter_map(|field| Some((text(field, "name")?, text(field, "value")?.into_bytes())))
        .collect();
    let body = request["postData"]["text"].as_str().unwrap_or_default();
    let is_base64 = request["postData"]["encoding"] == "base64";
    let body = if is_base64 { STANDARD.decode(body).ok()? } else { body.as_bytes().to_vec() };
    Some(RequestFile {
        method: text(request, "method")?,
        target: url.clone(),
        headers: headers(&fields),
        body: Ok(body),
        url: Some(url),
        sent: None,
    })
}

/// Header fields as the other stages know them.
pub(super) fn headers(fields: &[(String, Vec<u8>)]) -> Headers {
    let mut head = Vec::new();
    let mut ranges = Vec::new();
    let mut put = |octets: &[u8]| {
        let start = u32::try_from(head.len()).unwrap_or(u32::MAX);
        head.extend_from_slice(octets);
        start..u32::try_from(head.len()).unwrap_or(u32::MAX)
    };
    for (name, value) in fields {
        let name = put(name.as_bytes());
        ranges.push((name, put(value)));
    }
    Headers::new(Bytes::from(head), ranges)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        let check = |text: &str, body: &str, header: Option<&str>| {
            let read = RequestFile::read(text.as_bytes()).unwrap();
            assert_eq!(String::from_utf8_lossy(read.body.as_ref().unwrap()), body, "{text}");
            assert_eq!(read.headers.first("x-a").map(String::from_utf8_lossy).as_deref(), header);
            assert_eq!(read.method, "POST");
        };
        check("POST /a HTTP/1.1\r\nX-A: 1\r\n\r\nbody\n", "body\n", Some("1"));
        check("POST /a HTTP/1.1\nX-A: 1\n\nbody", "body", Some("1"));
        check("> POST /a HTTP/1.1\n> X-A: 1\n>\nbody", "body", Some("1"));
        let declares =
            |length| format!("POST / HTTP/1.1\nX-A: 1\nContent-Length: {length}\n\nbody\n");
        check(&declares("4"), "body", Some("1"));
        check(&declares("5"), "body\n", Some("1"));
        check(&declares("3"), "body\n", Some("1"));
        check(&declares("6"), "body\n", Some("1"));
        check(&declares("x"), "body\n", Some("1"));
        let chunked = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
        check(&format!("{chunked}3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"), "abcde", None);
        check(&format!("{chunked}printed"), "printed", None);
        check(
            &format!("{}3\r\nabc\r\n0\r\n\r\n", chunked.replace("chunked", "Chunked")),
            "abc",
            None,
        );
        let har = r#"{"log":{"entries":[{"request":{"method":"POST","url":"https://h/p?q",
            "headers":[{"name":"X-A","value":"1"}],"postData":{"text":"{}"}}}]}}"#;
        check(har, "{}", Some("1"));
    }

    #[test]
    fn what_is_no_request_is_said() {
        for (text, expected) in [
            ("POST / HTTP/1.1\r\nX: 1", "no empty line"),
            ("nonsense\n\n", "not one of a request"),
            ("{}", "no HAR file"),
        ] {
            let error = RequestFile::read(text.as_bytes()).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }
}
