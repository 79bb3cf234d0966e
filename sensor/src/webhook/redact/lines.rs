//! Fields hidden in the value of another one: behind an octet that ends a line to some servers and
//! not to others (RFC 9112, section 2.2), or in a line that goes on with the one before it.
//!
//! It must not know what the field is that has the value.

use super::signs::{is_secret_name, is_secret_value};

/// Whether one of the lines that `value` goes on with is a field with a secret name, or a secret.
pub(super) fn holds_secret_field(value: &[u8]) -> bool {
    let mut start = None;
    let ends = (0..value.len()).filter(|at| begins_line(value, *at)).chain([value.len()]);
    for end in ends {
        let line = start.map(|start: usize| (value[start - 1], &value[start..end]));
        if line.is_some_and(|(before, line)| is_secret_line(before, line)) {
            return true;
        }
        start = Some(end + 1);
    }
    false
}

/// Whether a line begins behind the octet at `at`: it ends one, or is the last of the blanks that
/// stand where a folded line was joined to the one before (RFC 9112, section 5.2).
fn begins_line(value: &[u8], at: usize) -> bool {
    let is_second = || at > 0 && value[at - 1] == b' ';
    match value[at] {
        b'\r' | b'\n' | 0 => true,
        b' ' | b'\t' => is_second(),
        _ => false,
    }
}

/// Whether `line`, behind the octet `before`, holds a secret. A name may go on behind a NUL, and
/// one with octets that no name has may be any.
fn is_secret_line(before: u8, line: &[u8]) -> bool {
    let line = line.trim_ascii();
    if is_secret_value(line) {
        return true;
    }
    let Some(colon) = memchr::memchr(b':', line) else { return false };
    let name = line[..colon].trim_ascii_end();
    let is_text = |octet: &u8| octet.is_ascii_graphic() || matches!(octet, b' ' | b'\t');
    before == 0
        || !name.iter().all(is_text)
        || is_secret_name(&name.to_ascii_lowercase())
        || is_secret_value(line[colon + 1..].trim_ascii_start())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_fields() {
        let check = |value: &str, expected: bool| {
            let value: Vec<u8> = value.chars().map(|octet| octet as u8).collect();
            assert_eq!(holds_secret_field(&value), expected, "{value:?}");
        };
        for secret in [
            "b\rAuthorization: Bearer a",
            "b\rauthorization : Custom a",
            "b\n\rCookie: sid=a",
            "b\r\n Authorization: Digest a",
            // As a head is unfolded.
            "b   Authorization: Digest a",
            "b  Authorization: Digest a",
            "b \tX-Api-Key: a",
            "b\0Authorization: a",
            "b\rAuthor\0ization: a",
            "b\rAuthor\u{ff}ization: a",
            "b\rX-Thing: Bearer a",
            "b\r\n  Bearer a",
            "b\rX: c\rX-Gitlab-Token: a",
            "\rCookie:a",
        ] {
            check(secret, true);
        }
        for plain in [
            "Authorization: a",
            "b Authorization: a",
            "b\rX-Plan: c",
            "b  c; d: e",
            "b\tc",
            "b\0c",
            "1.1 a  1.1 b:80",
            "b\r",
            "\r\n\0  ",
            "",
        ] {
            check(plain, false);
        }
    }
}
