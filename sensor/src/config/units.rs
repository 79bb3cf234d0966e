//! Durations and sizes as people write them: `90s`, `4h`, `8MiB`.
//!
//! It must not know where they are written.

use std::fmt;
use std::time::Duration;

/// Units of a duration with their length in milliseconds, longest first.
const DURATION_UNITS: [(&str, u64); 5] =
    [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];

/// Units of a size with their octets, largest first.
const SIZE_UNITS: [(&str, u64); 4] =
    [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

/// A text that is not a duration or a size. Its message says what one looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnitError {
    /// Not a duration.
    Duration,
    /// Not a size.
    Size,
    /// More than 64 bits of milliseconds or octets hold.
    TooLarge,
}

impl fmt::Display for UnitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Duration => {
                "not a duration; write numbers with units, largest first, as in \"5s\", \"30m\", \
                 \"4h\", \"7d\" or \"1h30m\""
            }
            Self::Size => {
                "not a size; write octets, or a number with a unit, as in \"64KiB\" or \"8MiB\""
            }
            Self::TooLarge => "too large",
        })
    }
}

impl std::error::Error for UnitError {}

/// Reads a duration: one or more of a number and a unit (d, h, m, s, ms), largest unit first.
///
/// # Errors
///
/// When `text` has another form, or is longer than 64 bits of milliseconds.
pub fn parse_duration(text: &str) -> Result<Duration, UnitError> {
    let mut rest = text;
    let mut milliseconds = 0_u64;
    let mut smallest = u64::MAX;
    while !rest.is_empty() {
        let (number, after_number) = split_where(rest, |c| !c.is_ascii_digit());
        let (unit, after_unit) = split_where(after_number, |c| c.is_ascii_digit());
        let count = parse_count(number, UnitError::Duration)?;
        let length = unit_length(&DURATION_UNITS, unit).ok_or(UnitError::Duration)?;
        if length >= smallest {
            return Err(UnitError::Duration);
        }
        smallest = length;
        milliseconds = count
            .checked_mul(length)
            .and_then(|part| milliseconds.checked_add(part))
            .ok_or(UnitError::TooLarge)?;
        rest = after_unit;
    }
    if text.is_empty() { Err(UnitError::Duration) } else { Ok(Duration::from_millis(milliseconds)) }
}

/// Writes a duration so that [`parse_duration`] reads it back, to the millisecond.
#[must_use]
pub fn format_duration(duration: Duration) -> String {
    let mut rest = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let mut text = String::new();
    for (unit, length) in DURATION_UNITS {
        if rest >= length {
            text.push_str(&format!("{}{unit}", rest / length));
            rest %= length;
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

/// Reads a size: a number of octets, or a number with a unit (B, KiB, MiB, GiB).
///
/// # Errors
///
/// When `text` has another form, or is more than 64 bits hold.
pub fn parse_size(text: &str) -> Result<u64, UnitError> {
    let (number, unit) = split_where(text, |c| !c.is_ascii_digit());
    let count = parse_count(number, UnitError::Size)?;
    let octets = match unit {
        "" => 1,
        unit => unit_length(&SIZE_UNITS, unit).ok_or(UnitError::Size)?,
    };
    count.checked_mul(octets).ok_or(UnitError::TooLarge)
}

/// Writes a size so that [`parse_size`] reads it back exactly, in the largest unit that divides it.
#[must_use]
pub fn format_size(octets: u64) -> String {
    let (unit, length) = SIZE_UNITS
        .into_iter()
        .find(|(_, length)| octets >= *length && octets.is_multiple_of(*length))
        .unwrap_or(("B", 1));
    format!("{}{unit}", octets / length)
}

fn split_where(text: &str, ends: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(ends).unwrap_or(text.len()))
}

fn parse_count(digits: &str, malformed: UnitError) -> Result<u64, UnitError> {
    if digits.is_empty() {
        return Err(malformed);
    }
    // Only digits are left, so the one way to fail is to overflow.
    digits.parse().map_err(|_| UnitError::TooLarge)
}

fn unit_length(units: &[(&str, u64)], unit: &str) -> Option<u64> {
    units.iter().find(|(name, _)| *name == unit).map(|(_, length)| *length)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn durations() {
        let check = |text: &str, expected: Result<u64, UnitError>| {
            assert_eq!(parse_duration(text), expected.map(Duration::from_millis), "{text:?}");
        };
        check("5s", Ok(5000));
        check("30m", Ok(1_800_000));
        check("4h", Ok(14_400_000));
        check("7d", Ok(604_800_000));
        check("250ms", Ok(250));
        check("1h30m", Ok(5_400_000));
        check("0s", Ok(0));
        for malformed in ["", "5", "s", "5 s", "-5s", "5x", "30m1h", "1h1h", "1.5h", "5S"] {
            check(malformed, Err(UnitError::Duration));
        }
        check("18446744073709551616s", Err(UnitError::TooLarge));
        check("18446744073709551615d", Err(UnitError::TooLarge));
    }

    #[test]
    fn sizes() {
        let check = |text: &str, expected| assert_eq!(parse_size(text), expected, "{text:?}");
        check("0", Ok(0));
        check("65535", Ok(65_535));
        check("12B", Ok(12));
        check("64KiB", Ok(65_536));
        check("8MiB", Ok(8 << 20));
        check("2GiB", Ok(2 << 30));
        for malformed in ["", "MiB", "8MB", "8 MiB", "-1", "1.5MiB", "8mib"] {
            check(malformed, Err(UnitError::Size));
        }
        check("18446744073709551615KiB", Err(UnitError::TooLarge));
    }

    proptest! {
        #[test]
        fn a_written_duration_reads_back(milliseconds: u64) {
            let duration = Duration::from_millis(milliseconds);
            prop_assert_eq!(parse_duration(&format_duration(duration)), Ok(duration));
        }

        #[test]
        fn a_written_size_reads_back(octets: u64) {
            prop_assert_eq!(parse_size(&format_size(octets)), Ok(octets));
        }
    }
}
