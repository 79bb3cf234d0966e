//! Community ID, version 1, seed 0: the name of a connection that other tools give it too.
//!
//! It must not know records. Source: the Community ID specification of Corelight.

use std::net::{IpAddr, SocketAddr};

use sha1::{Digest, Sha1};

/// The protocol number of TCP (IANA).
const TCP: u8 = 6;
/// The alphabet of RFC 4648, section 4.
const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// The identifier of the TCP connection between `a` and `b`, the same in both directions.
pub(super) fn community_id(a: SocketAddr, b: SocketAddr) -> String {
    let (a, b) = (plain(a), plain(b));
    // IPv4 and IPv6 never meet in one connection, so the order of addresses is that of octets.
    let (first, second) = if a <= b { (a, b) } else { (b, a) };
    let mut hash = Sha1::new();
    hash.update([0, 0]);
    for (address, _) in [first, second] {
        match address {
            IpAddr::V4(address) => hash.update(address.octets()),
            IpAddr::V6(address) => hash.update(address.octets()),
        }
    }
    hash.update([TCP, 0]);
    hash.update(first.1.to_be_bytes());
    hash.update(second.1.to_be_bytes());
    let mut text = String::with_capacity(30);
    text.push_str("1:");
    base64(&hash.finalize(), &mut text);
    text
}

/// The address and port alone: not the scope and flow label that a `SocketAddr` also orders by.
fn plain(address: SocketAddr) -> (IpAddr, u16) {
    (address.ip(), address.port())
}

fn base64(octets: &[u8], text: &mut String) {
    for chunk in octets.chunks(3) {
        let mut group = [0; 4];
        group[1..=chunk.len()].copy_from_slice(chunk);
        let bits = u32::from_be_bytes(group);
        for position in 0..4 {
            let index = (bits >> (18 - 6 * position)) & 63;
            let padding = position > chunk.len();
            text.push(if padding { '=' } else { char::from(BASE64[index as usize]) });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The TCP examples that come with the specification.
    #[test]
    fn published_vectors() {
        let check = |a: &str, b: &str, expected: &str| {
            let (a, b) = (a.parse().unwrap(), b.parse().unwrap());
            assert_eq!(community_id(a, b), expected, "{a} {b}");
            assert_eq!(community_id(b, a), expected, "{b} {a}");
        };
        check("128.232.110.120:34855", "66.35.250.204:80", "1:LQU9qZlK+B5F3KDmev6m5PMibrg=");
        check(
            "[2001:470:e5bf:dead:4957:2174:e82c:4887]:63943",
            "[2607:f8b0:400c:c03::1a]:25",
            "1:/qFaeAR+gFe1KYjMzVDsMv+wgU4=",
        );
    }

    #[test]
    fn base64_pads() {
        let check = |octets: &[u8], expected: &str| {
            let mut text = String::new();
            base64(octets, &mut text);
            assert_eq!(text, expected);
        };
        // RFC 4648, section 10.
        check(b"", "");
        check(b"f", "Zg==");
        check(b"fo", "Zm8=");
        check(b"foo", "Zm9v");
        check(b"foobar", "Zm9vYmFy");
    }
}
