//! Parses the head of a message: by httparse where it follows the grammar, by `lenient` elsewhere.
//!
//! It must not know connections or bodies.

use std::mem::MaybeUninit;
use std::ops::Range;

use bytes::Bytes;

use super::start_line::{LEAST_STATUS, MAX_METHOD};
use super::target::starts_as_form;
use super::{Anomaly, Headers, Version, lenient};

/// Fields parsed by the fast path; a head with more takes the tolerant one.
const USUAL_FIELDS: usize = 96;

/// A request's head.
#[derive(Debug)]
pub(super) struct RequestHead {
    pub(super) method: Bytes,
    pub(super) target: Bytes,
    pub(super) version: Version,
    pub(super) headers: Headers,
    pub(super) anomalies: Vec<Anomaly>,
}

/// A response's head.
#[derive(Debug)]
pub(super) struct ResponseHead {
    pub(super) status: u16,
    pub(super) version: Version,
    pub(super) headers: Headers,
    pub(super) anomalies: Vec<Anomaly>,
}

/// How much deviation is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tolerance {
    /// The grammar, where nothing but the head itself says that it is one.
    Grammar,
    /// As [`Tolerance::Grammar`], with a field at least, where the first line alone is too weak a
    /// sign.
    GrammarAndField,
    /// Whatever can be understood, where a head is due.
    Understandable,
}

/// The head of a request; `None` when it is none.
pub(super) fn request(head: &Bytes, tolerance: Tolerance) -> Option<RequestHead> {
    let mut fields = [const { MaybeUninit::uninit() }; USUAL_FIELDS];
    let mut parsed = httparse::Request::new(&mut []);
    let complete = parsed.parse_with_uninit_headers(head, &mut fields);
    let (Ok(httparse::Status::Complete(_)), Some(method), Some(target), Some(minor)) =
        (complete, parsed.method, parsed.path, parsed.version)
    else {
        return match tolerance {
            Tolerance::Grammar | Tolerance::GrammarAndField => None,
            Tolerance::Understandable => lenient::request(head),
        };
    };
    let lacks_field = tolerance == Tolerance::GrammarAndField && parsed.headers.is_empty();
    if method.len() > MAX_METHOD || lacks_field {
        return None;
    }
    let is_formed = starts_as_form(method.as_bytes(), target.as_bytes());
    let anomalies = if is_formed { Vec::new() } else { vec![Anomaly::BadTarget] };
    Some(RequestHead {
        method: method_octets(head, method.as_bytes()),
        target: head.slice_ref(target.as_bytes()),
        version: Version(1, minor),
        headers: headers(head, parsed.headers),
        anomalies,
    })
}

/// The head of a request of which only the start is there, and perhaps not all of its first line.
pub(super) fn start_of_request(octets: &Bytes) -> Option<RequestHead> {
    if octets.contains(&b'\n') {
        lenient::request(octets)
    } else {
        lenient::start_of_request(octets)
    }
}

/// The head of a response; `None` when it is none.
pub(super) fn response(head: &Bytes, tolerance: Tolerance) -> Option<ResponseHead> {
    let mut fields = [const { MaybeUninit::uninit() }; USUAL_FIELDS];
    let mut parsed = httparse::Response::new(&mut []);
    let complete = httparse::ParserConfig::default().parse_response_with_uninit_headers(
        &mut parsed,
        head,
        &mut fields,
    );
    let (Ok(httparse::Status::Complete(_)), Some(status), Some(minor)) =
        (complete, parsed.code, parsed.version)
    else {
        return match tolerance {
            Tolerance::Grammar | Tolerance::GrammarAndField => None,
            Tolerance::Understandable => lenient::response(head),
        };
    };
    (status >= LEAST_STATUS).then(|| ResponseHead {
        status,
        version: Version(1, minor),
        headers: headers(head, parsed.headers),
        anomalies: Vec::new(),
    })
}

/// The usual methods cost no reference to the head.
fn method_octets(head: &Bytes, method: &[u8]) -> Bytes {
    match method {
        b"POST" => Bytes::from_static(b"POST"),
        b"GET" => Bytes::from_static(b"GET"),
        b"PUT" => Bytes::from_static(b"PUT"),
        b"HEAD" => Bytes::from_static(b"HEAD"),
        other => head.slice_ref(other),
    }
}

fn headers(head: &Bytes, fields: &[httparse::Header<'_>]) -> Headers {
    let ranges = fields
        .iter()
        .map(|field| (range(head, field.name.as_bytes()), range(head, field.value)))
        .collect();
    Headers::new(head.clone(), ranges)
}

/// Where in `head` its part `part` stands.
pub(super) fn range(head: &[u8], part: &[u8]) -> Range<u32> {
    let start = part.as_ptr().addr().wrapping_sub(head.as_ptr().addr());
    let narrow = |place: usize| u32::try_from(place).expect("a head is shorter than its limit");
    if part.is_empty() { 0..0 } else { narrow(start)..narrow(start + part.len()) }
}
