//! The one notion of time: a moment on the wall clock, as the packet carries it.
//!
//! Pure: it must not know a clock.

/// Nanoseconds since the Unix epoch, as stamped by the kernel or by the capture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// Nanoseconds from `earlier` to `self`; zero when the clock went backwards between them.
    #[must_use]
    pub fn nanoseconds_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}
