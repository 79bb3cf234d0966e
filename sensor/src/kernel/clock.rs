//! Kernel time as wall-clock time.
//!
//! It must not know what a moment is the moment of.

use nix::time::{ClockId, clock_gettime};

use crate::time::Timestamp;

/// A step of the wall clock below this is drift, and is followed only then, so that the times of
/// one exchange stay comparable.
const STEP: u64 = 1_000_000;

/// Translates `CLOCK_MONOTONIC` to the wall clock.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    /// Wall clock minus kernel time, in nanoseconds.
    offset: u64,
}

impl Clock {
    /// Reads both clocks.
    #[must_use]
    pub fn new() -> Self {
        Self { offset: read(ClockId::CLOCK_REALTIME).saturating_sub(kernel_now()) }
    }

    /// Follows the wall clock when it was set.
    pub fn refresh(&mut self) {
        let current = Self::new();
        if current.offset.abs_diff(self.offset) > STEP {
            *self = current;
        }
    }

    /// The wall-clock time of a moment in kernel time.
    #[must_use]
    pub fn wall(&self, kernel: u64) -> Timestamp {
        Timestamp(kernel.saturating_add(self.offset))
    }

    /// The kernel time of a moment in wall-clock time.
    #[must_use]
    pub fn kernel(&self, wall: Timestamp) -> u64 {
        wall.0.saturating_sub(self.offset)
    }

    /// Now, in wall-clock time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.wall(kernel_now())
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::new()
    }
}

/// Now, in kernel time.
pub(super) fn kernel_now() -> u64 {
    read(ClockId::CLOCK_MONOTONIC)
}

fn read(clock: ClockId) -> u64 {
    let time = clock_gettime(clock).expect("both clocks exist on every Linux");
    let seconds = u64::try_from(time.tv_sec()).unwrap_or_default();
    let nanoseconds = u64::try_from(time.tv_nsec()).unwrap_or_default();
    seconds * 1_000_000_000 + nanoseconds
}
