//! Text as it stands between the quotation marks of JSON (RFC 8259, section 7).
//!
//! It must not know what is a value.

/// Octets looked at together.
const WORD: usize = size_of::<u64>();

/// Appends `octets` to `line` as text, where what is not UTF-8 becomes U+FFFD.
///
/// Besides what JSON demands, this escapes what others take for the end of a line or for a command:
/// DEL, the C1 controls, and the separators U+2028 and U+2029.
pub(super) fn text(octets: &[u8], line: &mut Vec<u8>) {
    if is_plain(octets) {
        line.extend_from_slice(octets);
        return;
    }
    for chunk in octets.utf8_chunks() {
        chunk.valid().chars().for_each(|character| escaped(character, line));
        if !chunk.invalid().is_empty() {
            unchanged(char::REPLACEMENT_CHARACTER, line);
        }
    }
}

/// Whether all `octets` are printable ASCII that stands for itself. Nearly all text is.
fn is_plain(octets: &[u8]) -> bool {
    let (words, rest) = octets.as_chunks::<WORD>();
    words.iter().all(|word| is_plain_word(u64::from_ne_bytes(*word)))
        && rest.iter().all(|octet| matches!(octet, b' '..=b'~') && !matches!(octet, b'"' | b'\\'))
}

/// As [`is_plain`], for all octets of a word at once. Of each test only the topmost bits of octets
/// count, and a borrow from one octet into the next starts at one that fails itself.
const fn is_plain_word(word: u64) -> bool {
    const EACH: u64 = u64::MAX / 0xff;
    const TOP: u64 = EACH * 0x80;
    const fn zero(word: u64) -> u64 {
        word.wrapping_sub(EACH) & !word
    }
    let control = word.wrapping_sub(EACH * 0x20) & !word;
    let quotation = zero(word ^ (EACH * b'"' as u64));
    let backslash = zero(word ^ (EACH * b'\\' as u64));
    let delete = zero(word ^ (EACH * 0x7f));
    (word | control | quotation | backslash | delete) & TOP == 0
}

fn escaped(character: char, line: &mut Vec<u8>) {
    let short = match character {
        '"' => b'"',
        '\\' => b'\\',
        '\u{8}' => b'b',
        '\t' => b't',
        '\n' => b'n',
        '\u{c}' => b'f',
        '\r' => b'r',
        odd if odd.is_control() || matches!(odd, '\u{2028}' | '\u{2029}') => {
            return by_number(odd, line);
        }
        plain => return unchanged(plain, line),
    };
    line.extend_from_slice(&[b'\\', short]);
}

/// The form `\u` with four hexadecimal digits, for characters that these are enough for.
fn by_number(character: char, line: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |place: u32| DIGITS[(u32::from(character) >> (4 * place)) as usize & 15];
    line.extend_from_slice(&[b'\\', b'u', digit(3), digit(2), digit(1), digit(0)]);
}

fn unchanged(character: char, line: &mut Vec<u8>) {
    line.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(octets: &[u8], expected: &str) {
        let mut line = Vec::new();
        text(octets, &mut line);
        assert_eq!(String::from_utf8(line).unwrap(), expected);
    }

    #[test]
    fn escapes() {
        check(b"plain", "plain");
        check(b"\0\r\n\t\"\\\x1b", r#"\u0000\r\n\t\"\\\u001b"#);
        check(
            "a\u{7f}b\u{85}\u{9b}c\u{2028}\u{2029}".as_bytes(),
            r"a\u007fb\u0085\u009bc\u2028\u2029",
        );
        check("\u{fffd}\u{e9}\u{1f600}".as_bytes(), "\u{fffd}\u{e9}\u{1f600}");
        check(b"a\xff\xc3b", "a\u{fffd}\u{fffd}b");
    }

    /// Each octet at each place of a word, and after it.
    #[test]
    fn plain_octets() {
        for octet in 0..=u8::MAX {
            let expected = matches!(octet, b' '..=b'~') && octet != b'"' && octet != b'\\';
            for place in 0..=WORD {
                let mut octets = [b'a'; WORD + 1];
                octets[place] = octet;
                assert_eq!(is_plain(&octets), expected, "{octet} at {place}");
            }
        }
    }

    proptest! {
        #[test]
        fn any_text_reads_back_from_one_line(octets: Vec<u8>) {
            let mut line = b"\"".to_vec();
            text(&octets, &mut line);
            line.push(b'"');
            let line = String::from_utf8(line).unwrap();
            let ends_line = |c: char| c.is_control() || ['\u{2028}', '\u{2029}'].contains(&c);
            prop_assert!(!line.contains(ends_line));
            let read: String = serde_json::from_str(&line).unwrap();
            prop_assert_eq!(read, String::from_utf8_lossy(&octets));
        }
    }
}
