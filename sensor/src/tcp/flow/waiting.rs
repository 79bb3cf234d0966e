//! What of a connection waits: for octets before it, or for those of the other side that it
//! acknowledges; and what is given up for it.
//!
//! It must not know how long anything may wait.

use super::{Flow, Sink};
use crate::capture::Timestamp;
use crate::tcp::assembler::Piece;
use crate::tcp::stream::Blocker;
use crate::tcp::{Counters, EventKind, Side};

impl Flow {
    pub(in crate::tcp) fn is_waiting(&self) -> bool {
        self.streams.iter().any(|stream| stream.held.is_some())
    }

    pub(in crate::tcp) fn is_over_limit(&self) -> bool {
        self.streams.iter().filter_map(|s| s.held.as_ref()).any(|h| h.assembler.is_over_limit())
    }

    /// Octets of memory that waiting data takes.
    pub(in crate::tcp) fn held_size(&self) -> usize {
        self.streams.iter().filter_map(|s| s.held.as_ref()).map(|h| h.assembler.size()).sum()
    }

    /// Since when what is to be handed on next has been held; `None` when nothing is.
    pub(in crate::tcp) fn held_since(&self) -> Option<Timestamp> {
        let (side, _) = self.blocked()?;
        let held = self.streams[side.index()].held.as_ref()?;
        Some(held.assembler.first().map_or(self.active, |chunk| chunk.time.min(self.active)))
    }

    /// Whether the octets that are waited for were received, so that nobody will send them again.
    pub(in crate::tcp) fn is_lost(&self) -> bool {
        match self.blocked() {
            Some((side, Blocker::Hole(end))) => {
                let stream = &self.streams[side.index()];
                stream.acknowledged >= end || !self.streams[side.peer().index()].is_seen()
            }
            Some((_, Blocker::Peer(_))) => true,
            None => false,
        }
    }

    /// Gives up what blocks the streams until nothing is held any more.
    pub(in crate::tcp) fn flush(
        &mut self,
        now: Timestamp,
        counters: &mut Counters,
        sink: &mut impl Sink,
    ) {
        while self.give_up(now, counters, sink) {}
    }

    /// Declares what blocks a stream a gap; `false` when nothing is blocked.
    pub(in crate::tcp) fn give_up(
        &mut self,
        now: Timestamp,
        counters: &mut Counters,
        sink: &mut impl Sink,
    ) -> bool {
        let Some((side, blocker)) = self.blocked() else { return false };
        let (side, end) = match blocker {
            Blocker::Hole(end) if self.is_incredible(side, end) => {
                counters.implausible_segments += self.streams[side.index()].discard();
                self.drain(now, counters, sink);
                return true;
            }
            Blocker::Hole(end) => (side, end),
            Blocker::Peer(end) => {
                let first_held = self.streams[side.peer().index()].held_start().unwrap_or(end);
                (side.peer(), end.min(first_held))
            }
        };
        let stream = &mut self.streams[side.index()];
        if stream.next + 1 == end && stream.held.is_none() {
            // One number acknowledged beyond all that was sent is nearly always a FIN.
            stream.next = end;
            stream.fin_unseen = true;
            if self.announced {
                sink.event(now, EventKind::Finished { side });
            }
        } else if stream.next < end {
            self.gap(side, end, now, counters, sink);
        } else {
            // Each side's held octets acknowledge the other's: no order can satisfy both.
            self.streams[side.index()].forget_acknowledgement();
        }
        self.drain(now, counters, sink);
        true
    }

    /// Hands on whatever the progress of either side has freed.
    pub(super) fn drain(&mut self, now: Timestamp, counters: &mut Counters, sink: &mut impl Sink) {
        loop {
            let mut progress = false;
            for side in [Side::Low, Side::High] {
                while self.advance(side, now, counters, sink) {
                    progress = true;
                }
            }
            if !progress {
                return;
            }
            self.waiting_since = self.active;
        }
    }

    /// Hands on the first thing held on one side, if its turn has come.
    fn advance(
        &mut self,
        side: Side,
        now: Timestamp,
        counters: &mut Counters,
        sink: &mut impl Sink,
    ) -> bool {
        let peer_next = self.streams[side.peer().index()].next;
        let stream = &mut self.streams[side.index()];
        let next = stream.next;
        let Some(held) = stream.held.as_mut() else { return false };
        if let Some(chunk) = held.assembler.first() {
            if chunk.start > next || chunk.acknowledged > peer_next {
                return false;
            }
            let chunk = held.assembler.take_first().expect("a first chunk was there");
            let piece = Piece {
                start: chunk.start,
                length: chunk.length,
                octets: &chunk.octets,
                skipped: chunk.skipped,
                acknowledged: chunk.acknowledged,
                time: chunk.time,
                disputed: chunk.disputed,
            };
            self.deliver(side, piece.from(next), counters, sink);
            return true;
        }
        match held.fin {
            Some(fin) if fin.position > next || fin.acknowledged > peer_next => return false,
            Some(_) => {
                // A FIN takes a number of its own, so that its receipt can be acknowledged.
                stream.next = next + 1;
                stream.finished = true;
                stream.held = None;
                if self.announced {
                    sink.event(now, EventKind::Finished { side });
                }
            }
            None => stream.held = None,
        }
        true
    }

    /// The blocked side to settle first, and what blocks it: a hole before an acknowledgement,
    /// since filling it may satisfy the acknowledgement too.
    fn blocked(&self) -> Option<(Side, Blocker)> {
        let blockers = [Side::Low, Side::High]
            .map(|side| self.streams[side.index()].blocker().map(|blocker| (side, blocker)));
        match blockers {
            [Some((_, Blocker::Peer(_))), Some(hole @ (_, Blocker::Hole(_)))] => Some(hole),
            [low, high] => low.or(high),
        }
    }

    /// Whether `side` alone says that it sent something at `position`, farther than any window, and
    /// its peer would have to say so too.
    pub(super) fn is_incredible(&self, side: Side, position: u64) -> bool {
        self.streams[side.peer().index()].is_seen()
            && self.streams[side.index()].is_incredible(position)
    }
}
