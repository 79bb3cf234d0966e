//! Reads the header that a proxy puts before a connection's first octets: the PROXY protocol,
//! versions 1 and 2.
//!
//! Specification: <https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt>. It must not judge
//! whether the proxy is to be believed.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// Longest line of version 1, its ending included (section 2.1).
const MAX_LINE: usize = 107;
/// Octets of version 2 that are taken. Addresses need 52; the rest is certificates' names.
const MAX_BINARY: usize = 4096;

const PREFIX: &[u8] = b"PROXY ";
const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
/// Octets of version 2 before the addresses.
const BINARY_HEADER: usize = 16;

/// What a connection starts with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Start {
    /// No such header.
    Other,
    /// The start of one; more octets are needed.
    Partial,
    /// A header of so many octets, and the client it names.
    Header(usize, Option<IpAddr>),
}

/// Looks at the first octets of a connection.
pub(super) fn start(octets: &[u8]) -> Start {
    if is_start_of(octets, SIGNATURE) {
        return binary(octets);
    }
    if is_start_of(octets, PREFIX) {
        return line(octets);
    }
    Start::Other
}

/// Whether one of the two begins with the other.
fn is_start_of(octets: &[u8], pattern: &[u8]) -> bool {
    let length = octets.len().min(pattern.len());
    octets[..length] == pattern[..length]
}

fn line(octets: &[u8]) -> Start {
    let window = &octets[..octets.len().min(MAX_LINE)];
    let Some(end) = window.windows(2).position(|pair| pair == b"\r\n") else {
        return if octets.len() < MAX_LINE { Start::Partial } else { Start::Other };
    };
    let mut words = octets[PREFIX.len()..end].split(|octet| *octet == b' ');
    let client = match words.next() {
        Some(b"TCP4") => words.next().and_then(address::<Ipv4Addr>),
        Some(b"TCP6") => words.next().and_then(address::<Ipv6Addr>),
        Some(b"UNKNOWN") => None,
        // PROXY may be a method as well.
        _ => return Start::Other,
    };
    Start::Header(end + 2, client)
}

/// An address, where the word is one of the family `A`.
fn address<A: FromStr + Into<IpAddr>>(word: &[u8]) -> Option<IpAddr> {
    let address = std::str::from_utf8(word).ok()?.parse::<A>().ok()?;
    Some(address.into())
}

fn binary(octets: &[u8]) -> Start {
    const PROXIED: u8 = 0x21;
    let Some(header) = octets.get(..BINARY_HEADER) else { return Start::Partial };
    let length = BINARY_HEADER + usize::from(u16::from_be_bytes([header[14], header[15]]));
    if length > MAX_BINARY || header[12] >> 4 != 2 {
        return Start::Other;
    }
    let Some(addresses) = octets.get(BINARY_HEADER..length) else { return Start::Partial };
    let client = match (header[12], header[13] >> 4) {
        (PROXIED, 1) => first_octets::<4>(addresses).map(|o| IpAddr::V4(Ipv4Addr::from(o))),
        (PROXIED, 2) => first_octets::<16>(addresses).map(|o| IpAddr::V6(Ipv6Addr::from(o))),
        _ => None,
    };
    Start::Header(length, client)
}

fn first_octets<const N: usize>(octets: &[u8]) -> Option<[u8; N]> {
    octets.first_chunk().copied()
}

#[cfg(test)]
mod tests {
    use super::{MAX_LINE, SIGNATURE, Start, start};

    fn version_2(command: u8, family: u8, addresses: &[u8]) -> Vec<u8> {
        let length = u16::try_from(addresses.len()).unwrap().to_be_bytes();
        [SIGNATURE, &[command, family], &length, addresses].concat()
    }

    #[track_caller]
    fn check(header: &[u8], client: Option<&str>) {
        let client = client.map(|client| client.parse().unwrap());
        let octets = [header, b"GET / HTTP/1.1\r\n\r\n"].concat();
        assert_eq!(start(&octets), Start::Header(header.len(), client));
        for cut in 0..header.len() {
            assert_eq!(start(&header[..cut]), Start::Partial, "{cut}");
        }
    }

    #[test]
    fn both_versions_name_the_client() {
        check(b"PROXY TCP4 192.0.2.1 10.0.0.1 5000 80\r\n", Some("192.0.2.1"));
        check(b"PROXY TCP6 2001:db8::1 2001:db8::2 5000 80\r\n", Some("2001:db8::1"));
        check(b"PROXY UNKNOWN\r\n", None);
        check(b"PROXY TCP4 nobody\r\n", None);
        check(b"PROXY TCP4 2001:db8::1 10.0.0.1 5000 80\r\n", None);
        check(b"PROXY TCP6 192.0.2.1 2001:db8::2 5000 80\r\n", None);
        check(&version_2(0x21, 0x11, &[192, 0, 2, 1, 10, 0, 0, 1, 0, 1, 0, 2]), Some("192.0.2.1"));
        let mut ipv6 = [0; 36];
        ipv6[..2].copy_from_slice(&[0x20, 1]);
        check(&version_2(0x21, 0x21, &ipv6), Some("2001::"));
        check(&version_2(0x20, 0x11, &[1; 12]), None);
        check(&version_2(0x21, 0x11, &[1; 3]), None);
        check(&version_2(0x21, 0x00, &[]), None);
    }

    #[test]
    fn other_starts_are_left_alone() {
        let long = [b"PROXY ", "x".repeat(MAX_LINE).as_bytes()].concat();
        let method = b"PROXY /hook HTTP/1.1\r\n";
        for octets in [b"POST / HTTP/1.1\r\n", &b"\r\n\r\nGET"[..], method, &long] {
            assert_eq!(start(octets), Start::Other);
        }
        assert_eq!(start(&version_2(0x11, 0x11, &[1; 12])), Start::Other);
        assert_eq!(start(&version_2(0x21, 0x11, &[1; 5000])), Start::Other);
    }
}
