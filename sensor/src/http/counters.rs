//! Owns what the stage counts.
//!
//! It must not know who reads it.

use super::{Exchange, Gravest};

/// Totals since the start.
///
/// `exchanges()` equals `requests` and `orphan_responses` together, less the exchanges that are
/// still open; `full` and the parts after it add up to `exchanges()`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counters {
    /// Requests seen.
    pub requests: u64,
    /// Requests taken back, and not counted above: what came in answer was not HTTP, and the method
    /// is not one in use, or the client had begun with what is no request, or they were sent where
    /// another protocol is spoken.
    pub taken_back: u64,
    /// Final responses seen.
    pub responses: u64,
    /// Of these, the ones whose request is not known.
    pub orphan_responses: u64,
    /// Exchanges put out with everything seen.
    pub full: u64,
    /// Exchanges put out that lack segments.
    pub gap: u64,
    /// Exchanges put out that lack no segment and ended early, or were cut by a limit.
    pub truncated: u64,
    /// Exchanges put out, otherwise whole, that a connection was in when it was first seen.
    pub midstream: u64,
    /// Exchanges put out, otherwise whole, while not every connection was copied up.
    pub sampled: u64,
    /// Exchanges put out without a response.
    pub unanswered: u64,
    /// Heads beyond the limit.
    pub long_heads: u64,
    /// Times a body asked for more memory for its content than was left, and was not kept whole.
    pub unkept_contents: u64,
    /// Requests that more than the allowed number of others had to be put out for.
    pub pipeline_overflows: u64,
    /// Octets where a message was due and none was recognised.
    pub unrecognised_octets: u64,
    /// Octets of connections that left HTTP or never spoke it.
    pub opaque_octets: u64,
    /// Connections that left HTTP or never spoke it.
    pub opaque_connections: u64,
    /// Connections that made room because heads took too much memory.
    pub head_evictions: u64,
    /// Requests whose trusted proxy sent something that is no address where one was due.
    pub bad_forwarding: u64,
    /// Segments of ports that are not read.
    pub unwatched_segments: u64,
}

impl Counters {
    /// Exchanges put out.
    #[must_use]
    pub fn exchanges(&self) -> u64 {
        self.full + self.gap + self.truncated + self.midstream + self.sampled
    }

    /// Takes a request back.
    pub(super) fn take_back(&mut self) {
        self.requests -= 1;
        self.taken_back += 1;
    }

    /// Counts an exchange under the gravest reason for which it is not full.
    pub(super) fn count(&mut self, exchange: &Exchange) {
        let part = match exchange.coverage.gravest() {
            Gravest::Full => &mut self.full,
            Gravest::Gap => &mut self.gap,
            Gravest::Truncated => &mut self.truncated,
            Gravest::Midstream => &mut self.midstream,
            Gravest::Sampled => &mut self.sampled,
        };
        *part += 1;
        self.unanswered += u64::from(exchange.response.is_none());
    }
}
