//! Owns where a message body ends (RFC 9112, section 6.3), and what is kept of it.
//!
//! It must not know heads beyond the fields that frame the body.

use std::net::IpAddr;

use sha2::{Digest, Sha256};

use super::allowance::{Allowance, Loan};
use super::chunked::{Chunked, Turn};
use super::start_line::trim_ows;
use super::{Anomaly, Body, BodyPolicy, Headers, Version, is_same_name};
use crate::config::MAX_RECORD_BODY;

/// How the end of a body is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    /// This many octets are left.
    Length(u64),
    /// By the chunked coding.
    Chunked(Chunked),
    /// By the end of the connection.
    UntilClose,
}

/// What became of octets given to a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Taken {
    /// Octets that belonged to the body or its coding.
    pub(super) octets: usize,
    /// Of these, the last so many are content.
    pub(super) content: usize,
    pub(super) state: Progress,
}

/// Whether a body goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    /// More is to come.
    More,
    /// It ended where its framing said.
    Done,
    /// Its framing broke; where it ends is not known.
    Broken,
}

/// What became of a gap in a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Skip {
    /// The gap lies within; so many octets of content are missing.
    Within(u64),
    /// The gap reaches to the body's end or beyond: missing content, and octets after the end.
    Past(u64, u64),
    /// The gap may hold framing; where the body ends is not known.
    Lost,
}

impl Framing {
    /// How a request's body ends.
    pub(super) fn of_request(
        version: Version,
        headers: &Headers,
        anomalies: &mut Vec<Anomaly>,
    ) -> Self {
        let (length, coding) = framing_fields(headers, anomalies);
        if coding.is_some() && version == Version(1, 0) {
            // Its framing is faulty to a reader of today, and unknown to one of its own time
            // (RFC 9112, section 6.1).
            note(anomalies, Anomaly::TransferCoding);
        }
        match coding {
            Some(coding) => Self::coded(coding, length, anomalies).unwrap_or(Self::Length(0)),
            None => Self::Length(length.unwrap_or(0)),
        }
    }

    /// Whether a request with this framing and these `anomalies` may go on: a server that makes
    /// something of such a field takes what follows for the body. RFC 9112, section 6.3, has the
    /// request refused.
    pub(super) fn is_guess(self, anomalies: &[Anomaly]) -> bool {
        let is_unclear =
            |anomaly| matches!(anomaly, &Anomaly::BadContentLength | &Anomaly::TransferCoding);
        self == Self::Length(0) && anomalies.iter().any(is_unclear)
    }

    /// How a final response's body ends, when its status and request allow one.
    pub(super) fn of_response(headers: &Headers, anomalies: &mut Vec<Anomaly>) -> Self {
        let (length, coding) = framing_fields(headers, anomalies);
        match coding {
            Some(coding) => Self::coded(coding, length, anomalies).unwrap_or(Self::UntilClose),
            None => length.map_or(Self::UntilClose, Self::Length),
        }
    }

    /// `None` when the coding is not one that ends by itself.
    fn coded(coding: &[u8], length: Option<u64>, anomalies: &mut Vec<Anomaly>) -> Option<Self> {
        if length.is_some() {
            note(anomalies, Anomaly::ConflictingLength);
        }
        if ends_chunked(coding) {
            if codings(coding).filter(|one| is_chunked(one)).count() > 1 {
                note(anomalies, Anomaly::TransferCoding);
            }
            return Some(Self::Chunked(Chunked::START));
        }
        if !trim_ows(coding).eq_ignore_ascii_case(b"identity") {
            note(anomalies, Anomaly::TransferCoding);
        }
        length.map(Self::Length)
    }

    /// Takes octets that follow; call again with the rest while there is more.
    pub(super) fn take(&mut self, octets: &[u8], anomalies: &mut Vec<Anomaly>) -> Taken {
        match self {
            Self::UntilClose => {
                let all = octets.len();
                Taken { octets: all, content: all, state: Progress::More }
            }
            Self::Length(left) => {
                let part = shorter(*left, octets.len());
                *left -= part as u64;
                let state = if *left == 0 { Progress::Done } else { Progress::More };
                Taken { octets: part, content: part, state }
            }
            Self::Chunked(chunked) => take_chunked(chunked, octets, anomalies),
        }
    }

    /// Passes over octets that were not captured.
    pub(super) fn skip(&mut self, gap: u64) -> Skip {
        match self {
            Self::UntilClose => Skip::Within(gap),
            Self::Length(left) if gap < *left => {
                *left -= gap;
                Skip::Within(gap)
            }
            Self::Length(left) => Skip::Past(*left, gap - *left),
            Self::Chunked(Chunked::Data(left)) if gap <= *left => {
                *left -= gap;
                if *left == 0 {
                    *self = Self::Chunked(Chunked::DataEnd { carriage_return: false });
                }
                Skip::Within(gap)
            }
            Self::Chunked(_) => Skip::Lost,
        }
    }
}

fn take_chunked(chunked: &mut Chunked, octets: &[u8], anomalies: &mut Vec<Anomaly>) -> Taken {
    let mut at = 0;
    while at < octets.len() {
        if let Chunked::Data(left) = chunked {
            let part = shorter(*left, octets.len() - at);
            *left -= part as u64;
            if *left == 0 {
                *chunked = Chunked::DataEnd { carriage_return: false };
            }
            return Taken { octets: at + part, content: part, state: Progress::More };
        }
        let turn = chunked.turn(octets[at]);
        at += 1;
        let state = match turn {
            Turn::On(next) => {
                *chunked = next;
                continue;
            }
            Turn::Odd(next, anomaly) => {
                *chunked = next;
                note(anomalies, anomaly);
                continue;
            }
            Turn::End => Progress::Done,
            Turn::OddEnd(anomaly) => {
                note(anomalies, anomaly);
                Progress::Done
            }
            Turn::Broken(anomaly) => {
                note(anomalies, anomaly);
                Progress::Broken
            }
        };
        return Taken { octets: at, content: 0, state };
    }
    Taken { octets: at, content: 0, state: Progress::More }
}

fn shorter(left: u64, available: usize) -> usize {
    usize::try_from(left).map_or(available, |left| left.min(available))
}

/// Names a deviation once.
pub(super) fn note(anomalies: &mut Vec<Anomaly>, anomaly: Anomaly) {
    if !anomalies.contains(&anomaly) {
        anomalies.push(anomaly);
    }
}

/// The length declared, and the last Transfer-Encoding field, whose last coding frames the body.
/// That is the only one that may be `chunked` (RFC 9112, section 6.1).
fn framing_fields<'a>(
    headers: &'a Headers,
    anomalies: &mut Vec<Anomaly>,
) -> (Option<u64>, Option<&'a [u8]>) {
    let mut length = None;
    let mut coding = None;
    if headers.first("transfer-encoding").is_none() {
        let lengths = headers.all("content-length");
        lengths.for_each(|value| declare_length(&mut length, value, anomalies));
        return (length, None);
    }
    // What is odd is named in the order in which it was sent.
    for (name, value) in headers.iter() {
        if is_same_name(name, b"content-length") {
            declare_length(&mut length, value, anomalies);
        } else if is_same_name(name, b"transfer-encoding") {
            if coding.is_some_and(ends_chunked) || has_empty_element(value) {
                note(anomalies, Anomaly::TransferCoding);
            }
            if coding.is_none() || codings(value).next().is_some() {
                coding = Some(value);
            }
        }
    }
    (length, coding)
}

/// Whether fields say that there is a body, were it an empty one in chunks. Servers write a length
/// of 0 where there may be none, which is as good as nothing.
pub(super) fn declares_body(headers: &Headers) -> bool {
    headers.first("transfer-encoding").is_some()
        || headers.all("content-length").any(|value| trim_ows(value) != b"0")
}

/// The codings of a list, in which empty elements say nothing (RFC 9110, section 5.6.1.2).
fn codings(value: &[u8]) -> impl DoubleEndedIterator<Item = &[u8]> {
    elements(value).filter(|element| !element.is_empty())
}

/// Whether a list has an element that no sender may make, and that some readers take for the last.
fn has_empty_element(value: &[u8]) -> bool {
    elements(value).any(<[u8]>::is_empty)
}

fn elements(value: &[u8]) -> impl DoubleEndedIterator<Item = &[u8]> {
    value.split(|octet| *octet == b',').map(trim_ows)
}

fn ends_chunked(value: &[u8]) -> bool {
    codings(value).next_back().is_some_and(is_chunked)
}

fn is_chunked(coding: &[u8]) -> bool {
    coding.eq_ignore_ascii_case(b"chunked")
}

/// Takes a Content-Length field in; the first of several lengths stands, which is named.
fn declare_length(length: &mut Option<u64>, value: &[u8], anomalies: &mut Vec<Anomaly>) {
    for value in value.split(|octet| *octet == b',') {
        match (decimal(trim_ows(value)), *length) {
            (None, _) => note(anomalies, Anomaly::BadContentLength),
            (number, None) => *length = number,
            (number, first) if number == first => note(anomalies, Anomaly::RepeatedLength),
            _ => note(anomalies, Anomaly::ConflictingLength),
        }
    }
}

fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |number, octet| {
        let digit = octet.is_ascii_digit().then(|| u64::from(octet - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    })
}

/// Keeps what the policy asks for of one body.
#[derive(Debug)]
pub(super) struct Collector {
    policy: BodyPolicy,
    digest: Sha256,
    content: Vec<u8>,
    /// The memory that `content` takes.
    loan: Loan,
    /// Whether octets are missing; a digest of the rest would be a lie.
    holed: bool,
    /// Whether there is more content than is to be kept.
    overflowed: bool,
    /// Whether no memory was left for the content.
    refused: bool,
}

impl Collector {
    /// A collector, unless there is nothing to keep.
    pub(super) fn new(
        policy: BodyPolicy,
        client: IpAddr,
        allowance: &Allowance,
    ) -> Option<Box<Self>> {
        policy.keeps_anything().then(|| {
            Box::new(Self {
                policy,
                digest: Sha256::new(),
                content: Vec::new(),
                loan: Loan::new(allowance, client),
                holed: false,
                overflowed: false,
                refused: false,
            })
        })
    }

    pub(super) fn add(&mut self, octets: &[u8]) {
        if self.policy.sha256 && !self.holed {
            self.digest.update(octets);
        }
        if self.holed || self.overflowed || self.refused {
            return;
        }
        let room = self.policy.content_cap - self.content.len();
        self.overflowed = octets.len() > room;
        let octets = &octets[..octets.len().min(room)];
        self.refused = !self.has_room(octets.len());
        if self.refused {
            self.keep(0);
            return;
        }
        self.content.extend_from_slice(octets);
        if self.overflowed {
            // A part checks nothing, and is at most shown.
            self.keep(MAX_RECORD_BODY);
        }
    }

    /// Gives back the memory of all but the first so many octets.
    fn keep(&mut self, octets: usize) {
        self.content.truncate(octets);
        self.content.shrink_to_fit();
        self.loan.keep(self.content.capacity());
    }

    /// Whether there is memory for so many octets more, which is asked for in ever larger pieces up
    /// to the cap.
    fn has_room(&mut self, octets: usize) -> bool {
        let capacity = self.content.capacity();
        let length = self.content.len() + octets;
        if length <= capacity {
            return true;
        }
        let larger = length.max(2 * capacity).min(self.policy.content_cap);
        let granted = self.loan.grow(larger - capacity);
        if granted {
            self.content.reserve_exact(larger - self.content.len());
        }
        granted
    }

    pub(super) fn miss(&mut self) {
        self.holed = true;
    }

    /// Hands over what was kept; `whole` says that the body ended where it should.
    pub(super) fn finish(self, whole: bool, body: &mut Body) {
        let complete = whole && !self.holed;
        if self.policy.sha256 && complete {
            body.sha256 = Some(self.digest.finalize().into());
        }
        if self.policy.content_cap > 0 {
            body.truncated |= self.overflowed || !complete;
            body.unkept = self.refused;
            body.content = (!self.refused).then(|| self.content.into());
        }
    }
}
