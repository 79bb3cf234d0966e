//! The rate limiter's arithmetic: a generic cell rate algorithm whose state is one word.
//!
//! Pure: it must not know clocks, maps or atomics.

use crate::abi::Limit;

/// Nanoseconds by which two CPUs may be apart when one has read the clock and the other has since
/// moved the state on. Below it a state from the future is no sign of a clock that was set back.
const SKEW: u64 = 100_000_000;

/// The outcome of one event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Within the limit; the state becomes this.
    Conforming(u64),
    /// Over the limit; the state stays.
    Over,
}

/// Judges one event at `now` against the theoretical arrival time `arrival` (ITU-T I.371, annex
/// A, virtual scheduling). A state from the future beyond the tolerance, as a clock that was set
/// back would leave it, is repaired rather than left to punish the source.
#[inline(always)]
#[must_use]
pub const fn judge(limit: Limit, arrival: u64, now: u64) -> Outcome {
    let ahead = arrival.saturating_sub(now);
    if ahead > limit.tolerance.saturating_add(limit.interval).saturating_add(SKEW) {
        return Outcome::Conforming(now.saturating_add(limit.interval));
    }
    if ahead > limit.tolerance {
        return Outcome::Over;
    }
    let from = if arrival > now { arrival } else { now };
    Outcome::Conforming(from.saturating_add(limit.interval))
}

/// The limit that permits `rate` packets a second and `burst` packets at once; no limit when
/// `rate` is 0. A rate past one packet a nanosecond is as good as none.
#[must_use]
pub const fn limit(rate: u64, burst: u64) -> Limit {
    if rate == 0 {
        return Limit { interval: 0, tolerance: 0 };
    }
    let interval = 1_000_000_000 / rate;
    let extra = if burst == 0 { 0 } else { burst - 1 };
    Limit { interval, tolerance: interval.saturating_mul(extra) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECOND: u64 = 1_000_000_000;

    /// Packets let through when one comes every `gap` nanoseconds for `duration`.
    fn passed(limit: Limit, gap: u64, duration: u64) -> u64 {
        let (mut arrival, mut passed, start) = (0, 0, 5 * SECOND);
        let mut now = start;
        while now < start + duration {
            if let Outcome::Conforming(next) = judge(limit, arrival, now) {
                arrival = next;
                passed += 1;
            }
            now += gap;
        }
        passed
    }

    #[test]
    fn a_burst_passes_and_then_the_rate() {
        let limit = limit(1000, 50);
        assert_eq!(passed(limit, 1, 50), 50);
        assert_eq!(passed(limit, 1000, SECOND), 50 + 999);
        assert_eq!(passed(limit, SECOND / 1000, SECOND), 1000);
    }

    #[test]
    fn another_cpu_a_tick_ahead_gives_no_new_burst() {
        let limit = limit(1000, 50);
        let full = SECOND + limit.tolerance + limit.interval;
        assert_eq!(judge(limit, full, SECOND - 10_000_000), Outcome::Over);
    }

    #[test]
    fn a_clock_that_went_back_does_not_lock_a_source_out() {
        let limit = limit(10, 5);
        assert!(matches!(judge(limit, 1000 * SECOND, SECOND), Outcome::Conforming(_)));
    }

    proptest! {
        /// Against a token bucket counted in nanoseconds of credit: each packet costs one
        /// interval, and the bucket holds the burst.
        #[test]
        fn it_agrees_with_a_token_bucket(
            rate in 1_u64..100_000,
            burst in 1_u64..1000,
            gaps in prop::collection::vec(0_u64..50_000_000, 1..300),
        ) {
            let limit = limit(rate, burst);
            let size = limit.interval * burst;
            let (mut credit, mut arrival, mut now) = (size, 0, SECOND);
            for gap in gaps {
                now += gap;
                credit = size.min(credit + gap);
                let expected = credit >= limit.interval;
                let outcome = judge(limit, arrival, now);
                prop_assert_eq!(matches!(outcome, Outcome::Conforming(_)), expected);
                if let Outcome::Conforming(next) = outcome {
                    arrival = next;
                    credit -= limit.interval;
                }
            }
        }
    }
}
