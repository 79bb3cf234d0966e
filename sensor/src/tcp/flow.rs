//! Owns one connection: which octets of its two streams are next, and which have to wait.
//!
//! It must not know other connections, nor when a connection is forgotten.

mod delivery;
mod waiting;

use crate::capture::{Segment, TcpFlags, Timestamp};

use super::assembler::Piece;
use super::key::Key;
use super::stream::{Fin, Seen, Stream};
use super::successor::Doubtful;
use super::{Counters, EventKind, Side};

/// Receives the events of one connection, each with the time of the packet behind it.
pub(super) trait Sink {
    fn event(&mut self, time: Timestamp, kind: EventKind<'_>);

    /// Octets of `again` that are not what was handed on at `position`.
    fn differing(&self, side: Side, position: u64, again: &[u8]) -> u64;
}

/// One connection.
#[derive(Debug)]
pub(super) struct Flow {
    pub(super) key: Key,
    /// When the last segment was seen.
    pub(super) active: Timestamp,
    /// Since when something has been waiting without any progress.
    pub(super) waiting_since: Timestamp,
    pub(super) closed: bool,
    /// Whether a side sent a reset that its peer should have obeyed.
    pub(super) resetting: bool,
    /// When the first segment was seen.
    pub(super) opened: Timestamp,
    initiator: Option<Side>,
    vlan: Option<u16>,
    interface: u32,
    sampling: u32,
    /// Whether [`EventKind::Opened`] was handed on.
    announced: bool,
    /// What may begin the next connection between the endpoints.
    pub(super) doubtful: Option<Box<Doubtful>>,
    pub(super) streams: [Stream; 2],
}

impl Flow {
    pub(super) fn new(key: Key, sender: Side, segment: &Segment<'_>) -> Self {
        let initiator = segment
            .flags
            .has(TcpFlags::SYN)
            .then(|| if segment.flags.has(TcpFlags::ACK) { sender.peer() } else { sender });
        Self {
            key,
            active: segment.time,
            waiting_since: segment.time,
            closed: false,
            resetting: false,
            opened: segment.time,
            initiator,
            vlan: segment.vlan,
            interface: segment.interface,
            sampling: segment.sampling,
            announced: false,
            doubtful: None,
            streams: [Stream::default(), Stream::default()],
        }
    }

    /// Forgets what it saw later than `now`, to which the clock was set back.
    pub(super) fn set_back(&mut self, now: Timestamp) {
        self.active = self.active.min(now);
        self.waiting_since = self.waiting_since.min(now);
    }

    pub(super) fn is_midstream(&self) -> bool {
        self.initiator.is_none()
    }

    /// Whether only one side was seen and it sent no data.
    pub(super) fn is_half_open(&self) -> bool {
        !self.announced && !self.streams.iter().all(Stream::is_seen)
    }

    /// Whether both sides are known to hold it open.
    pub(super) fn is_established(&self) -> bool {
        let is_held = |stream: &Stream| stream.seen == Seen::Acknowledgement && !stream.finished;
        self.streams.iter().all(is_held)
    }

    /// Takes a segment in and hands on what is in order.
    ///
    /// A reset ends nothing yet: it may be forged, or signed wrongly (RFC 5925), and then the peers
    /// go on.
    pub(super) fn accept(
        &mut self,
        side: Side,
        segment: &Segment<'_>,
        counters: &mut Counters,
        sink: &mut impl Sink,
    ) {
        self.active = self.active.max(segment.time);
        let was_waiting = self.is_waiting();
        self.learn(side, segment);
        if segment.flags.has(TcpFlags::RST) {
            self.resetting |= self.obeys_reset(side, segment.sequence);
            return;
        }
        let Some(piece) = self.place(side, segment) else {
            counters.implausible_segments += 1;
            return;
        };
        self.skip_unseen_peer(side, piece, counters, sink);
        self.take(side, piece, counters, sink);
        if segment.flags.has(TcpFlags::FIN) {
            self.take_fin(side, piece, counters);
        }
        if self.is_waiting() {
            self.drain(segment.time, counters, sink);
        }
        if !was_waiting {
            self.waiting_since = self.active;
        }
    }

    /// Learns where the streams start, as far as the segment tells.
    fn learn(&mut self, side: Side, segment: &Segment<'_>) {
        let syn = segment.flags.has(TcpFlags::SYN);
        let first = segment.sequence.wrapping_add(u32::from(syn));
        let stream = &mut self.streams[side.index()];
        if segment.flags.has(TcpFlags::RST) && stream.origin.is_none() {
            return;
        }
        let untouched = stream.next == 0 && stream.held.is_none();
        if stream.origin.is_none() || (syn && untouched) {
            stream.origin = Some(first);
        }
        stream.seen = stream.seen.max(Seen::Segments);
        if segment.flags.has(TcpFlags::ACK) {
            let peer = &mut self.streams[side.peer().index()];
            peer.origin.get_or_insert(segment.acknowledgement);
        }
    }

    /// The payload as a piece of its stream; `None` when it cannot belong to it.
    fn place<'a>(&mut self, side: Side, segment: &Segment<'a>) -> Option<Piece<'a>> {
        let peer = &mut self.streams[side.peer().index()];
        let acknowledged = match peer.position(segment.acknowledgement) {
            Some(position) if segment.flags.has(TcpFlags::ACK) => position.max(0).cast_unsigned(),
            _ => 0,
        };
        // RFC 9293, section 3.10.7.4: what acknowledges something not yet sent is dropped.
        if peer.is_seen() && peer.is_unsent(acknowledged) {
            return None;
        }
        peer.acknowledged = peer.acknowledged.max(acknowledged);
        let syn = segment.flags.has(TcpFlags::SYN);
        let stream = &mut self.streams[side.index()];
        if segment.flags.has(TcpFlags::ACK) {
            stream.seen = Seen::Acknowledgement;
        }
        let start = stream.position(segment.sequence.wrapping_add(u32::from(syn)))?;
        let (length, octets) = (i64::from(segment.payload_length), segment.payload);
        // What lies before position 0 was sent before the connection was picked up.
        let before = start.min(0).abs().min(length);
        stream.sent = stream.sent.max((start + length).max(0).cast_unsigned());
        let before_octets = usize::try_from(before).unwrap_or(usize::MAX);
        Some(Piece {
            start: start.max(0).cast_unsigned(),
            length: (length - before).cast_unsigned(),
            octets: octets.get(before_octets..).unwrap_or_default(),
            skipped: segment.skipped,
            acknowledged,
            time: segment.time,
            disputed: false,
        })
    }

    /// RFC 5961 has a host obey a reset only at the next position it expects. The host may not have
    /// seen yet what the capture has, so any position not yet acknowledged is taken.
    fn obeys_reset(&self, side: Side, sequence: u32) -> bool {
        let stream = &self.streams[side.index()];
        let expected = stream.acknowledged.min(stream.next).cast_signed();
        stream.origin.is_none() || stream.position(sequence).is_some_and(|at| at >= expected)
    }

    /// Where a side was never captured, its octets are gone as soon as they are acknowledged.
    fn skip_unseen_peer(
        &mut self,
        side: Side,
        piece: Piece<'_>,
        counters: &mut Counters,
        sink: &mut impl Sink,
    ) {
        let peer = &self.streams[side.peer().index()];
        if !peer.is_seen() && piece.acknowledged > peer.next {
            self.gap(side.peer(), piece.acknowledged, piece.time, counters, sink);
        }
    }

    /// Hands the piece on when it is next, holds it otherwise.
    fn take(
        &mut self,
        side: Side,
        piece: Piece<'_>,
        counters: &mut Counters,
        sink: &mut impl Sink,
    ) {
        if piece.length == 0 {
            return;
        }
        let peer_next = self.streams[side.peer().index()].next;
        let stream = &mut self.streams[side.index()];
        let within = piece.until(stream.end());
        let next = stream.next;
        let fresh = within.from(next);
        if fresh.length < within.length {
            counters.repeated_octets += within.length - fresh.length;
            self.compare(side, within.until(next), counters, sink);
        }
        if fresh.length == 0 {
            return;
        }
        let stream = &mut self.streams[side.index()];
        let is_next = fresh.start == stream.next && fresh.acknowledged <= peer_next;
        if is_next && stream.held.is_none() {
            self.deliver(side, fresh, counters, sink);
            return;
        }
        let overlap = stream.held.get_or_insert_default().assembler.insert(fresh);
        counters.repeated_octets += overlap.repeated;
        counters.conflicting_octets += overlap.conflicting;
    }

    /// Takes note where octets that were handed on come again and differ.
    fn compare(&self, side: Side, again: Piece<'_>, counters: &mut Counters, sink: &mut impl Sink) {
        // A probe whether the peer is alive may carry any octet (RFC 9293, section 3.8.4).
        let next = self.streams[side.index()].next;
        if again.length == 1 && again.end() == next {
            return;
        }
        let differing = sink.differing(side, again.start, again.octets);
        if differing > 0 {
            counters.conflicting_octets += differing;
            sink.event(again.time, EventKind::Contradicted { side, position: again.start });
        }
    }

    fn take_fin(&mut self, side: Side, piece: Piece<'_>, counters: &mut Counters) {
        let is_far = self.is_incredible(side, piece.end());
        let stream = &mut self.streams[side.index()];
        if stream.finished {
            return;
        }
        if is_far || !stream.may_end_at(piece.end()) {
            counters.implausible_segments += 1;
        } else {
            let fin = Fin { position: piece.end(), acknowledged: piece.acknowledged };
            stream.held.get_or_insert_default().fin.get_or_insert(fin);
        }
    }

    /// The sequence number of a position in a stream.
    pub(super) fn sequence(&self, side: Side, position: u64) -> Option<u32> {
        self.streams[side.index()].sequence(position)
    }

    pub(super) fn is_announced(&self) -> bool {
        self.announced
    }

    /// Whether both sides have ended their streams.
    pub(super) fn is_finished(&self) -> bool {
        self.streams.iter().all(|stream| stream.finished)
    }
}
