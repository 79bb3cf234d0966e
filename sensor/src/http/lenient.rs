//! Reads heads that break the grammar and can be understood all the same, naming what they break.
//!
//! It must not guess: a field or line that has no certain meaning is left out and named.

use bytes::Bytes;

use super::head::{RequestHead, ResponseHead, range};
use super::start_line::{self, VERSION_LENGTH, is_token, trim_ows};
use super::target::starts_as_form;
use super::{Anomaly, Headers, Version};

/// Fields of one head from which on their number is named; common servers refuse over a hundred.
/// All of them are kept, which `MAX_HEAD` bounds: any may frame the body or say who sent it.
const MANY_FIELDS: usize = 1024;

/// The head of a request, whole or cut off; `None` when its first line is no request line.
pub(super) fn request(head: &Bytes) -> Option<RequestHead> {
    let mut anomalies = Anomalies::default();
    let (head, body) = unfold(head, &mut anomalies);
    let line = first_line(&head);
    let parts = start_line::request_line(line)?;
    if parts.target.iter().any(u8::is_ascii_whitespace) || !is_single_spaced(line, &parts) {
        anomalies.add(Anomaly::RequestLine);
    }
    if !starts_as_form(parts.method, parts.target) {
        anomalies.add(Anomaly::BadTarget);
    }
    anomalies.add_version(parts.version);
    if !parts.exact {
        anomalies.add(Anomaly::BadVersion);
    }
    let (method, target) = (head.slice_ref(parts.method), head.slice_ref(parts.target));
    let version = parts.version;
    let headers = fields(&head, body, &mut anomalies);
    Some(RequestHead { method, target, version, headers, anomalies: anomalies.0 })
}

/// The method and as much of the target as is there, of a request line that goes on.
pub(super) fn start_of_request(octets: &Bytes) -> Option<RequestHead> {
    let method = octets.split(|octet| *octet == b' ').next().unwrap_or_default();
    let rest = octets.get(method.len() + 1..)?;
    let target = rest.split(u8::is_ascii_whitespace).next().filter(|target| !target.is_empty())?;
    start_line::is_known_method(method).then(|| RequestHead {
        method: octets.slice_ref(method),
        target: octets.slice_ref(target),
        version: Version::UNREADABLE,
        headers: Headers::default(),
        anomalies: Vec::new(),
    })
}

/// The head of a response, whole or cut off; `None` when its first line is no status line.
pub(super) fn response(head: &Bytes) -> Option<ResponseHead> {
    let mut anomalies = Anomalies::default();
    let (head, body) = unfold(head, &mut anomalies);
    let line = first_line(&head);
    let parts = start_line::status_line(line)?;
    anomalies.add_version(parts.version);
    let is_short = line.get(VERSION_LENGTH).is_some_and(u8::is_ascii_whitespace);
    if !is_short || !start_line::may_be_usual_response(line) {
        anomalies.add(Anomaly::BadVersion);
    }
    if !parts.exact {
        anomalies.add(Anomaly::StatusLine);
    }
    let headers = fields(&head, body, &mut anomalies);
    let (status, version) = (parts.status, parts.version);
    Some(ResponseHead { status, version, headers, anomalies: anomalies.0 })
}

/// Deviations, each once, in the order met.
#[derive(Default)]
struct Anomalies(Vec<Anomaly>);

impl Anomalies {
    fn add(&mut self, anomaly: Anomaly) {
        if !self.0.contains(&anomaly) {
            self.0.push(anomaly);
        }
    }

    fn add_version(&mut self, version: Version) {
        if !matches!(version, Version(1, 0 | 1)) {
            self.add(Anomaly::BadVersion);
        }
    }
}

/// The head with every folded line joined to the one before by spaces (RFC 9112, section 5.2), and
/// where its field lines start. A copy is made only when there is something to unfold.
fn unfold(head: &Bytes, anomalies: &mut Anomalies) -> (Bytes, usize) {
    if head.contains(&0) {
        anomalies.add(Anomaly::Nul);
    }
    if head.iter().any(|octet| is_stray_control(*octet)) {
        anomalies.add(Anomaly::ControlCharacter);
    }
    if memchr::memchr_iter(b'\r', head).any(|at| head.get(at + 1).is_some_and(|o| *o != b'\n')) {
        anomalies.add(Anomaly::BareCr);
    }
    let body = first_field(head, anomalies);
    let folds: Vec<usize> = (body..head.len().saturating_sub(1))
        .filter(|at| head[*at] == b'\n' && matches!(head[at + 1], b' ' | b'\t'))
        .collect();
    if folds.is_empty() {
        return (head.clone(), body);
    }
    anomalies.add(Anomaly::ObsFold);
    let mut unfolded = head.to_vec();
    for at in folds {
        unfolded[at] = b' ';
        if unfolded[at - 1] == b'\r' {
            unfolded[at - 1] = b' ';
        }
    }
    (unfolded.into(), body)
}

/// Whether the octet is a control character that has no place in a head and no name of its own.
fn is_stray_control(octet: u8) -> bool {
    octet.is_ascii_control() && !matches!(octet, 0 | b'\t' | b'\r' | b'\n')
}

/// Position after the first line's ending.
fn first_line_end(head: &[u8]) -> usize {
    head.iter().position(|octet| *octet == b'\n').map_or(head.len(), |at| at + 1)
}

/// Where the first field line starts, behind lines that start with white space: they fold nothing,
/// and none of them is believed (RFC 9112, section 2.2).
fn first_field(head: &[u8], anomalies: &mut Anomalies) -> usize {
    let mut at = first_line_end(head);
    while matches!(head.get(at), Some(b' ' | b'\t')) {
        anomalies.add(Anomaly::SpaceBeforeFields);
        at += first_line_end(&head[at..]);
    }
    at
}

fn first_line(head: &[u8]) -> &[u8] {
    without_ending(&head[..first_line_end(head)])
}

fn without_ending(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// Whether there is one space before the target, one after it, and none after the version.
fn is_single_spaced(line: &[u8], parts: &start_line::RequestLine<'_>) -> bool {
    let before = parts.method.len() + 1;
    let version = line.get(before + parts.target.len() + 1..).unwrap_or_default();
    let around = [line.get(before - 1), line.get(before + parts.target.len())];
    around == [Some(&b' '); 2]
        && line[before..].starts_with(parts.target)
        && !version.is_empty()
        && !version.iter().any(u8::is_ascii_whitespace)
}

/// The fields of complete lines from `at` on.
fn fields(head: &Bytes, at: usize, anomalies: &mut Anomalies) -> Headers {
    let mut ranges = Vec::new();
    let lines = head[at..].split_inclusive(|octet| *octet == b'\n');
    for line in lines.filter(|line| line.ends_with(b"\n")).map(without_ending) {
        if line.is_empty() {
            break;
        }
        let Some(colon) = line.iter().position(|octet| *octet == b':') else {
            anomalies.add(Anomaly::FieldWithoutColon);
            continue;
        };
        let (name, value) = (&line[..colon], trim_ows(&line[colon + 1..]));
        let trimmed = trim_ows(name);
        if trimmed.len() < name.len() {
            anomalies.add(Anomaly::SpaceBeforeColon);
        }
        if trimmed.is_empty() || !trimmed.iter().copied().all(is_token) {
            anomalies.add(Anomaly::FieldName);
        }
        if ranges.len() == MANY_FIELDS {
            anomalies.add(Anomaly::TooManyFields);
        }
        ranges.push((range(head, trimmed), range(head, value)));
    }
    Headers::new(head.clone(), ranges)
}
