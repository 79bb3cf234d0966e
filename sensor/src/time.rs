//! The one notion of time: a moment on the wall clock, as the packet carries it.
//!
//! Pure: it must not know a clock.

use std::time::Duration;

/// Nanoseconds since the Unix epoch, as stamped by the kernel or by the capture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// How far `other` is, on whichever side: the clock may have been set back between the two.
    #[must_use]
    pub fn distance(self, other: Self) -> Duration {
        Duration::from_nanos(self.0.abs_diff(other.0))
    }

    /// Nanoseconds from `earlier` to `self`; zero when the clock went backwards between them.
    #[must_use]
    pub fn nanoseconds_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}
