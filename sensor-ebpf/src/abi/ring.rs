//! What a record takes of a ring, and when its reader is woken: both ends of a ring rely on it.
//!
//! It must not know what is in a ring.

/// Octets that the kernel puts before each record, and aligns records to (`BPF_RINGBUF_HDR_SZ` of
/// Linux, include/uapi/linux/bpf.h).
pub const RECORD_HEADER: usize = 8;

/// The part of a ring that fills before its reader is woken. The others are for what arrives until
/// it runs: at ten gigabits a second they last for six milliseconds in a ring of 8 MiB.
const PART: u64 = 16;

/// Octets that wait at most before the reader is woken, however large the ring is: what it then
/// reads at once has to stay in the caches, and so much is copied of a body that nobody needs
/// before the reader can say so.
const MOST: u64 = 512 << 10;

/// The octets waiting in a ring of this many from which on its reader is woken.
#[must_use]
pub const fn wakes_at(ring: u64) -> u64 {
    let part = ring / PART;
    if part < MOST { part } else { MOST }
}

/// Whether the reader of a ring of this many octets is woken where so many were written, with which
/// so many wait: where they pass the next multiple of [`wakes_at`]. A wake-up interrupts the
/// processor, which costs as much as ten records or more, so one is not made for each; and one that
/// was missed, because several processors wrote at once, is made up for by the next.
#[inline(always)]
#[must_use]
pub const fn is_due(written: u64, waiting: u64, ring: u64) -> bool {
    // A ring has a power of two of octets, and so has its part: the numbers differ in no lower bit.
    waiting ^ waiting.wrapping_sub(written) >= wakes_at(ring)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_reader_is_woken_while_most_of_its_ring_is_free() {
        for (ring, expected) in [(64 << 10, 4 << 10), (8 << 20, 512 << 10), (1 << 31, 512 << 10)] {
            assert_eq!(wakes_at(ring), expected, "{ring}");
        }
    }

    proptest! {
        #[test]
        fn a_reader_that_sleeps_is_woken_once_for_each_part_that_fills(
            bits in 16_u32..28,
            records in prop::collection::vec(1_u64..8200, 1..500),
        ) {
            let part = wakes_at(1 << bits);
            let mut waiting = 0;
            for record in records {
                let before = waiting;
                waiting += record;
                prop_assert_eq!(is_due(record, waiting, 1 << bits), waiting / part > before / part);
            }
        }
    }
}
