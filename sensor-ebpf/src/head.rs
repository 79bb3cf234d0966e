//! Recognises the first octets of a segment: a request line or a status line of HTTP/1.
//!
//! It must not know where the octets come from, nor what follows them.

/// Octets needed to tell.
pub const LENGTH: usize = 12;

const fn word(text: [u8; 4]) -> u32 {
    u32::from_be_bytes(text)
}

/// Whether a segment that starts with these octets starts with a method token of RFC 9110,
/// section 9, or PATCH (RFC 5789).
#[inline(always)]
#[must_use]
pub const fn is_request(octets: &[u8; LENGTH]) -> bool {
    const GET: u32 = word(*b"GET ");
    const PUT: u32 = word(*b"PUT ");
    const POST: u32 = word(*b"POST");
    const HEAD: u32 = word(*b"HEAD");
    const PATCH: u32 = word(*b"PATC");
    const DELETE: u32 = word(*b"DELE");
    const OPTIONS: u32 = word(*b"OPTI");
    const CONNECT: u32 = word(*b"CONN");
    const TRACE: u32 = word(*b"TRAC");
    let rest = u32::from_be_bytes([octets[4], octets[5], octets[6], octets[7]]);
    match u32::from_be_bytes([octets[0], octets[1], octets[2], octets[3]]) {
        GET | PUT => true,
        POST | HEAD => octets[4] == b' ',
        PATCH => octets[4] == b'H' && octets[5] == b' ',
        TRACE => octets[4] == b'E' && octets[5] == b' ',
        DELETE => octets[4] == b'T' && octets[5] == b'E' && octets[6] == b' ',
        OPTIONS => rest == word(*b"ONS "),
        CONNECT => rest == word(*b"ECT "),
        _ => false,
    }
}

/// The class (0 to 5) of the status line a segment starts with, 0 for a code outside 100 to 599;
/// `None` when it starts with something else.
#[inline(always)]
#[must_use]
pub const fn status_class(octets: &[u8; LENGTH]) -> Option<u8> {
    const HTTP: u32 = word(*b"HTTP");
    const ONE: u32 = word(*b"/1.0");
    const ONE_ONE: u32 = word(*b"/1.1");
    let version = u32::from_be_bytes([octets[4], octets[5], octets[6], octets[7]]);
    if u32::from_be_bytes([octets[0], octets[1], octets[2], octets[3]]) != HTTP
        || (version != ONE && version != ONE_ONE)
        || octets[8] != b' '
    {
        return None;
    }
    match octets[9] {
        digit @ b'1'..=b'5' => Some(digit - b'0'),
        _ => Some(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn octets(text: &str) -> [u8; LENGTH] {
        let mut octets = [0; LENGTH];
        let length = text.len().min(LENGTH);
        octets[..length].copy_from_slice(&text.as_bytes()[..length]);
        octets
    }

    #[test]
    fn methods_are_recognised_whole() {
        for method in
            ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"]
        {
            assert!(is_request(&octets(&format!("{method} / HTTP/1.1"))), "{method}");
            assert!(!is_request(&octets(&format!("{method}X / HTTP/1.1"))), "{method}X");
            assert!(!is_request(&octets(&method.to_lowercase())), "{method} in lower case");
        }
        assert!(!is_request(&octets("HTTP/1.1 200")));
    }

    #[test]
    fn status_lines_give_their_class() {
        for (text, class) in [
            ("HTTP/1.1 200", Some(2)),
            ("HTTP/1.0 503", Some(5)),
            ("HTTP/1.1 999", Some(0)),
            ("HTTP/2.0 200", None),
            ("HTTP/1.1200 ", None),
            ("GET / HTTP/1", None),
        ] {
            assert_eq!(status_class(&octets(text)), class, "{text}");
        }
    }
}
