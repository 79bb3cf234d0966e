//! Text as it stands between the quotation marks of JSON (RFC 8259, section 7).
//!
//! It must not know what is a value.

/// Octets looked at together: those of the narrowest vectors that processors have.
const BLOCK: usize = 16;

/// Appends `octets` to `line` as text, where what is not UTF-8 becomes U+FFFD.
///
/// Besides what JSON demands, this escapes what others take for the end of a line or for a command:
/// DEL, the C1 controls, and the separators U+2028 and U+2029.
#[inline]
pub(super) fn text(octets: &[u8], line: &mut Vec<u8>) {
    if is_plain(octets) {
        line.extend_from_slice(octets);
    } else {
        odd_text(octets, line);
    }
}

/// As [`text`], character by character.
#[cold]
fn odd_text(octets: &[u8], line: &mut Vec<u8>) {
    for chunk in octets.utf8_chunks() {
        chunk.valid().chars().for_each(|character| escaped(character, line));
        if !chunk.invalid().is_empty() {
            unchanged(char::REPLACEMENT_CHARACTER, line);
        }
    }
}

/// Whether all `octets` are printable ASCII that stands for itself. Nearly all text is, and most of
/// it is short: the last block may overlap the one before it.
#[inline]
fn is_plain(octets: &[u8]) -> bool {
    match octets.last_chunk() {
        Some(last) => is_plain_block(last) && octets.as_chunks().0.iter().all(is_plain_block),
        None => is_plain_block(&block_of(octets)),
    }
}

/// A block that has these octets, of which there are fewer, and else spaces. Pieces of a fixed size
/// are copied in a step each, and may overlap.
#[inline]
fn block_of(octets: &[u8]) -> [u8; BLOCK] {
    let mut block = [b' '; BLOCK];
    if let (Some(first), Some(last)) = (octets.first_chunk::<8>(), octets.last_chunk::<8>()) {
        block[..8].copy_from_slice(first);
        block[8..].copy_from_slice(last);
    } else if let (Some(first), Some(last)) = (octets.first_chunk::<4>(), octets.last_chunk::<4>())
    {
        block[..4].copy_from_slice(first);
        block[4..8].copy_from_slice(last);
    } else {
        block.iter_mut().zip(octets).for_each(|(place, octet)| *place = *octet);
    }
    block
}

/// Looks at every octet of a block, without a branch, so that the compiler does it at once.
#[inline]
fn is_plain_block(block: &[u8; BLOCK]) -> bool {
    block.iter().fold(0, |odd, octet| odd | oddity(*octet)) == 0
}

/// Zero for an octet that stands for itself. Of all ways to compare, a subtraction that stops at
/// zero is the one that processors do for a whole block in one step.
#[inline]
const fn oddity(octet: u8) -> u8 {
    let quotation = 1_u8.saturating_sub(octet ^ b'"');
    let backslash = 1_u8.saturating_sub(octet ^ b'\\');
    octet.saturating_sub(b'~') | b' '.saturating_sub(octet) | quotation | backslash
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

    /// Each octet at each place of texts shorter than a block, of one, and longer than one.
    #[test]
    fn plain_octets() {
        for octet in 0..=u8::MAX {
            let expected = matches!(octet, b' '..=b'~') && octet != b'"' && octet != b'\\';
            for length in 1..=2 * BLOCK + 1 {
                for place in 0..length {
                    let mut octets = vec![b'a'; length];
                    octets[place] = octet;
                    assert_eq!(is_plain(&octets), expected, "{octet} at {place} of {length}");
                }
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
