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

/// Names the first four octets of methods, and lists them.
macro_rules! methods {
    ($($name:ident $text:literal)*) => {
        $(const $name: u32 = number(*$text);)*

        /// How methods start, those that webhooks use before others that start alike.
        const STARTS: &[u32] = &[$($name),*];
    };
}

// Those of the IANA registry (RFC 9110, section 16.1.1) but for PRI, which only the preface of
// HTTP/2 holds; those of UPnP; and PURGE, SOURCE, RPC_IN_DATA and RPC_OUT_DATA. Other words count
// as no request: a body goes on in any segment, and prose and logs are full of words with a space
// behind.
methods! {
    POST b"POST" GET b"GET " PUT b"PUT " DELETE b"DELE" HEAD b"HEAD" PATCH b"PATC" OPTIONS b"OPTI"
    ACL b"ACL " BASELINE_CONTROL b"BASE" BIND b"BIND" CHECK b"CHEC" CONNECT b"CONN" COPY b"COPY"
    LABEL b"LABE" LINK b"LINK" LOCK b"LOCK" M_SEARCH b"M-SE" MERGE b"MERG" MKACTIVITY b"MKAC"
    MKCALENDAR b"MKCA" MKCOL b"MKCO" MKREDIRECTREF b"MKRE" MKWORKSPACE b"MKWO" MOVE b"MOVE"
    NOTIFY b"NOTI" ORDERPATCH b"ORDE" PROP b"PROP" PURGE b"PURG" QUERY b"QUER" REBIND b"REBI"
    REPORT b"REPO" RPC b"RPC_" SEARCH b"SEAR" SOURCE b"SOUR" SUBSCRIBE b"SUBS" TRACE b"TRAC"
    UNBIND b"UNBI" UNCHECKOUT b"UNCH" UNLINK b"UNLI" UNLOCK b"UNLO" UNSUBSCRIBE b"UNSU"
    UPDATE b"UPDA" VERSION_CONTROL b"VERS"
}

/// Up to four octets as a number in network order.
const fn number<const N: usize>(text: [u8; N]) -> u32 {
    let (mut number, mut at) = (0, 0);
    while at < N {
        number = number << 8 | text[at] as u32;
        at += 1;
    }
    number
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

/// What a segment asks for that starts with these octets, read as numbers in network order: one of
/// [`STARTS`], whole and with its space as far as eight octets go.
#[inline(always)]
#[must_use]
pub const fn method(first: u32, rest: u32) -> Method {
    let Start { method, octets, ends: [one, other] } = start(first);
    if octets == 0 {
        return method;
    }
    let end = rest >> (32 - 8 * octets);
    if end == one || end == other { method } else { Method::None }
}

/// The same of a segment that has only the first octets: one cut short within its method counts,
/// so that tiny segments do not hide requests.
#[inline(always)]
#[must_use]
pub const fn cut_method(first: u32) -> Method {
    start(first).method
}

/// The same of a segment of one to three octets, which stand in the high end of `first` with zeros
/// behind them. It counts when a method starts so: this takes the end of a body that is cut so
/// oddly for a request now and then, and hides no request. Of methods that start alike it is the
/// first.
#[inline(always)]
#[must_use]
pub const fn tiny_method(first: u32) -> Method {
    if first == 0 {
        return Method::None;
    }
    let there = u32::MAX << (first.trailing_zeros() & !7);
    let mut at = 0;
    while at < STARTS.len() {
        if STARTS[at] & there == first {
            return start(STARTS[at]).method;
        }
        at += 1;
    }
    Method::None
}

/// A method, and in how many octets behind its first four it goes on in one of these ways.
struct Start {
    method: Method,
    octets: usize,
    ends: [u32; 2],
}

/// The method that starts so.
#[inline(always)]
const fn start(first: u32) -> Start {
    const fn ends<const N: usize>(method: Method, one: [u8; N], other: [u8; N]) -> Start {
        Start { method, octets: N, ends: [number(one), number(other)] }
    }
    const fn with<const N: usize>(method: Method, end: [u8; N]) -> Start {
        ends(method, end, end)
    }
    const fn other<const N: usize>(end: &[u8; N]) -> Start {
        with(Method::Other, *end)
    }
    match first {
        POST => with(Method::Post, *b" "),
        GET => with(Method::Get, []),
        HEAD => with(Method::Get, *b" "),
        PUT => with(Method::Put, []),
        PATCH => with(Method::Put, *b"H "),
        DELETE => with(Method::Delete, *b"TE "),
        ACL => other(b""),
        BIND | COPY | LINK | LOCK | MOVE => other(b" "),
        LABEL | MKCOL => other(b"L "),
        MERGE | PURGE | TRACE => other(b"E "),
        QUERY => other(b"Y "),
        NOTIFY => other(b"FY "),
        REBIND | UNBIND => other(b"ND "),
        REPORT => other(b"RT "),
        SEARCH => other(b"CH "),
        SOURCE => other(b"CE "),
        UNLINK => other(b"NK "),
        UNLOCK => other(b"CK "),
        CONNECT => other(b"ECT "),
        OPTIONS => other(b"ONS "),
        BASELINE_CONTROL => other(b"LINE"),
        M_SEARCH => other(b"ARCH"),
        MKACTIVITY => other(b"TIVI"),
        MKCALENDAR => other(b"LEND"),
        MKREDIRECTREF => other(b"DIRE"),
        MKWORKSPACE => other(b"RKSP"),
        ORDERPATCH => other(b"RPAT"),
        SUBSCRIBE => other(b"CRIB"),
        UNCHECKOUT => other(b"ECKO"),
        UNSUBSCRIBE => other(b"BSCR"),
        VERSION_CONTROL => other(b"ION-"),
        CHECK => ends(Method::Other, *b"KIN ", *b"KOUT"),
        PROP => ends(Method::Other, *b"FIND", *b"PATC"),
        RPC => ends(Method::Other, *b"IN_D", *b"OUT_"),
        // As well as UPDATEREDIRECTREF.
        UPDATE => ends(Method::Other, *b"TE ", *b"TER"),
        _ => with(Method::None, []),
    }
}

/// The class (0 to 5) of the status line a segment starts with, 0 for a code outside 100 to 599;
/// `None` when it starts with something else.
#[inline(always)]
#[must_use]
pub const fn status_class(octets: &[u8; LENGTH]) -> Option<u8> {
    const HTTP: u32 = number(*b"HTTP");
    const ONE: u32 = number(*b"/1.0");
    const ONE_ONE: u32 = number(*b"/1.1");
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

    /// Those of the first class are taken before others that start alike.
    const METHODS: [(Method, &str); 5] = [
        (Method::Post, "POST"),
        (Method::Get, "GET HEAD"),
        (Method::Put, "PUT PATCH"),
        (Method::Delete, "DELETE"),
        (
            Method::Other,
            "OPTIONS CONNECT TRACE ACL BASELINE-CONTROL BIND CHECKIN CHECKOUT COPY LABEL LINK LOCK \
             MERGE MKACTIVITY MKCALENDAR MKCOL MKREDIRECTREF MKWORKSPACE MOVE ORDERPATCH PROPFIND \
             PROPPATCH QUERY REBIND REPORT SEARCH UNBIND UNCHECKOUT UNLINK UNLOCK UPDATE \
             UPDATEREDIRECTREF VERSION-CONTROL M-SEARCH NOTIFY SUBSCRIBE UNSUBSCRIBE PURGE SOURCE \
             RPC_IN_DATA RPC_OUT_DATA",
        ),
    ];

    fn methods() -> impl Iterator<Item = (Method, &'static str)> {
        let of_class = |(class, names): (Method, &'static str)| {
            names.split_whitespace().map(move |name| (class, name))
        };
        METHODS.into_iter().flat_map(of_class)
    }

    #[test]
    fn methods_are_recognised_whole() {
        for (class, name) in methods() {
            assert_eq!(method_of(&format!("{name} / HTTP/1.1")), class, "{name}");
            assert_eq!(method_of(&name.to_lowercase()), Method::None, "{name} in lower case");
            if name.len() < METHOD_LENGTH {
                assert_eq!(method_of(&format!("{name}X / HTTP/1.1")), Method::None, "{name}X");
            }
            for length in 1..=SHORTEST {
                let cut = &format!("{name} /")[..length];
                let alike = |(class, other): (Method, &str)| {
                    format!("{other} ").starts_with(cut).then_some(class)
                };
                let expected = methods().find_map(alike).unwrap_or(Method::None);
                assert_eq!(method_of(cut), expected, "{name}, cut after {cut:?}");
            }
        }
        assert_eq!(STARTS.len() + 4, methods().count(), "eight of them start alike in pairs");
        assert_eq!(method_of("HTTP/1.1 200"), Method::None);
        for other in ["", "X", "PX", "POX", "p", "GEX", "\r\n", "0", "AND / OR", "UPDATED /"] {
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
