//! Tells whether a segment between the endpoints of a known connection belongs to it, or begins
//! another one.
//!
//! It must not know what becomes of either connection. A SYN alone ends nothing: anybody can send
//! one, and a host answers it with what it expects next and goes on (RFC 5961, section 4). What it
//! takes for a new connection it acknowledges.

use crate::capture::{Segment, TcpFlags};

use super::flow::Flow;
use super::{Side, seq};

/// How far a number may lie from what its stream had reached and still be of the old
/// connection: what a capture may lack of a fast upload, and 1/128 of all numbers.
const OLD_SPACE: i64 = 1 << 24;

/// How much of a new connection may be sent and acknowledged before it is known as one, where the
/// answer to its SYN was not captured: the window of a handshake, which is not scaled (RFC 7323,
/// section 2.2).
const NEW_SPACE: i64 = 1 << 16;

/// A SYN that may begin another connection, until it is answered.
#[derive(Debug)]
pub(super) struct Doubtful {
    sender: Side,
    syn: Segment<'static>,
}

/// What a segment is to a connection with its endpoints.
#[derive(Debug)]
pub(super) enum Relation {
    /// Part of it.
    Own,
    /// Of a start that nobody has answered.
    Doubtful,
    /// Part of another connection, which takes its place: after this SYN, or with the segment.
    Next(Option<Segment<'static>>),
}

impl Flow {
    /// What `segment` is to this connection; a SYN that may be more is kept.
    pub(super) fn relate(&mut self, sender: Side, segment: &Segment<'_>) -> Relation {
        let syn = segment.flags.has(TcpFlags::SYN);
        if !syn && !self.closed && self.doubtful.is_none() {
            return Relation::Own;
        }
        let first = segment.sequence.wrapping_add(1);
        let is_other = |origin: u32| origin != first;
        let origin = self.streams[sender.index()].origin;
        let has_peer = self.streams[sender.peer().index()].is_seen();
        if self.is_answer(sender, segment) {
            return Relation::Next(self.doubtful.take().map(|doubtful| doubtful.syn));
        }
        match (syn, segment.flags.has(TcpFlags::ACK)) {
            (true, true) if self.closed && origin.is_none_or(is_other) => Relation::Next(None),
            (true, false) if origin.is_some_and(is_other) => {
                if self.closed || !has_peer {
                    return Relation::Next(None);
                }
                self.doubtful = Some(Box::new(Doubtful { sender, syn: without_payload(segment) }));
                Relation::Doubtful
            }
            _ if self.follows_doubtful(sender, segment) => Relation::Doubtful,
            _ if self.closed && self.survived_reset(sender, segment) => Relation::Next(None),
            _ => Relation::Own,
        }
    }

    /// Whether `segment` carries new octets although a reset should have ended the connection.
    fn survived_reset(&self, sender: Side, segment: &Segment<'_>) -> bool {
        let stream = &self.streams[sender.index()];
        let end = stream
            .position(segment.sequence)
            .map_or(i64::MAX, |start| start.saturating_add(i64::from(segment.payload_length)));
        self.resetting && segment.payload_length > 0 && end > stream.next.cast_signed()
    }

    /// Whether `segment` acknowledges the doubtful SYN, and nothing of this connection.
    fn is_answer(&self, sender: Side, segment: &Segment<'_>) -> bool {
        let Some(doubtful) = self.doubtful.as_deref().filter(|other| other.sender != sender) else {
            return false;
        };
        let (syn, acknowledgement) = (&doubtful.syn, segment.acknowledgement);
        match (segment.flags.has(TcpFlags::SYN), segment.flags.has(TcpFlags::ACK)) {
            (_, false) => false,
            (true, true) => {
                let covered = seq::distance(syn.sequence.wrapping_add(1), acknowledgement);
                (0..=i64::from(syn.payload_length)).contains(&covered)
            }
            (false, true) => self.is_behind(doubtful, acknowledgement),
        }
    }

    /// Whether `segment` goes on from the doubtful SYN, which is not answered yet.
    fn follows_doubtful(&self, sender: Side, segment: &Segment<'_>) -> bool {
        let doubtful = self.doubtful.as_deref().filter(|doubtful| doubtful.sender == sender);
        doubtful.is_some_and(|doubtful| self.is_behind(doubtful, segment.sequence))
    }

    /// Whether a number of the stream that `doubtful` begins lies behind its SYN, and is none of
    /// this connection.
    fn is_behind(&self, doubtful: &Doubtful, number: u32) -> bool {
        let stream = &self.streams[doubtful.sender.index()];
        let first = doubtful.syn.sequence.wrapping_add(1);
        let reached = stream.sequence(stream.next).unwrap_or(first);
        (0..NEW_SPACE).contains(&seq::distance(first, number))
            && seq::distance(reached, number).abs() > OLD_SPACE
    }
}

/// Data that comes with a doubtful SYN is not kept, so that nobody fills the memory with it: where
/// the SYN stands, it is a gap, or comes again.
fn without_payload(segment: &Segment<'_>) -> Segment<'static> {
    let Segment { time, source, destination, sequence, acknowledgement, flags, .. } = *segment;
    let Segment { payload_length, skipped, vlan, interface, sampling, .. } = *segment;
    Segment {
        time,
        source,
        destination,
        sequence,
        acknowledgement,
        flags,
        payload: &[],
        payload_length,
        skipped,
        vlan,
        interface,
        sampling,
    }
}
