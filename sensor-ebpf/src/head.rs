//! Recognises the first octets of a segment: a request line or a status line of HTTP/1.
//!
//! It must not know where the octets come from, nor what follows them.

use crate::abi::Method;

/// Octets needed to tell a status line.
pub const LENGTH: usize = 12;

/// Octets that tell a request line, but for the shortest segments.
pub const METHOD_LENGTH: usize = 8;

/// Octets below which a segment may only be told to start like a method.
pub const SHORTEST: usize = 4;

/// Steps of up to [`SHORTEST`] octets in which ends of lines before a request line are passed over:
/// one step takes two CRLF. A server ignores at least one (RFC 9112, section 2.2), for old clients
/// send one too many behind a body; the verifier follows each step anew.
pub const BLANK_STEPS: usize = 1;

const fn word(text: [u8; 4]) -> u32 {
    u32::from_be_bytes(text)
}

/// How many of these octets, read as above, are ends of lines before anything else.
#[inline(always)]
#[must_use]
pub const fn blank(first: u32) -> usize {
    const fn ends_line(octet: u8) -> bool {
        matches!(octet, b'\r' | b'\n')
    }
    match first.to_be_bytes() {
        [a, ..] if !ends_line(a) => 0,
        [_, b, ..] if !ends_line(b) => 1,
        [_, _, c, _] if !ends_line(c) => 2,
        [.., d] if !ends_line(d) => 3,
        _ => 4,
    }
}

/// What a segment asks for that starts with these octets, read as numbers in network order: a
/// method of RFC 9110, section 9, or PATCH (RFC 5789).
#[inline(always)]
#[must_use]
pub const fn method(first: u32, rest: u32) -> Method {
    let (method, end, octets) = start(first);
    if octets == 0 || rest >> (32 - 8 * octets) == end { method } else { Method::None }
}

/// The same of a segment that has only the first octets: one cut short within its method counts,
/// so that tiny segments do not hide requests.
#[inline(always)]
#[must_use]
pub const fn cut_method(first: u32) -> Method {
    start(first).0
}

/// The same of a segment of one to three octets, which stand in the high end of `first` with zeros
/// behind them. It counts when a method starts so: this takes the end of a body that is cut so oddly
/// for a request now and then, and hides no request. Of methods that start alike it is the first.
#[inline(always)]
#[must_use]
pub const fn tiny_method(first: u32) -> Method {
    const fn starts(text: [u8; 4], first: u32) -> bool {
        first != 0 && word(text) & (u32::MAX << (first.trailing_zeros() & !7)) == first
    }
    if starts(*b"POST", first) {
        Method::Post
    } else if starts(*b"GET ", first) || starts(*b"HEAD", first) {
        Method::Get
    } else if starts(*b"PUT ", first) || starts(*b"PATC", first) {
        Method::Put
    } else if starts(*b"DELE", first) {
        Method::Delete
    } else if starts(*b"OPTI", first) || starts(*b"CONN", first) || starts(*b"TRAC", first) {
        Method::Other
    } else {
        Method::None
    }
}

/// The method that starts so, and in how many octets it goes on to its space.
#[inline(always)]
const fn start(first: u32) -> (Method, u32, u32) {
    const GET: u32 = word(*b"GET ");
    const PUT: u32 = word(*b"PUT ");
    const POST: u32 = word(*b"POST");
    const HEAD: u32 = word(*b"HEAD");
    const PATCH: u32 = word(*b"PATC");
    const DELETE: u32 = word(*b"DELE");
    const OPTIONS: u32 = word(*b"OPTI");
    const CONNECT: u32 = word(*b"CONN");
    const TRACE: u32 = word(*b"TRAC");
    match first {
        GET => (Method::Get, 0, 0),
        PUT => (Method::Put, 0, 0),
        HEAD => (Method::Get, word(*b"\0\0\0 "), 1),
        POST => (Method::Post, word(*b"\0\0\0 "), 1),
        PATCH => (Method::Put, word(*b"\0\0H "), 2),
        TRACE => (Method::Other, word(*b"\0\0E "), 2),
        DELETE => (Method::Delete, word(*b"\0TE "), 3),
        OPTIONS => (Method::Other, word(*b"ONS "), 4),
        CONNECT => (Method::Other, word(*b"ECT "), 4),
        _ => (Method::None, 0, 0),
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

    fn method_of(text: &str) -> Method {
        let number = |at: usize| {
            text.as_bytes().get(at..)?.first_chunk().map(|octets| u32::from_be_bytes(*octets))
        };
        match (number(0), number(4)) {
            (Some(first), Some(rest)) => method(first, rest),
            (Some(first), None) => cut_method(first),
            (None, _) => {
                let mut octets = [0; 4];
                octets[..text.len()].copy_from_slice(text.as_bytes());
                tiny_method(u32::from_be_bytes(octets))
            }
        }
    }

    #[test]
    fn methods_are_recognised_whole() {
        for (name, class) in [
            ("GET", Method::Get),
            ("HEAD", Method::Get),
            ("POST", Method::Post),
            ("PUT", Method::Put),
            ("PATCH", Method::Put),
            ("DELETE", Method::Delete),
            ("CONNECT", Method::Other),
            ("OPTIONS", Method::Other),
            ("TRACE", Method::Other),
        ] {
            assert_eq!(method_of(&format!("{name} / HTTP/1.1")), class, "{name}");
            assert_eq!(method_of(&format!("{name}X / HTTP/1.1")), Method::None, "{name}X");
            assert_eq!(method_of(&name.to_lowercase()), Method::None, "{name} in lower case");
            let cut = &format!("{name} /")[..SHORTEST];
            assert_eq!(method_of(cut), class, "{name}, cut after {cut:?}");
            for length in 1..SHORTEST {
                let cut = &name[..length];
                let expected = if cut == "P" { Method::Post } else { class };
                assert_eq!(method_of(cut), expected, "{name}, cut after {cut:?}");
            }
        }
        assert_eq!(method_of("HTTP/1.1 200"), Method::None);
        for other in ["", "X", "PX", "POX", "p", "GEX", "\r\n", "0"] {
            assert_eq!(method_of(other), Method::None, "{other:?}");
        }
    }

    #[test]
    fn ends_of_lines_are_counted_up_to_the_first_other_octet() {
        for (text, expected) in [
            ("POST", 0),
            ("\nGET", 1),
            ("\r\nGE", 2),
            ("\r\n\rP", 3),
            ("\r\n\r\n", 4),
            ("G\r\n\r", 0),
        ] {
            let first = text.as_bytes().first_chunk().map(|octets| u32::from_be_bytes(*octets));
            assert_eq!(first.map(blank), Some(expected), "{text:?}");
        }
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
