//! Timing: the best of many rounds, because other work of the machine only ever slows one down.
//!
//! It must not know what is timed.

use std::time::{Duration, Instant};

/// Rounds of each measurement.
const ROUNDS: usize = 20;

/// The shortest of many runs of `work`, each over its own input.
pub(crate) fn best_prepared<T>(
    mut prepare: impl FnMut() -> T,
    mut work: impl FnMut(T),
) -> Duration {
    (0..ROUNDS).map(|_| timed(prepare(), &mut work)).min().unwrap_or_default()
}

/// The shortest of many runs of `work` over each of two inputs, turn by turn, so that both see the
/// machine as it is.
pub(crate) fn best_of_two<T>(
    mut first: impl FnMut() -> T,
    mut second: impl FnMut() -> T,
    mut work: impl FnMut(T),
) -> (Duration, Duration) {
    let pair = |_| (timed(first(), &mut work), timed(second(), &mut work));
    (0..ROUNDS)
        .map(pair)
        .reduce(|best, pair| (best.0.min(pair.0), best.1.min(pair.1)))
        .unwrap_or_default()
}

fn timed<T>(input: T, work: &mut impl FnMut(T)) -> Duration {
    let start = Instant::now();
    work(input);
    start.elapsed()
}
