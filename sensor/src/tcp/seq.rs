//! Owns the serial arithmetic of sequence numbers (RFC 9293, section 3.4).
//!
//! It must not know segments or streams.

/// Signed distance from one sequence number to another, across the wrap.
pub(super) fn distance(from: u32, to: u32) -> i64 {
    i64::from(to.wrapping_sub(from).cast_signed())
}

/// The stream position of `sequence`, nearest to the position `near`, in a stream whose position 0
/// has the number `origin`. Negative before that.
pub(super) fn position(origin: u32, near: u64, sequence: u32) -> i64 {
    near.cast_signed() + distance(number(origin, near), sequence)
}

/// The sequence number of `position` in a stream whose position 0 has the number `origin`.
pub(super) fn number(origin: u32, position: u64) -> u32 {
    origin.wrapping_add(low_word(position))
}

#[expect(clippy::cast_possible_truncation, reason = "sequence numbers are positions modulo 2^32")]
fn low_word(position: u64) -> u32 {
    position as u32
}

#[cfg(test)]
mod tests {
    use super::position;

    #[test]
    fn positions_pass_the_wrap_in_both_directions() {
        let table = [
            // origin, near, sequence, position
            (0, 0, 0, 0),
            (1000, 0, 1500, 500),
            (1000, 0, 999, -1),
            (u32::MAX, 0, 0, 1),
            (u32::MAX - 9, 5, 20, 30),
            (10, 1 << 32, 15, (1 << 32) + 5),
            (10, (1 << 32) + 100, 5, (1 << 32) - 5),
            (10, 3 << 32, u32::MAX, (3 << 32) - 11),
        ];
        for (origin, near, sequence, expected) in table {
            assert_eq!(position(origin, near, sequence), expected, "{origin} {near} {sequence}");
        }
    }
}
