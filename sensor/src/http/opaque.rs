//! What a connection is that does not speak HTTP/1, as far as its first octets tell.
//!
//! It must not read anything after them.

use super::Flow;
use super::tls::{self, ClientHello};
use crate::capture::Timestamp;

/// What a client that speaks HTTP/2 without asking sends first (RFC 9113, section 3.4).
const HTTP2_PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A connection whose messages are not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opaque {
    /// The connection.
    pub flow: Flow,
    /// Time of its first packet.
    pub started: Timestamp,
    /// What it speaks.
    pub protocol: Protocol,
}

/// What a connection speaks instead of HTTP/1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Protocol {
    /// TLS, with what its client offered where that was seen whole.
    Tls(Option<Box<ClientHello>>),
    /// HTTP/2 without encryption.
    Http2,
    /// Nothing that was recognised.
    Unknown,
}

/// What a connection's first octets are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Start {
    /// Nothing that is known here.
    Other,
    /// The start of something; more octets are needed.
    Partial,
    Known(Protocol),
}

/// Looks at the first octets of a client.
pub(super) fn start(octets: &[u8]) -> Start {
    if octets.starts_with(HTTP2_PREFACE) {
        return Start::Known(Protocol::Http2);
    }
    if HTTP2_PREFACE.starts_with(octets) {
        return Start::Partial;
    }
    match tls::start(octets) {
        tls::Start::Other => Start::Other,
        tls::Start::Partial => Start::Partial,
        tls::Start::Hello(hello) => Start::Known(Protocol::Tls(hello)),
    }
}

/// What a connection speaks that ended, or was lost, after these octets of its start.
pub(super) fn cut_short(octets: &[u8]) -> Option<Protocol> {
    (octets.len() > 1 && tls::is_start(octets)).then_some(Protocol::Tls(None))
}
