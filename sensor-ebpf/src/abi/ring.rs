//! When a ring's reader is woken: a rule that both ends of a ring rely on.
//!
//! It must not know what is in a ring.

/// The part of a ring that fills before its reader is woken. The others are for what arrives until it
/// runs: at ten gigabits a second they last for six milliseconds in a ring of 8 MiB.
const PART: u64 = 16;

/// Octets that wait at most before the reader is woken, however large the ring is: what it then
/// reads at once has to stay in the caches, and so much is copied of a body that nobody needs before
/// the reader can say so.
const MOST: u64 = 512 << 10;

/// The octets waiting in a ring of this many from which on its reader is woken.
#[must_use]
pub const fn wakes_at(ring: u64) -> u64 {
    let part = ring / PART;
    if part < MOST { part } else { MOST }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_is_woken_while_most_of_its_ring_is_free() {
        for (ring, expected) in [(64 << 10, 4 << 10), (8 << 20, 512 << 10), (1 << 31, 512 << 10)] {
            assert_eq!(wakes_at(ring), expected, "{ring}");
        }
    }
}
