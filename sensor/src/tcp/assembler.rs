//! Holds the segments of one stream that cannot be handed on yet, in stream order.
//!
//! It must not know why they wait. The first octets to arrive for a position stand; later ones that
//! differ are counted.

use std::collections::VecDeque;

use crate::capture::Timestamp;

/// Segments held for one stream. A window of 256 KiB is 180 full segments; a sender of tiny ones
/// must not make every insertion a long walk.
pub(super) const MAX_CHUNKS: usize = 512;
/// Octets held for one stream: the largest receive window most hosts open by themselves is a few
/// megabytes, of which a capture rarely lacks the start for long.
pub(super) const MAX_OCTETS: usize = 1 << 20;

/// A run of octets with its place in the stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Chunk {
    /// Position of its first octet.
    pub(super) start: u64,
    /// Octets on the wire; those after `octets` were not captured.
    pub(super) length: u64,
    pub(super) octets: Vec<u8>,
    /// Whether those were left out for want of need.
    pub(super) skipped: bool,
    /// How much of the other side's stream its sender had received.
    pub(super) acknowledged: u64,
    pub(super) time: Timestamp,
    /// Whether other octets came for the same positions.
    pub(super) disputed: bool,
}

impl Chunk {
    pub(super) fn end(&self) -> u64 {
        self.start + self.length
    }
}

/// A segment's payload on its way into the list.
#[derive(Debug, Clone, Copy)]
pub(super) struct Piece<'a> {
    pub(super) start: u64,
    pub(super) length: u64,
    pub(super) octets: &'a [u8],
    /// Whether octets were left out for want of need.
    pub(super) skipped: bool,
    pub(super) acknowledged: u64,
    pub(super) time: Timestamp,
    /// Whether other octets came for the same positions.
    pub(super) disputed: bool,
}

impl<'a> Piece<'a> {
    pub(super) fn end(&self) -> u64 {
        self.start + self.length
    }

    /// The part from `position` on.
    pub(super) fn from(self, position: u64) -> Self {
        let cut = position.saturating_sub(self.start).min(self.length);
        let octets = usize::try_from(cut).ok().and_then(|cut| self.octets.get(cut..));
        Self {
            start: self.start + cut,
            length: self.length - cut,
            octets: octets.unwrap_or_default(),
            ..self
        }
    }

    /// The part before `position`.
    pub(super) fn until(self, position: u64) -> Self {
        let length = position.saturating_sub(self.start).min(self.length);
        let kept = usize::try_from(length).map_or(self.octets.len(), |l| l.min(self.octets.len()));
        Self { length, octets: &self.octets[..kept], ..self }
    }

    fn into_chunk(self) -> Chunk {
        Chunk {
            start: self.start,
            length: self.length,
            octets: self.octets.to_vec(),
            skipped: self.skipped,
            acknowledged: self.acknowledged,
            time: self.time,
            disputed: self.disputed,
        }
    }
}

/// What came of an insertion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Overlap {
    /// Octets that were held already.
    pub(super) repeated: u64,
    /// Of these, the ones that differed.
    pub(super) conflicting: u64,
}

/// The list: ordered, without overlaps.
#[derive(Debug, Default)]
pub(super) struct Assembler {
    chunks: VecDeque<Chunk>,
    octets: usize,
}

impl Assembler {
    /// Puts `piece` in its place, except where octets are held already.
    pub(super) fn insert(&mut self, piece: Piece<'_>) -> Overlap {
        let mut overlap = Overlap::default();
        let mut rest = piece;
        let mut at = self.chunks.partition_point(|chunk| chunk.end() <= piece.start);
        while rest.length > 0 {
            let Some(held) = self.chunks.get(at).filter(|held| held.start < rest.end()) else {
                self.put(at, rest);
                break;
            };
            let (held_start, held_end) = (held.start, held.end());
            let shared = rest.from(held_start).until(held_end);
            let conflicting = differing(held, shared);
            overlap.repeated += shared.length;
            overlap.conflicting += conflicting;
            self.chunks[at].disputed |= conflicting > 0;
            let before = rest.until(held_start);
            if before.length > 0 {
                self.put(at, before);
                at += 1;
            }
            rest = rest.from(held_end);
            at += 1;
        }
        overlap
    }

    pub(super) fn len(&self) -> usize {
        self.chunks.len()
    }

    pub(super) fn first(&self) -> Option<&Chunk> {
        self.chunks.front()
    }

    pub(super) fn first_mut(&mut self) -> Option<&mut Chunk> {
        self.chunks.front_mut()
    }

    pub(super) fn take_first(&mut self) -> Option<Chunk> {
        let chunk = self.chunks.pop_front()?;
        self.octets -= chunk.octets.len();
        Some(chunk)
    }

    /// Octets of memory the held segments take.
    pub(super) fn size(&self) -> usize {
        self.octets + self.chunks.capacity() * size_of::<Chunk>()
    }

    /// Whether more is held than one stream may.
    pub(super) fn is_over_limit(&self) -> bool {
        self.chunks.len() > MAX_CHUNKS || self.octets > MAX_OCTETS
    }

    fn put(&mut self, at: usize, piece: Piece<'_>) {
        self.octets += piece.octets.len();
        self.chunks.insert(at, piece.into_chunk());
    }
}

/// Octets of `shared`, which lies within `held`, that are not the same in both.
fn differing(held: &Chunk, shared: Piece<'_>) -> u64 {
    let from = usize::try_from(shared.start - held.start).unwrap_or(usize::MAX);
    let first = held.octets.get(from..).unwrap_or_default();
    first.iter().zip(shared.octets).filter(|(first, second)| first != second).count() as u64
}

#[cfg(test)]
mod tests {
    use super::{Assembler, Overlap, Piece};
    use crate::capture::Timestamp;

    fn piece(start: u64, text: &str) -> Piece<'_> {
        Piece {
            start,
            length: text.len() as u64,
            octets: text.as_bytes(),
            skipped: false,
            acknowledged: 0,
            time: Timestamp(0),
            disputed: false,
        }
    }

    /// Inserts the pieces in order and compares what is held: `start:octets`, space between.
    fn check(pieces: &[(u64, &str)], layout: &str, repeated: u64, conflicting: u64) {
        let mut assembler = Assembler::default();
        let mut total = Overlap::default();
        for (start, text) in pieces {
            let overlap = assembler.insert(piece(*start, text));
            total.repeated += overlap.repeated;
            total.conflicting += overlap.conflicting;
        }
        let held: Vec<String> = std::iter::from_fn(|| assembler.take_first())
            .map(|chunk| format!("{}:{}", chunk.start, String::from_utf8_lossy(&chunk.octets)))
            .collect();
        assert_eq!(held.join(" "), layout, "{pieces:?}");
        assert_eq!(total, Overlap { repeated, conflicting }, "{pieces:?}");
        assert_eq!(assembler.octets, 0);
    }

    #[test]
    fn the_first_octets_for_a_position_stand() {
        check(&[(10, "abc")], "10:abc", 0, 0);
        check(&[(13, "d"), (10, "abc")], "10:abc 13:d", 0, 0);
        check(&[(10, "abc"), (10, "abc")], "10:abc", 3, 0);
        check(&[(10, "abc"), (10, "axc")], "10:abc", 3, 1);
        check(&[(10, "abc"), (8, "xxxxxxx")], "8:xx 10:abc 13:xx", 3, 3);
        check(&[(10, "ab"), (14, "ef"), (9, "1234567")], "9:1 10:ab 12:45 14:ef", 4, 4);
        check(&[(10, "abcdef"), (12, "cd")], "10:abcdef", 2, 0);
        check(&[(10, "abc"), (12, "cde")], "10:abc 13:de", 1, 0);
    }

    #[test]
    fn a_piece_that_was_cut_keeps_its_length() {
        let cut = Piece { length: 10, ..piece(5, "abc") };
        let (head, tail) = (cut.until(7), cut.from(7));
        assert_eq!((head.start, head.length, head.octets), (5, 2, &b"ab"[..]));
        assert_eq!((tail.start, tail.length, tail.octets), (7, 8, &b"c"[..]));
        assert_eq!((cut.from(12).length, cut.from(12).octets), (3, &b""[..]));
        assert_eq!(cut.from(99).length, 0);
    }
}
