//! A time as RFC 3339 has it: UTC, with microseconds.
//!
//! It must not know a clock.

use serde::{Serialize, Serializer};

use super::fields::Encoded;
use crate::time::Timestamp;

/// Days from the first of March of the year 0 to the first of January 1970.
const DAYS_TO_EPOCH: u64 = 719_468;

/// Days of the 400 years after which the calendar repeats itself.
const DAYS_OF_ERA: u64 = 146_097;

const SECONDS_OF_DAY: u64 = 86_400;

/// The time of a record. Microseconds are not rounded up, so that order stays.
pub(super) struct Time(pub(super) Timestamp);

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Encoded(&text(self.0)).serialize(serializer)
    }
}

/// With its quotation marks.
fn text(time: Timestamp) -> [u8; 29] {
    let (microseconds, seconds) = ((time.0 / 1_000) % 1_000_000, time.0 / 1_000_000_000);
    let (year, month, day) = date(seconds / SECONDS_OF_DAY);
    let second = seconds % SECONDS_OF_DAY;
    let pairs = [
        (1, year / 100),
        (3, year % 100),
        (6, month),
        (9, day),
        (12, second / 3600),
        (15, second / 60 % 60),
        (18, second % 60),
        (21, microseconds / 10_000),
        (23, microseconds / 100 % 100),
        (25, microseconds % 100),
    ];
    let mut text = *b"\"0000-00-00T00:00:00.000000Z\"";
    for (place, number) in pairs {
        let number = u8::try_from(number).expect("two digits");
        text[place] += number / 10;
        text[place + 1] += number % 10;
    }
    text
}

/// Year, month and day of a day after the first of January 1970, in the Gregorian calendar.
///
/// Years are counted from March, so that a leap day is the last of its year: see
/// <https://howardhinnant.github.io/date_algorithms.html#civil_from_days>.
const fn date(days: u64) -> (u64, u64, u64) {
    let days = days + DAYS_TO_EPOCH;
    let (era, day_of_era) = (days / DAYS_OF_ERA, days % DAYS_OF_ERA);
    let leap_days = day_of_era / 1_460 + day_of_era / 146_096 - day_of_era / 36_524;
    let year_of_era = (day_of_era - leap_days) / 365;
    let first_day = 365 * year_of_era + year_of_era / 4 - year_of_era / 100;
    let day_of_year = day_of_era - first_day;
    let months_since_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * months_since_march + 2) / 5 + 1;
    let year = 400 * era + year_of_era;
    if months_since_march < 10 {
        (year, months_since_march + 3, day)
    } else {
        (year + 1, months_since_march - 9, day)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(nanoseconds: u64, expected: &str) {
        let quoted = format!("\"{expected}\"");
        assert_eq!(text(Timestamp(nanoseconds)), quoted.as_bytes());
    }

    #[test]
    fn times_have_six_digits_and_are_not_rounded_up() {
        check(0, "1970-01-01T00:00:00.000000Z");
        check(1_700_000_000_123_456_789, "2023-11-14T22:13:20.123456Z");
        check(1_700_000_000_999_999_999, "2023-11-14T22:13:20.999999Z");
        check(1_709_164_800_000_000_000, "2024-02-29T00:00:00.000000Z");
        check(4_107_542_400_000_000_000, "2100-03-01T00:00:00.000000Z");
        check(u64::MAX, "2554-07-21T23:34:33.709551Z");
    }

    proptest! {
        #[test]
        fn a_calendar_says_the_same(nanoseconds: u64) {
            let time = jiff::Timestamp::from_nanosecond(i128::from(nanoseconds)).unwrap();
            check(nanoseconds, &format!("{time:.6}"));
        }
    }
}
