//! Keeps copies of the octets that were handed on last, over all connections, so that a
//! retransmission that says something else is noticed.
//!
//! It must not know what a connection is beyond its name.

use std::collections::VecDeque;

use super::Side;

/// Octets kept over all connections: the data in flight that a host has not acknowledged. At the
/// 5 MB/s of a busy receiver of webhooks they last for a tenth of a second, which is longer than a
/// retransmission that races the original takes.
const OCTETS: usize = 512 << 10;

/// Runs kept over all connections: a flood of retransmissions must not make each a long search.
const RUNS: usize = 512;

/// Octets kept of one run, so that a single large segment does not push out all others.
const RUN: usize = 16 << 10;

/// Names a connection for as long as a run of it is kept, also when its slot has a new owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Owner {
    pub(super) slot: u32,
    /// Nanoseconds of the first packet.
    pub(super) opened: u64,
}

/// Where the octets of a part of a stream are kept.
#[derive(Debug, Clone, Copy)]
struct Run {
    owner: Owner,
    side: Side,
    /// Position of the first octet in its stream.
    position: u64,
    place: usize,
    length: usize,
}

/// The copies, in a buffer that is written round and round.
#[derive(Debug, Default)]
pub(super) struct Recent {
    octets: Vec<u8>,
    next: usize,
    runs: VecDeque<Run>,
}

impl Recent {
    /// Keeps a copy in place of the oldest ones.
    pub(super) fn keep(&mut self, owner: Owner, side: Side, position: u64, octets: &[u8]) {
        let octets = &octets[..octets.len().min(RUN)];
        if self.octets.is_empty() {
            self.octets = vec![0; OCTETS];
        }
        if self.next + octets.len() > OCTETS {
            // What lies between here and the end of the buffer are the oldest runs.
            self.forget_while(|old, next| old.place >= next);
            self.next = 0;
        }
        let (place, length) = (self.next, octets.len());
        let end = place + length;
        self.forget_while(|old, next| (next..end).contains(&old.place));
        if self.runs.len() >= RUNS {
            self.runs.pop_front();
        }
        self.octets[place..end].copy_from_slice(octets);
        self.next = end;
        self.runs.push_back(Run { owner, side, position, place, length });
    }

    /// Forgets the oldest runs for which `is_over` holds, given the place of the next octet.
    fn forget_while(&mut self, is_over: impl Fn(&Run, usize) -> bool) {
        while self.runs.front().is_some_and(|old| is_over(old, self.next)) {
            self.runs.pop_front();
        }
    }

    /// Octets of `again`, which starts at `position`, that are not what was handed on there. What
    /// is no longer kept is not compared.
    pub(super) fn differing(&self, owner: Owner, side: Side, position: u64, again: &[u8]) -> u64 {
        let end = position + again.len() as u64;
        let of_stream = |run: &&Run| run.owner == owner && run.side == side;
        self.runs
            .iter()
            .rev()
            .filter(of_stream)
            // The runs of a stream were kept in its order.
            .skip_while(|run| run.position >= end)
            .take_while(|run| run.position + run.length as u64 > position)
            .map(|run| self.differing_from(run, position, again))
            .sum()
    }

    fn differing_from(&self, run: &Run, position: u64, again: &[u8]) -> u64 {
        let kept = &self.octets[run.place..run.place + run.length];
        let offset = |from: u64, to: u64| usize::try_from(to.saturating_sub(from));
        let (Ok(skip_kept), Ok(skip_again)) =
            (offset(run.position, position), offset(position, run.position))
        else {
            return 0;
        };
        let kept = kept.get(skip_kept..).unwrap_or_default();
        let again = again.get(skip_again..).unwrap_or_default();
        kept.iter().zip(again).filter(|(first, second)| first != second).count() as u64
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{OCTETS, Owner, RUN, RUNS, Recent};
    use crate::tcp::Side;

    const OWNER: Owner = Owner { slot: 1, opened: 7 };

    /// Keeps "abcdef" at 10, in two runs, and compares.
    fn check(position: u64, again: &str, expected: u64) {
        let mut recent = Recent::default();
        recent.keep(OWNER, Side::Low, 10, b"abc");
        recent.keep(OWNER, Side::High, 10, b"zzz");
        recent.keep(OWNER, Side::Low, 13, b"def");
        let differing = recent.differing(OWNER, Side::Low, position, again.as_bytes());
        assert_eq!(differing, expected, "{again} at {position}");
        let other = Owner { opened: 8, ..OWNER };
        assert_eq!(recent.differing(other, Side::Low, position, again.as_bytes()), 0);
    }

    #[test]
    fn what_comes_again_is_compared_where_it_overlaps() {
        check(10, "abcdef", 0);
        check(10, "abcdeX", 1);
        check(12, "cd", 0);
        check(12, "XX", 2);
        check(8, "..aX", 1);
        check(15, "fghi", 0);
        check(15, "Xghi", 1);
        check(16, "ghi", 0);
        check(4, "......", 0);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]

        /// However runs of any length have pushed out others, what is compared is what was kept.
        #[test]
        fn what_comes_again_unchanged_never_differs(
            lengths in prop::collection::vec(1_usize..2 * RUN, 60..120),
        ) {
            let mut recent = Recent::default();
            let octet = |position: u64| u8::try_from(position % 251).unwrap();
            let text = |position: u64, length: usize| {
                (position..position + length as u64).map(octet).collect::<Vec<_>>()
            };
            let mut position = 0;
            let mut kept = Vec::new();
            for length in lengths {
                recent.keep(OWNER, Side::Low, position, &text(position, length));
                kept.push((position, length));
                position += length as u64;
                for (start, length) in kept.iter().rev().skip(25).step_by(5).take(4) {
                    let again = text(*start, *length);
                    prop_assert_eq!(recent.differing(OWNER, Side::Low, *start, &again), 0);
                }
            }
            let (start, length) = kept[kept.len() - 1];
            let other = vec![255; length.min(RUN)];
            let differing = recent.differing(OWNER, Side::Low, start, &other);
            prop_assert_eq!(differing, other.len() as u64, "the last run is there");
        }
    }

    #[test]
    fn the_oldest_make_room() {
        let mut recent = Recent::default();
        for index in 0..=RUNS as u64 {
            recent.keep(OWNER, Side::Low, index, b"a");
        }
        assert_eq!(recent.differing(OWNER, Side::Low, 0, b"X"), 0, "pushed out by number");
        assert_eq!(recent.differing(OWNER, Side::Low, 1, b"X"), 1);
        let large = vec![b'b'; RUN];
        let runs = (OCTETS / RUN) as u64;
        for index in 0..runs {
            recent.keep(OWNER, Side::Low, 1000 + index * RUN as u64, &large);
        }
        assert_eq!(recent.differing(OWNER, Side::Low, RUNS as u64, b"X"), 0, "overwritten");
        assert_eq!(recent.differing(OWNER, Side::Low, 1000 + RUN as u64, b"X"), 1);
        assert_eq!(recent.octets.len(), OCTETS);
    }
}
