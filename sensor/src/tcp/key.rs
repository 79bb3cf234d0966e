//! Owns how a connection is found: its four-tuple without direction, and the hash over it.
//!
//! It must not know what is stored under a key.

use std::hash::{BuildHasher, Hash, Hasher};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use super::Side;

/// The two endpoints of a connection, lower one first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Key {
    /// Upper and lower half of each; those of IPv4 are mapped.
    addresses: [[u64; 2]; 2],
    ports: [u16; 2],
}

impl Key {
    /// The key of a packet, and which side sent it.
    pub(super) fn new(source: SocketAddr, destination: SocketAddr) -> (Self, Side) {
        let from = (number(source.ip()), source.port());
        let to = (number(destination.ip()), destination.port());
        let (low, high, side) =
            if from <= to { (from, to, Side::Low) } else { (to, from, Side::High) };
        (Self { addresses: [halves(low.0), halves(high.0)], ports: [low.1, high.1] }, side)
    }

    /// The endpoints again, by [`Side::index`].
    pub(super) fn endpoints(&self) -> [SocketAddr; 2] {
        [0, 1].map(|index| {
            let address = Ipv6Addr::from(whole(self.addresses[index]));
            SocketAddr::new(address.to_canonical(), self.ports[index])
        })
    }
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let [low, high] = self.addresses;
        state.write_u128(whole(low));
        state.write_u128(whole(high));
        state.write_u32(u32::from(self.ports[0]) << 16 | u32::from(self.ports[1]));
    }
}

/// An address as a number; one of IPv4 is mapped (RFC 4291, section 2.5.5.2).
fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => 0xffff << 32 | u128::from(address.to_bits()),
        IpAddr::V6(address) => address.to_bits(),
    }
}

#[expect(clippy::cast_possible_truncation, reason = "each half is 64 bits")]
const fn halves(number: u128) -> [u64; 2] {
    [(number >> 64) as u64, number as u64]
}

fn whole([high, low]: [u64; 2]) -> u128 {
    u128::from(high) << 64 | u128::from(low)
}

/// Hashes by folded multiplication, seeded.
///
/// The table is looked up for every packet, where the standard library's `SipHash` shows. Peers
/// choose addresses and ports, so the seed must be secret where traffic is hostile; nothing that is
/// put out depends on it, since no map is ever iterated.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seed(pub(super) u64);

/// State of one hash under a [`Seed`].
pub(super) struct FoldedHasher {
    state: u64,
    seed: u64,
}

impl BuildHasher for Seed {
    type Hasher = FoldedHasher;

    fn build_hasher(&self) -> FoldedHasher {
        FoldedHasher { state: self.0, seed: self.0.rotate_left(32) ^ PI_2 }
    }
}

/// Digits of pi: odd constants with no structure of their own.
const PI_1: u64 = 0x243f_6a88_85a3_08d3;
const PI_2: u64 = 0x1319_8a2e_0370_7345;

impl Hasher for FoldedHasher {
    fn write_u128(&mut self, number: u128) {
        let [high, low] = halves(number);
        self.state = fold(self.state ^ high ^ PI_1, low ^ self.seed);
    }

    fn write_u32(&mut self, word: u32) {
        self.write_u128(word.into());
    }

    fn write(&mut self, octets: &[u8]) {
        for octet in octets {
            self.write_u128(u128::from(*octet));
        }
    }

    fn finish(&self) -> u64 {
        self.state
    }
}

/// Both halves of the product, so that every bit of the operands reaches every bit of the result.
fn fold(left: u64, right: u64) -> u64 {
    let [high, low] = halves(u128::from(left) * u128::from(right));
    low ^ high
}

#[cfg(test)]
mod tests {
    use super::{Key, Seed};
    use crate::tcp::Side;
    use std::collections::HashSet;
    use std::hash::BuildHasher;

    #[test]
    fn both_directions_share_a_key_and_give_the_endpoints_back() {
        let table = [
            ("10.0.0.1:80", "10.0.0.2:80", Side::Low),
            ("10.0.0.1:81", "10.0.0.1:80", Side::High),
            ("[2001:db8::1]:5000", "[2001:db8::2]:80", Side::Low),
        ];
        for (from, to, side) in table {
            let (from, to) = (from.parse().unwrap(), to.parse().unwrap());
            let (key, sender) = Key::new(from, to);
            assert_eq!(sender, side);
            assert_eq!(Key::new(to, from), (key, side.peer()));
            assert_eq!(key.endpoints()[side.index()], from);
            assert_eq!(key.endpoints()[side.peer().index()], to);
        }
    }

    #[test]
    fn consecutive_ports_and_addresses_spread_over_the_low_bits() {
        let server = "192.0.2.1:443".parse().unwrap();
        for seed in [0, 1, 0xdead_beef_0bad_cafe] {
            let buckets: HashSet<u64> = (1024..=u16::MAX)
                .map(|port| Key::new(([10, 0, 0, 1], port).into(), server).0)
                .map(|key| Seed(seed).hash_one(key) & 0xffff)
                .collect();
            // 64512 balls in 65536 boxes leave about 62.6 % of the boxes hit.
            assert!(buckets.len() > 40_000, "{}", buckets.len());
        }
    }
}
