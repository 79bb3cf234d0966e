//! What is spent within a second on payloads that nobody vouches for.
//!
//! It must not know what is done with them.

use crate::time::Timestamp;

/// Octets of such payloads that are unpacked and read within a second of packet time: three
/// thousand deliveries of ten kilobytes, which is many times what a receiver that checks no
/// signatures gets. The payload that reaches it is read to its end, which has bounds of its own.
const OCTETS_PER_SECOND: u64 = 32 << 20;

const SECOND: u64 = 1_000_000_000;

/// What was spent within the present second.
#[derive(Debug, Default)]
pub(super) struct Effort {
    second: u64,
    spent: u64,
}

impl Effort {
    /// Whether anything is left to spend at `now`.
    pub(super) fn is_left(&mut self, now: Timestamp) -> bool {
        let second = now.0 / SECOND;
        if self.second != second {
            *self = Self { second, spent: 0 };
        }
        self.spent < OCTETS_PER_SECOND
    }

    /// Counts octets that were unpacked or read.
    pub(super) fn spend(&mut self, octets: usize) {
        self.spent = self.spent.saturating_add(octets as u64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_has_so_many_octets() {
        let mut effort = Effort::default();
        let spends = (0..100).take_while(|_| {
            let is_left = effort.is_left(Timestamp(SECOND));
            effort.spend(1 << 20);
            is_left
        });
        assert_eq!(spends.count(), 32);
        assert!(!effort.is_left(Timestamp(2 * SECOND - 1)));
        assert!(effort.is_left(Timestamp(2 * SECOND)));
    }
}
