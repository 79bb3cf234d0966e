//! Hands on what is in order: octets, what was left out of them, and gaps.
//!
//! It must not know what waits, nor why.

use super::{Flow, Sink};
use crate::capture::Timestamp;
use crate::tcp::assembler::Piece;
use crate::tcp::{Counters, EventKind, Opening, Side};

impl Flow {
    pub(super) fn deliver(
        &mut self,
        side: Side,
        piece: Piece<'_>,
        counters: &mut Counters,
        sink: &mut impl Sink,
    ) {
        self.announce(sink);
        let stream = &mut self.streams[side.index()];
        stream.next += piece.octets.len() as u64;
        stream.fin_unseen = false;
        counters.delivered_octets += piece.octets.len() as u64;
        if !piece.octets.is_empty() {
            let Piece { start: position, acknowledged, octets, time, disputed, .. } = piece;
            sink.event(time, EventKind::Data { side, position, acknowledged, octets, disputed });
        }
        if piece.length > piece.octets.len() as u64 {
            let (position, length) = self.pass(side, piece.end(), sink);
            if piece.skipped {
                counters.skipped_octets += length;
                sink.event(piece.time, EventKind::Skipped { side, position, length });
            } else {
                lose(side, position, length, piece.time, counters, sink);
            }
        }
    }

    /// Moves a stream to `end` over octets that will not come.
    pub(super) fn gap(
        &mut self,
        side: Side,
        end: u64,
        time: Timestamp,
        counters: &mut Counters,
        sink: &mut impl Sink,
    ) {
        let (position, length) = self.pass(side, end, sink);
        self.streams[side.index()].fin_unseen = true;
        lose(side, position, length, time, counters, sink);
    }

    /// Moves a stream to `end`; from where, and how far.
    fn pass(&mut self, side: Side, end: u64, sink: &mut impl Sink) -> (u64, u64) {
        self.announce(sink);
        let stream = &mut self.streams[side.index()];
        let position = std::mem::replace(&mut stream.next, end);
        (position, end - position)
    }

    fn announce(&mut self, sink: &mut impl Sink) {
        if self.announced {
            return;
        }
        self.announced = true;
        let opening = Opening {
            time: self.opened,
            addresses: self.key.endpoints(),
            initiator: self.initiator,
            vlan: self.vlan,
            interface: self.interface,
            sampling: self.sampling,
        };
        sink.event(self.opened, EventKind::Opened(opening));
    }
}

/// Counts octets that were not captured and hands them on as a gap.
fn lose(
    side: Side,
    position: u64,
    length: u64,
    time: Timestamp,
    counters: &mut Counters,
    sink: &mut impl Sink,
) {
    counters.gaps += 1;
    counters.gap_octets += length;
    sink.event(time, EventKind::Gap { side, position, length });
}
