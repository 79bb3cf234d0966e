//! The time a provider says it signed at.
//!
//! It must not know a clock.

/// From this number on a time is in milliseconds: as seconds it would be the year 5138.
const FIRST_IN_MILLISECONDS: i64 = 100_000_000_000;

/// Milliseconds since the Unix epoch: of decimal seconds or milliseconds, or of RFC 3339 text.
pub(super) fn milliseconds(text: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(text).ok()?.trim();
    match text.parse::<i64>() {
        Ok(number) if number < 0 => None,
        Ok(number) if number < FIRST_IN_MILLISECONDS => Some(number * 1000),
        Ok(number) => Some(number),
        Err(_) => text.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_millisecond),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn milliseconds() {
        let check = |text: &str, expected: Option<i64>| {
            assert_eq!(super::milliseconds(text.as_bytes()), expected, "{text}");
        };
        check("1531420618", Some(1_531_420_618_000));
        check("1531420618123", Some(1_531_420_618_123));
        check(" 0 ", Some(0));
        check("2018-07-12T18:36:58.5Z", Some(1_531_420_618_500));
        check("2018-07-12T20:36:58+02:00", Some(1_531_420_618_000));
        for text in ["", "-1", "99999999999999999999", "yesterday", "2018-07-12"] {
            check(text, None);
        }
    }
}
