//! The rhythm in which deliveries come, and when they should have come and have not.
//!
//! A silence is judged by the longest one that was usual at the same hour of the week, so that
//! nights and weekends without deliveries are no alarm. It must not know whose deliveries these
//! are.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

const SECOND: u64 = 1_000_000_000;

/// Seconds of an hour and hours of a week, the parts of time whose silences are learned apart.
const HOUR: u64 = 3_600;
const WEEK: usize = 7 * 24;

/// Weeks after which an hour of the week is known: one may have been a holiday.
const KNOWN_WEEKS: u8 = 2;

/// A silence is told when it is this many times the longest that was usual at this hour.
const UNUSUAL: u32 = 3;

/// The same while the hours of the week are not known yet, and the longest of all is taken: high
/// enough that the first weekend, of some 62 hours, passes after nights of ten.
const UNUSUAL_AT_FIRST: u32 = 8;

/// What has to be seen before anything is told at first: a whole day, and silences enough.
const FIRST_DAY: u64 = 24 * HOUR;
const FIRST_GAPS: u32 = 50;

/// No silence below this is told: a person cannot act on less.
const SHORTEST: u32 = 600;

/// Seconds between two looks after which nobody was looking, and nothing is concluded from what was
/// not seen.
const NOT_WATCHED: u64 = 600;

/// Seconds to which the time of the last look is rounded where it is kept: half of what goes
/// unnoticed.
const WATCHED_STEP: u64 = NOT_WATCHED / 2;

/// Each new week an hour's longest silence shrinks by one part in this many, so that what was usual
/// once is forgotten within some weeks.
const FADING: u32 = 8;

/// What is known of one hour of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
struct Hour {
    /// Seconds of the longest silence that touched it.
    longest: u32,
    /// The week, since 1970, in which it was last touched.
    week: u16,
    /// Weeks in which it was.
    weeks: u8,
}

/// The rhythm of the deliveries of one receiver. Times are seconds since the Unix epoch, and zero
/// is none.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Rhythm {
    /// When deliveries were first watched.
    first: u64,
    /// The last delivery, unless nobody was looking since.
    last: u64,
    /// Since when there is silence, as far as is known.
    silent_since: u64,
    /// When somebody looked last.
    watched: u64,
    /// Silences learned, and seconds of the longest.
    gaps: u32,
    longest: u32,
    has_stopped: bool,
    /// [`WEEK`] hours, once there was a silence.
    hours: Vec<Hour>,
}

/// How much of the traffic is seen, of what the configuration wants seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Watch {
    /// All of it.
    Full,
    /// Less: fewer connections are copied up, or records are lost. A silence may be our own.
    Partial,
}

/// What has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// Deliveries should have come.
    Stopped {
        /// How long none came.
        silence: Duration,
        /// The longest silence that is usual.
        usual: Duration,
    },
    /// They come again.
    Resumed {
        /// How long none came.
        silence: Duration,
    },
}

impl Rhythm {
    /// Takes note of a delivery.
    pub(super) fn delivery(&mut self, time: Timestamp) -> Option<Turn> {
        let now = time.0 / SECOND;
        self.look(now);
        let silence = now.saturating_sub(self.silent_since);
        let has_stopped = std::mem::take(&mut self.has_stopped);
        if self.first == 0 {
            self.first = now;
        } else if self.last != 0 && !has_stopped {
            self.learn(self.last, now);
        }
        self.last = now;
        self.silent_since = now;
        has_stopped.then_some(Turn::Resumed { silence: Duration::from_secs(silence) })
    }

    /// Looks whether deliveries should have come; says so once. Time that is not watched in full
    /// counts as time in which nobody looks.
    pub(super) fn tick(&mut self, time: Timestamp, watch: Watch) -> Option<Turn> {
        let now = time.0 / SECOND;
        self.look(now);
        if watch == Watch::Partial {
            self.begin_anew(now);
            return None;
        }
        if self.has_stopped || self.first == 0 {
            return None;
        }
        let silence = now.saturating_sub(self.silent_since);
        let (usual, times) = self.usual(now)?;
        if silence <= u64::from(usual.saturating_mul(times).max(SHORTEST)) {
            return None;
        }
        self.has_stopped = true;
        let usual = Duration::from_secs(usual.into());
        Some(Turn::Stopped { silence: Duration::from_secs(silence), usual })
    }

    /// Whether deliveries have stopped that should come.
    pub(super) fn has_stopped(&self) -> bool {
        self.has_stopped
    }

    /// What is worth keeping. The time of the last look is rounded, so that a file of this changes
    /// when something happened and not with every look.
    pub(super) fn kept(&self) -> Self {
        let watched = self.watched / WATCHED_STEP * WATCHED_STEP;
        Self { watched, ..self.clone() }
    }

    /// Notes that somebody looks. When nobody did for a while, or the clock was put back, the
    /// silence begins anew.
    fn look(&mut self, now: u64) {
        if now.abs_diff(self.watched) > NOT_WATCHED {
            self.begin_anew(now);
        }
        self.watched = self.watched.max(now);
    }

    /// Forgets the silence until now, and whatever lies in the future.
    fn begin_anew(&mut self, now: u64) {
        self.last = 0;
        self.silent_since = now;
        self.watched = now;
        self.first = self.first.min(now);
    }

    /// Seconds of the longest usual silence at this hour, and how many times that is unusual. The
    /// hours beside it count too: where clocks are put forward and back, everybody's habits move.
    fn usual(&self, now: u64) -> Option<(u32, u32)> {
        let (_, hour) = week_and_hour(now / HOUR);
        let around = [hour + WEEK - 1, hour, hour + 1];
        let around = around.map(|hour| self.hours.get(hour % WEEK).copied().unwrap_or_default());
        if around.iter().all(|hour| hour.weeks >= KNOWN_WEEKS) {
            let longest = around.iter().map(|hour| hour.longest).max()?;
            return Some((longest, UNUSUAL));
        }
        let is_known = now.saturating_sub(self.first) >= FIRST_DAY && self.gaps >= FIRST_GAPS;
        is_known.then_some((self.longest, UNUSUAL_AT_FIRST))
    }

    /// Learns that the silence from `start` to `end` was usual at every hour it touched.
    fn learn(&mut self, start: u64, end: u64) {
        let seconds = u32::try_from(end.saturating_sub(start)).unwrap_or(u32::MAX);
        self.gaps = self.gaps.saturating_add(1);
        self.longest = self.longest.max(seconds);
        self.hours.resize(WEEK, Hour::default());
        for hour in (start / HOUR..=end / HOUR).take(WEEK) {
            let (week, hour) = week_and_hour(hour);
            self.hours[hour].learn(seconds, week);
        }
    }
}

impl Hour {
    fn learn(&mut self, seconds: u32, week: u16) {
        if self.week != week {
            self.week = week;
            self.weeks = self.weeks.saturating_add(1);
            self.longest -= self.longest / FADING;
        }
        self.longest = self.longest.max(seconds);
    }
}

/// The week since 1970 of an hour since 1970, and the hour's place in it.
fn week_and_hour(hour: u64) -> (u16, usize) {
    let week = u64::try_from(WEEK).unwrap_or(u64::MAX);
    let place = usize::try_from(hour % week).unwrap_or_default();
    (u16::try_from(hour / week).unwrap_or(u16::MAX), place)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: u64 = 24 * HOUR;

    /// A Thursday at midnight, as 1970 began.
    const START: u64 = 2_800 * 7 * DAY;

    /// Office hours of five days: a delivery every `gap` seconds from 8 to 18 o'clock.
    fn office(gap: u64) -> impl Fn(u64) -> bool {
        move |second| {
            let is_weekend = (second / DAY + 3) % 7 >= 5;
            !is_weekend && (8..18).contains(&(second % DAY / HOUR)) && second % gap == 0
        }
    }

    /// Lives through time, minute by minute, with a delivery where `comes` says so, and returns
    /// what was told and when, in seconds since the start.
    fn live(
        rhythm: &mut Rhythm,
        from: u64,
        to: u64,
        comes: &dyn Fn(u64) -> bool,
    ) -> Vec<(u64, bool)> {
        let mut told = Vec::new();
        for second in (from..to).step_by(60) {
            let now = Timestamp((START + second) * SECOND);
            let delivered = if comes(second) { rhythm.delivery(now) } else { None };
            for turn in [delivered, rhythm.tick(now, Watch::Full)].into_iter().flatten() {
                told.push((second, matches!(turn, Turn::Stopped { .. })));
            }
        }
        told
    }

    #[test]
    fn nights_and_weekends_are_silent() {
        let mut rhythm = Rhythm::default();
        assert_eq!(live(&mut rhythm, 0, 56 * DAY, &office(300)), []);
        assert!(rhythm.gaps > 1000);
    }

    #[test]
    fn a_stop_is_told_once_and_its_end_once() {
        let mut rhythm = Rhythm::default();
        let office = office(300);
        live(&mut rhythm, 0, 21 * DAY, &office);
        // Friday from 13 o'clock to Monday at 10.
        let stop = 22 * DAY + 13 * HOUR;
        let back = 25 * DAY + 10 * HOUR;
        let comes = |second| office(second) && !(stop..back).contains(&second);
        let told = live(&mut rhythm, 21 * DAY, 28 * DAY, &comes);
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(told[0].1 && (stop + 600..stop + 2_000).contains(&told[0].0), "{told:?}");
        assert_eq!(told[1], (back, false));
        // The silence that was told is not usual now.
        let told = live(&mut rhythm, 28 * DAY, 35 * DAY, &|second| {
            office(second) && second < 29 * DAY + 10 * HOUR
        });
        assert!(matches!(told[..], [(at, true)] if at < 29 * DAY + 11 * HOUR), "{told:?}");
    }

    #[test]
    fn a_busy_sender_is_known_after_a_day() {
        let mut rhythm = Rhythm::default();
        let told = live(&mut rhythm, 0, 3 * DAY, &|second| second < 2 * DAY);
        assert!(matches!(told[..], [(at, true)] if at < 2 * DAY + 900), "{told:?}");
    }

    #[test]
    fn what_was_not_watched_is_not_judged() {
        let mut rhythm = Rhythm::default();
        live(&mut rhythm, 0, 2 * DAY, &|_| true);
        // Down for a day, then nothing for five minutes, then deliveries again.
        let told = live(&mut rhythm, 3 * DAY, 4 * DAY, &|second| second > 3 * DAY + 300);
        assert_eq!(told, []);
        assert!(rhythm.longest <= 360, "{}", rhythm.longest);
        // Down for a minute, and silent since: told as if it had been up.
        let text = serde_json::to_string(&rhythm).unwrap();
        let mut again: Rhythm = serde_json::from_str(&text).unwrap();
        let told = live(&mut again, 4 * DAY + 60, 5 * DAY, &|_| false);
        assert_eq!(told.len(), 1, "{told:?}");
    }

    #[test]
    fn what_was_watched_in_part_is_not_judged() {
        let mut rhythm = Rhythm::default();
        live(&mut rhythm, 0, 2 * DAY, &|_| true);
        for second in (2 * DAY..3 * DAY).step_by(60) {
            let now = Timestamp((START + second) * SECOND);
            assert_eq!(rhythm.tick(now, Watch::Partial), None);
        }
        let told = live(&mut rhythm, 3 * DAY, 4 * DAY, &|second| second > 3 * DAY + 300);
        assert_eq!(told, []);
        assert!(rhythm.longest <= 360, "{}", rhythm.longest);
        let told = live(&mut rhythm, 4 * DAY, 5 * DAY, &|_| false);
        assert_eq!(told.len(), 1, "{told:?}");
    }

    #[test]
    fn a_step_of_the_clock_is_not_for_ever() {
        let mut rhythm = Rhythm::default();
        live(&mut rhythm, 0, 2 * DAY, &|_| true);
        let ahead = 3_650 * DAY;
        assert_eq!(live(&mut rhythm, ahead, ahead + 60, &|_| true), []);
        let text = serde_json::to_string(&rhythm.kept()).unwrap();
        let mut again: Rhythm = serde_json::from_str(&text).unwrap();
        assert_eq!(live(&mut again, 2 * DAY, 2 * DAY + HOUR, &|_| true), []);
        // Down for a day, which is noticed again.
        let told = live(&mut again, 3 * DAY, 3 * DAY + HOUR, &|second| second > 3 * DAY + 300);
        assert_eq!(told, []);
    }
}
