//! How much of a ring waits for its reader.
//!
//! Pure. It must not know what a record says.

/// Records that were in the ring when its reader last looked at the time. What is read after them
/// came meanwhile: a reader that always finds more is busy, and only one that leaves much waiting
/// is behind.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    /// Kernel time of that look.
    looked: u64,
    /// Octets read since whose records are older.
    octets: usize,
}

impl Backlog {
    /// Counts `octets` of the ring, read by `now`, the last record of which is of `last`; how many
    /// of those that waited are read so far.
    pub(super) fn read(&mut self, octets: usize, last: u64, now: u64) -> usize {
        if last > self.looked {
            *self = Self { looked: now, octets: 0 };
        } else {
            self.octets = self.octets.saturating_add(octets);
        }
        self.octets
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The backlogs after pieces of (octets, time of the last record, now).
    fn check(pieces: &[(usize, u64, u64)], expected: &[usize]) {
        let mut backlog = Backlog::default();
        let found: Vec<_> =
            pieces.iter().map(|(octets, last, now)| backlog.read(*octets, *last, *now)).collect();
        assert_eq!(found, expected, "{pieces:?}");
    }

    #[test]
    fn only_what_was_there_before_the_look_has_waited() {
        check(&[(5, 1, 10), (5, 2, 11), (5, 10, 12), (5, 11, 13)], &[0, 5, 10, 0]);
    }

    #[test]
    fn a_reader_as_fast_as_the_writer_has_no_backlog() {
        check(&[(5, 1, 2), (5, 3, 4), (5, 5, 6), (5, 7, 8)], &[0; 4]);
    }
}
