//! Community ID, version 1, seed 0: the name of a connection that other tools give it too.
//!
//! It must not know records. Source: the Community ID specification of Corelight.

use std::net::{IpAddr, SocketAddr};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Serialize, Serializer};
use sha1::{Digest, Sha1};

/// The protocol number of TCP (IANA).
const TCP: u8 = 6;
/// Characters of an identifier: the version, and 20 octets in base64.
const LENGTH: usize = 2 + 28;

/// The identifier of a TCP connection, as it stands in records.
pub(super) struct CommunityId([u8; LENGTH]);

impl CommunityId {
    /// Of the connection between `a` and `b`, the same in both directions.
    pub(super) fn new(a: SocketAddr, b: SocketAddr) -> Self {
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
        let mut text = *b"1:............................";
        STANDARD
            .encode_slice(hash.finalize(), &mut text[2..])
            .expect("20 octets fit the characters made room for");
        Self(text)
    }
}

impl Serialize for CommunityId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

/// The address and port alone: not the scope and flow label that a `SocketAddr` also orders by.
fn plain(address: SocketAddr) -> (IpAddr, u16) {
    (address.ip(), address.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The TCP examples that come with the specification.
    #[test]
    fn published_vectors() {
        let check = |a: &str, b: &str, expected: &str| {
            let (a, b) = (a.parse().unwrap(), b.parse().unwrap());
            assert_eq!(CommunityId::new(a, b).0, expected.as_bytes(), "{a} {b}");
            assert_eq!(CommunityId::new(b, a).0, expected.as_bytes(), "{b} {a}");
        };
        check("128.232.110.120:34855", "66.35.250.204:80", "1:LQU9qZlK+B5F3KDmev6m5PMibrg=");
        check(
            "[2001:470:e5bf:dead:4957:2174:e82c:4887]:63943",
            "[2607:f8b0:400c:c03::1a]:25",
            "1:/qFaeAR+gFe1KYjMzVDsMv+wgU4=",
        );
    }
}
