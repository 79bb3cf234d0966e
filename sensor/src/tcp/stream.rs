//! Owns one direction of a connection: how far it was handed on, and what waits.
//!
//! It must not know the other direction.

use super::assembler::Assembler;
use super::seq;

/// Farthest a segment may be from what its stream had reached: the largest window that can be
/// negotiated (RFC 7323, section 2.3). Anything farther was not sent by a peer of this connection.
const MAX_DISTANCE: i64 = 1 << 30;

/// How far one side's word alone is taken: how far data may run ahead of what its receiver has
/// acknowledged, and an acknowledgement ahead of what was seen sent. Linux opens no larger window
/// unless told to (`net.ipv4.tcp_rmem`, 6 MiB); what a capture lost at once counts to it too.
const CREDIT: u64 = 8 << 20;

/// One direction of a connection.
#[derive(Debug, Default)]
pub(super) struct Stream {
    /// Sequence number of position 0, once known.
    pub(super) origin: Option<u32>,
    /// Position of the first octet that was not handed on.
    pub(super) next: u64,
    /// Highest position the other side acknowledged.
    pub(super) acknowledged: u64,
    /// Position behind the farthest octet that a segment of this side was seen to carry.
    pub(super) sent: u64,
    /// Whether `next` lies behind octets that were not captured, the last of which may be a FIN.
    pub(super) fin_unseen: bool,
    /// What was captured of this side.
    pub(super) seen: Seen,
    pub(super) finished: bool,
    pub(super) held: Option<Box<Held>>,
}

/// What was captured of a side, however much it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) enum Seen {
    #[default]
    Nothing,
    /// Segments, none of which acknowledges the other side.
    Segments,
    /// One that acknowledges the other side, as only one who heard of it can.
    Acknowledgement,
}

/// What a stream cannot hand on yet.
#[derive(Debug, Default)]
pub(super) struct Held {
    pub(super) assembler: Assembler,
    pub(super) fin: Option<Fin>,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Fin {
    pub(super) position: u64,
    pub(super) acknowledged: u64,
}

/// What has to happen before anything more of a stream can be handed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Blocker {
    /// Octets of this side before the given position.
    Hole(u64),
    /// Octets of the other side before the given position: their receipt was acknowledged.
    Peer(u64),
}

impl Stream {
    /// Whether any segment of this side was captured.
    pub(super) fn is_seen(&self) -> bool {
        self.seen > Seen::Nothing
    }

    /// Signed position of a sequence number; `None` when the number is implausible.
    pub(super) fn position(&self, sequence: u32) -> Option<i64> {
        let position = seq::position(self.origin?, self.next, sequence);
        let distance = position - self.next.cast_signed();
        (distance.abs() <= MAX_DISTANCE).then_some(position)
    }

    /// Whether data at `position` needs its receiver's word to be believed.
    pub(super) fn is_incredible(&self, position: u64) -> bool {
        position > self.next.max(self.acknowledged) + CREDIT
    }

    /// Whether an acknowledgement of `position` needs its sender's word to be believed.
    pub(super) fn is_unsent(&self, position: u64) -> bool {
        position > self.next.max(self.acknowledged).max(self.sent) + CREDIT
    }

    /// Whether a FIN at `position` can be the end: a receiver that has more drops it.
    pub(super) fn may_end_at(&self, position: u64) -> bool {
        position + u64::from(self.fin_unseen) >= self.next
    }

    /// Forgets the data that is held, and a FIN as far away; how many segments of data it was.
    pub(super) fn discard(&mut self) -> u64 {
        let Some(mut held) = self.held.take() else { return 0 };
        let discarded = std::mem::take(&mut held.assembler);
        if held.fin.is_some_and(|fin| !self.is_incredible(fin.position)) {
            self.held = Some(held);
        }
        discarded.len() as u64
    }

    /// Sequence number of a position, once it is known.
    pub(super) fn sequence(&self, position: u64) -> Option<u32> {
        self.origin.map(|origin| seq::number(origin, position))
    }

    /// Position after the last octet the side may send.
    pub(super) fn end(&self) -> u64 {
        match (&self.held, self.finished) {
            (_, true) => self.next,
            (Some(held), _) => held.fin.map_or(u64::MAX, |fin| fin.position),
            (None, _) => u64::MAX,
        }
    }

    /// Position of the first thing held.
    pub(super) fn held_start(&self) -> Option<u64> {
        let held = self.held.as_ref()?;
        held.assembler.first().map(|chunk| chunk.start).or(held.fin.map(|fin| fin.position))
    }

    pub(super) fn blocker(&self) -> Option<Blocker> {
        let start = self.held_start()?;
        if start > self.next {
            return Some(Blocker::Hole(start));
        }
        let held = self.held.as_ref()?;
        let acknowledged = held.assembler.first().map(|chunk| chunk.acknowledged);
        acknowledged.or(held.fin.map(|fin| fin.acknowledged)).map(Blocker::Peer)
    }

    /// Lets the first thing held go ahead of what it acknowledges.
    pub(super) fn forget_acknowledgement(&mut self) {
        let Some(held) = self.held.as_mut() else { return };
        match (held.assembler.first_mut(), &mut held.fin) {
            (Some(chunk), _) => chunk.acknowledged = 0,
            (None, Some(fin)) => fin.acknowledged = 0,
            (None, None) => {}
        }
    }
}
