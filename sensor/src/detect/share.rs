//! When the share of deliveries that go wrong is worth a word, and when it no longer is.
//!
//! It must not know what wrong means.

use std::time::Duration;

use uuid::Uuid;

use crate::time::Timestamp;

/// Deliveries and time that are judged together, at least: fewer of a slow sender are chance, and
/// more within moments of a fast one are a restart.
const ENOUGH: u32 = 20;
const LONG_ENOUGH: Duration = Duration::from_secs(60);

/// One in this many that goes wrong is worth a word.
const BAD_ONE_IN: u32 = 10;

/// When fewer than one in this many go wrong it is over; half as many as began it, so that a share
/// at the bound is not told again and again.
const GOOD_ONE_IN: u32 = 20;

/// Nothing but failures, so many and for so long, is told before there are enough: a sender that
/// calls once an hour is not left alone for a day.
const STREAK: u32 = 5;
const STREAK_TIME: Duration = Duration::from_secs(30);

/// Deliveries that are named as evidence.
const EVIDENCE: usize = 20;

/// What was judged, and what came since.
#[derive(Debug, Default)]
pub(super) struct Share {
    is_bad: bool,
    window: Window,
    streak: Streak,
}

/// The deliveries that will be judged next.
#[derive(Debug, Default)]
struct Window {
    began: Timestamp,
    count: u32,
    wrong: u32,
    evidence: Vec<Uuid>,
}

/// Those that went wrong since the last that did not.
#[derive(Debug, Default)]
struct Streak {
    began: Timestamp,
    count: u32,
}

/// A judgement that differs from the one before.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Change {
    /// Whether too many go wrong now.
    pub(super) is_bad: bool,
    /// How many went wrong, of how many.
    pub(super) wrong: u32,
    pub(super) count: u32,
    /// Some of those that did.
    pub(super) evidence: Vec<Uuid>,
}

impl Share {
    /// Takes note of a delivery; says when it changes the judgement.
    pub(super) fn look(&mut self, is_wrong: bool, time: Timestamp, id: Uuid) -> Option<Change> {
        self.window.add(is_wrong, time, id);
        self.streak.add(is_wrong, time);
        let is_bad = if self.streak.is_enough(time) {
            true
        } else if self.window.is_enough(time) {
            self.window.is_bad(self.is_bad)
        } else {
            return None;
        };
        let Window { count, wrong, evidence, .. } = std::mem::take(&mut self.window);
        let was_bad = std::mem::replace(&mut self.is_bad, is_bad);
        (is_bad != was_bad).then_some(Change { is_bad, wrong, count, evidence })
    }
}

impl Window {
    fn add(&mut self, is_wrong: bool, time: Timestamp, id: Uuid) {
        self.began = begun(self.count, self.began, time);
        self.count += 1;
        self.wrong += u32::from(is_wrong);
        if is_wrong && self.evidence.len() < EVIDENCE {
            self.evidence.push(id);
        }
    }

    fn is_enough(&self, now: Timestamp) -> bool {
        self.count >= ENOUGH && is_past(self.began, now, LONG_ENOUGH)
    }

    fn is_bad(&self, was_bad: bool) -> bool {
        let one_in = if was_bad { GOOD_ONE_IN } else { BAD_ONE_IN };
        self.wrong.saturating_mul(one_in) >= self.count
    }
}

impl Streak {
    fn add(&mut self, is_wrong: bool, time: Timestamp) {
        self.began = begun(self.count, self.began, time);
        self.count = if is_wrong { self.count.saturating_add(1) } else { 0 };
    }

    fn is_enough(&self, now: Timestamp) -> bool {
        self.count >= STREAK && is_past(self.began, now, STREAK_TIME)
    }
}

/// When what is counted began. After the clock was set back that is when it was: nothing would be
/// past before the clock is where it was again.
fn begun(count: u32, began: Timestamp, now: Timestamp) -> Timestamp {
    if count == 0 { now } else { began.min(now) }
}

fn is_past(began: Timestamp, now: Timestamp, time: Duration) -> bool {
    u128::from(now.nanoseconds_since(began)) >= time.as_nanos()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Deliveries of a second apart, each `.` or `x` for one that went wrong. Expects the numbers
    /// of those at which the judgement changed, and to what.
    fn check(seconds: u64, deliveries: &str, expected: &[(usize, bool)]) {
        let mut share = Share::default();
        let mut changes = Vec::new();
        for (number, one) in deliveries.chars().enumerate() {
            let time = Timestamp(number as u64 * seconds * 1_000_000_000);
            if let Some(change) = share.look(one == 'x', time, Uuid::nil()) {
                assert!(change.wrong <= change.count, "{change:?}");
                changes.push((number, change.is_bad));
            }
        }
        assert_eq!(changes, expected, "{deliveries}");
    }

    /// Of a slow sender that fails, before and after the clock was set back by a day.
    #[test]
    fn a_clock_set_back_holds_nothing_up() {
        let mut share = Share::default();
        let day = 24 * 3600;
        let mut told = Vec::new();
        for (number, second) in [day, day + 10, 20, 30, 40, 50, 60].into_iter().enumerate() {
            let time = Timestamp(second * 1_000_000_000);
            told.extend(share.look(true, time, Uuid::nil()).map(|_| number));
        }
        assert_eq!(told, [5]);
    }

    #[test]
    fn told_once_and_over_once() {
        let good = ".".repeat(200);
        check(1, &good, &[]);
        // Four in a row are a restart; five within four seconds are one of a fast sender.
        check(1, &format!("{good}xxxx{good}"), &[]);
        check(1, &format!("{}xxxxx{good}", &good[..10]), &[]);
        // A slow sender is told of at the fifth, and again when enough have come after.
        check(60, &format!("xxxxxxx{good}"), &[(4, true), (26, false)]);
        let ill = "....x".repeat(20);
        check(1, &format!("{ill}{good}"), &[(60, true), (182, false)]);
        // Between the two bounds nothing changes.
        check(1, &format!("{ill}{}", "..............x".repeat(20)), &[(60, true)]);
    }
}
