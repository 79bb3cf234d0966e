//! What the HTTP stage hands on: exchanges, with everything that was certain and nothing else.
//!
//! It must not know how they were found.

use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;

use super::{Headers, Opaque};
use crate::capture::Timestamp;

/// What the HTTP stage saw on a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Observation {
    /// A request with its response, or either of them alone.
    Exchange(Box<Exchange>),
    /// A connection that does not speak HTTP/1, once.
    Opaque(Box<Opaque>),
    /// Octets to come that nothing needs: their capture may be saved.
    Skip(Skip),
}

/// The rest of a body that nobody needs, in one direction of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Skip {
    /// Who sends it.
    pub source: SocketAddr,
    /// Who receives it.
    pub destination: SocketAddr,
    /// Sequence number of the first octet behind it.
    pub until: u32,
}

/// One HTTP request and its response; at least one of the two was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exchange {
    /// The connection it was on.
    pub flow: Flow,
    /// Number of the exchange on its connection, from 0.
    pub index: u32,
    /// The client's address after trusted proxies are unwrapped; the source when there are none.
    pub client: IpAddr,
    /// The request, unless it was lost.
    pub request: Option<Request>,
    /// The final response, unless none was seen.
    pub response: Option<Response>,
    /// Why this record may be incomplete; empty when everything was seen.
    pub coverage: Coverage,
    /// Deviations from the grammar, each named once, in the order they were met.
    pub anomalies: Vec<Anomaly>,
}

impl Exchange {
    /// Octets of memory that its heads take.
    pub(super) fn head_octets(&self) -> usize {
        let request = self.request.as_ref().map_or(0, |request| request.headers.octets());
        let response = self.response.as_ref().map_or(0, |response| response.headers.octets());
        request + response
    }
}

/// The connection that carried an exchange.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flow {
    /// Identifies the connection: stable for the same packets, live or replayed.
    pub id: u64,
    /// The peer that sent the requests.
    pub source: SocketAddr,
    /// The peer that answered them.
    pub destination: SocketAddr,
    /// Outermost VLAN identifier.
    pub vlan: Option<u16>,
    /// Interface index of the first segment.
    pub interface: u32,
}

/// A request as it was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// When its first octet was seen.
    pub started: Timestamp,
    /// The method, in its original case.
    pub method: Bytes,
    /// The request target exactly as sent (RFC 9112, section 3.2).
    pub target: Bytes,
    /// The version of its request line.
    pub version: Version,
    /// Header fields.
    pub headers: Headers,
    /// The message body.
    pub body: Body,
    /// Octets of the whole message on the wire, framing included.
    pub wire_bytes: u64,
    /// Whether it may be none, but part of the body of one of which the head was not seen: that one
    /// was not answered when it was sent.
    pub doubtful: bool,
}

/// A final response as it was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// When the first octet of the response was seen; of the first interim one, if there was any.
    pub started: Timestamp,
    /// The status code of the final response.
    pub status: u16,
    /// The version of its status line.
    pub version: Version,
    /// Header fields.
    pub headers: Headers,
    /// The message body.
    pub body: Body,
    /// Octets of the whole message on the wire, framing included.
    pub wire_bytes: u64,
}

/// An HTTP version: major and minor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub u8, pub u8);

impl Version {
    /// What is said in its place cannot be read as one.
    pub const UNREADABLE: Self = Self(0, 0);
}

/// A message body after its transfer coding was taken off.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Body {
    /// Octets of content.
    pub bytes: u64,
    /// SHA-256 of the whole content; absent when not asked for or when octets are missing.
    pub sha256: Option<[u8; 32]>,
    /// The content, where it was asked for.
    pub content: Option<Bytes>,
    /// Whether `content` or `bytes` fall short of what the message declared.
    pub truncated: bool,
    /// Whether the head ended early, so that it is not known whether there is a body: `bytes` is 0.
    pub unseen: bool,
    /// Whether no memory was left to keep the content in, where it was asked for.
    pub unkept: bool,
}

/// Why an exchange may be incomplete, as a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Coverage(u8);

impl Coverage {
    /// Everything was seen.
    pub const FULL: Self = Self(0);
    /// The connection was under way when it was first seen.
    pub const MIDSTREAM: Self = Self(1);
    /// Segments are missing.
    pub const GAP: Self = Self(2);
    /// The message ended early, or a limit cut it.
    pub const TRUNCATED: Self = Self(4);
    /// Not every connection was being copied up.
    pub const SAMPLED: Self = Self(8);

    const NAMES: [(Self, &'static str); 4] = [
        (Self::MIDSTREAM, "midstream"),
        (Self::GAP, "gap"),
        (Self::TRUNCATED, "truncated"),
        (Self::SAMPLED, "sampled"),
    ];

    /// Where to count it: under the one reason that leaves most in doubt.
    #[must_use]
    pub const fn gravest(self) -> Gravest {
        if self.has(Self::GAP) {
            Gravest::Gap
        } else if self.has(Self::TRUNCATED) {
            Gravest::Truncated
        } else if self.has(Self::MIDSTREAM) {
            Gravest::Midstream
        } else if self.has(Self::SAMPLED) {
            Gravest::Sampled
        } else {
            Gravest::Full
        }
    }

    /// Adds the reasons of `other`.
    pub fn add(&mut self, other: Self) {
        self.0 |= other.0;
    }

    /// Whether no reason is set.
    #[must_use]
    pub const fn is_full(self) -> bool {
        self.0 == 0
    }

    /// Whether every reason of `other` is set.
    #[must_use]
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The names of the reasons, as they stand in records.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Self::NAMES.into_iter().filter(move |(reason, _)| self.has(*reason)).map(|(_, name)| name)
    }
}

/// The parts that exchanges are counted in, each in one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gravest {
    /// Nothing is missing.
    Full,
    /// Segments are missing.
    Gap,
    /// It ended early, or a limit cut it.
    Truncated,
    /// Its connection was under way when first seen.
    Midstream,
    /// Not every connection was being copied up.
    Sampled,
}

impl Gravest {
    /// Every part and its name in figures, at the index of its number.
    pub const NAMES: [&'static str; 5] = ["full", "gap", "truncated", "midstream", "sampled"];
}

/// A deviation from the grammar of RFC 9112 that was seen and survived.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Anomaly {
    /// Several lengths that disagree, or a length beside a transfer coding.
    ConflictingLength,
    /// The same length more than once.
    RepeatedLength,
    /// A length that is no decimal number, or too large for one of 64 bits.
    BadContentLength,
    /// A transfer coding that is not `chunked` at its end, has that more than once or has empty
    /// elements, or stands in a request of HTTP/1.0.
    TransferCoding,
    /// A chunk size that is no number, too large, or in a line without end or with control
    /// characters in it.
    BadChunkSize,
    /// Chunk data that is longer or shorter than its size.
    BadChunk,
    /// A trailer section beyond the limit.
    TrailerTooLong,
    /// A line that ends in LF alone.
    BareLf,
    /// A field value folded over several lines.
    ObsFold,
    /// White space before the colon of a field.
    SpaceBeforeColon,
    /// White space before the first field. What is behind it in its line is left out (RFC 9112,
    /// section 2.2).
    SpaceBeforeFields,
    /// A field line without a colon.
    FieldWithoutColon,
    /// A field name that is no token.
    FieldName,
    /// More fields than any sender has need of.
    TooManyFields,
    /// A CR inside a line, which to some is its end.
    BareCr,
    /// More than one Host field.
    RepeatedHost,
    /// A Host field with characters that are in no host and no port (RFC 9112, section 3.2).
    BadHost,
    /// A request line with white space where none may be.
    RequestLine,
    /// A target that has none of the four forms (RFC 9112, section 3.2).
    BadTarget,
    /// A status that runs into what follows it, or that not one space stands before.
    StatusLine,
    /// A version other than 1.0 and 1.1.
    BadVersion,
    /// A NUL octet in the head.
    Nul,
    /// Another control character in the head, but for tabs and the ends of lines.
    ControlCharacter,
    /// A length other than 0, or a transfer coding, on a response that has neither: with the status
    /// 101 or 204, or where it grants a tunnel (RFC 9110, section 8.6; RFC 9112, section 6.1).
    LengthWithoutBody,
    /// A head beyond the limit.
    HeadTooLong,
    /// Segments that overlap and differ; the first ones are recorded.
    ConflictingSegments,
    /// A request line in the place of a body that its sender asked whether to send, and that a
    /// final status declined: the body was left out, or the request is part of it.
    DeclinedBody,
    /// Octets in place of the request that are none.
    UnrecognisedRequest,
    /// Octets in place of the response that are none; behind the response before it, as a rule.
    UnrecognisedResponse,
    /// A response where every request has one already and no octet is missing.
    UnaskedResponse,
}

impl Anomaly {
    /// The name that stands in records.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ConflictingLength => "conflicting_length",
            Self::RepeatedLength => "repeated_length",
            Self::BadContentLength => "bad_content_length",
            Self::TransferCoding => "transfer_coding",
            Self::BadChunkSize => "bad_chunk_size",
            Self::BadChunk => "bad_chunk",
            Self::TrailerTooLong => "trailer_too_long",
            Self::BareLf => "bare_lf",
            Self::ObsFold => "obs_fold",
            Self::SpaceBeforeColon => "space_before_colon",
            Self::SpaceBeforeFields => "space_before_fields",
            Self::FieldWithoutColon => "field_without_colon",
            Self::FieldName => "field_name",
            Self::TooManyFields => "too_many_fields",
            Self::BareCr => "bare_cr",
            Self::RepeatedHost => "repeated_host",
            Self::BadHost => "bad_host",
            Self::RequestLine => "request_line",
            Self::BadTarget => "bad_target",
            Self::StatusLine => "status_line",
            Self::BadVersion => "bad_version",
            Self::Nul => "nul",
            Self::ControlCharacter => "control_character",
            Self::LengthWithoutBody => "length_without_body",
            Self::HeadTooLong => "head_too_long",
            Self::ConflictingSegments => "conflicting_segments",
            Self::DeclinedBody => "declined_body",
            Self::UnrecognisedRequest => "unrecognised_request",
            Self::UnrecognisedResponse => "unrecognised_response",
            Self::UnaskedResponse => "unasked_response",
        }
    }
}
