//! A record as one line of JSON that no content can break.
//!
//! It must not know what a record holds.

use std::io::{self, Write};

use memchr::memchr;
use serde::Serialize;
use serde_json::ser::{Formatter, Serializer};

/// Appends `record` to `line` as JSON, without a line ending of its own.
///
/// # Panics
///
/// When `record` has a map whose keys are not text; the records of this module have none.
pub fn write_line(record: &impl Serialize, line: &mut Vec<u8>) {
    record
        .serialize(&mut Serializer::with_formatter(line, OneLine))
        .expect("records have text keys, and memory takes every write");
}

/// Compact JSON that escapes what `serde_json` leaves as it is and others take for the end of a
/// line or for a command: DEL, the C1 controls, and the separators U+2028 and U+2029.
struct OneLine;

impl Formatter for OneLine {
    fn write_string_fragment<W>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()>
    where
        W: ?Sized + Write,
    {
        let mut rest = fragment;
        while let Some((start, odd)) = next_odd(rest) {
            writer.write_all(&rest.as_bytes()[..start])?;
            write!(writer, "\\u{:04x}", u32::from(odd))?;
            rest = &rest[start + odd.len_utf8()..];
        }
        writer.write_all(rest.as_bytes())
    }
}

fn next_odd(text: &str) -> Option<(usize, char)> {
    const DELETE: u8 = 0x7f;
    // Nearly all text is plain ASCII, and both looks take many octets at a time.
    if text.is_ascii() && memchr(DELETE, text.as_bytes()).is_none() {
        return None;
    }
    text.char_indices().find(|(_, c)| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(text: &str, expected: &str) {
        let mut line = Vec::new();
        write_line(&text, &mut line);
        assert_eq!(String::from_utf8(line).unwrap(), expected);
    }

    #[test]
    fn escapes() {
        check("plain", r#""plain""#);
        check("\0\r\n\t\"\\\u{1b}", r#""\u0000\r\n\t\"\\\u001b""#);
        check("a\u{7f}b\u{85}\u{9b}c\u{2028}\u{2029}", r#""a\u007fb\u0085\u009bc\u2028\u2029""#);
        check("\u{fffd}\u{e9}\u{1f600}", "\"\u{fffd}\u{e9}\u{1f600}\"");
    }

    proptest! {
        #[test]
        fn any_text_reads_back_from_one_line(text: String) {
            let mut line = Vec::new();
            write_line(&text, &mut line);
            let line = String::from_utf8(line).unwrap();
            let ends_line = |c: char| c.is_control() || ['\u{2028}', '\u{2029}'].contains(&c);
            prop_assert!(!line.contains(ends_line));
            prop_assert_eq!(serde_json::from_str::<String>(&line).unwrap(), text);
        }
    }
}
