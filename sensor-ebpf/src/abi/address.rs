//! An address, and what the kernel programs take it by.
//!
//! It must not know packets.

use core::net::{IpAddr, Ipv6Addr};

/// An address in network order, IPv4 as IPv4-mapped IPv6 (RFC 4291, section 2.5.5.2).
#[repr(transparent)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Address([u32; 4]);

impl Address {
    /// The third word of an IPv4-mapped address: `::ffff:a.b.c.d`.
    const MAPPED: u32 = 0xffff_u32.to_be();

    /// From the 32 bits of an IPv4 header field, as they lie in memory.
    #[inline(always)]
    #[must_use]
    pub const fn v4(word: u32) -> Self {
        Self([0, 0, Self::MAPPED, word])
    }

    /// From the four words of an IPv6 header field, as they lie in memory.
    #[inline(always)]
    #[must_use]
    pub const fn v6(words: [u32; 4]) -> Self {
        Self(words)
    }

    /// The key of an IPv4 address in the kernel's maps, or `None` for IPv6.
    #[inline(always)]
    #[must_use]
    pub const fn as_v4(&self) -> Option<u32> {
        if self.0[0] == 0 && self.0[1] == 0 && self.0[2] == Self::MAPPED {
            Some(self.0[3])
        } else {
            None
        }
    }

    /// The key of the address in maps that hold both families.
    #[inline(always)]
    #[must_use]
    pub const fn words(&self) -> [u32; 4] {
        self.0
    }

    /// A number of its own for each address and port, whose high half is as good as random.
    #[inline(always)]
    #[must_use]
    pub const fn hash(&self, port: u16) -> u64 {
        /// 2^64 divided by the golden ratio, made odd: spreads consecutive inputs (Knuth, 6.4).
        const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;
        let [a, b, c, d] = self.0;
        let high = ((a as u64) << 32 | b as u64).wrapping_mul(SPREAD);
        let low = ((c as u64) << 32 | d as u64) ^ (high >> 29) ^ ((port as u64) << 48);
        let mixed = low.wrapping_mul(SPREAD);
        (mixed ^ (mixed >> 31)).wrapping_mul(SPREAD)
    }

    /// Which of `parts` parts of all addresses it belongs to, which are as good as equal in size.
    /// Who does not know the seed cannot choose addresses of one part.
    #[inline(always)]
    #[must_use]
    pub const fn part(&self, parts: u32, seed: u64) -> u32 {
        let [a, b, c, d, e, f, g, h] = seed.to_be_bytes();
        let (high, low) = (u32::from_be_bytes([a, b, c, d]), u32::from_be_bytes([e, f, g, h]));
        let [a, b, c, d] = self.0;
        let seeded = Self([a ^ high, b ^ low, c ^ low, d ^ high]);
        let [a, b, c, d, ..] = ((seeded.hash(0) >> 32) * parts as u64).to_be_bytes();
        u32::from_be_bytes([a, b, c, d])
    }
}

impl From<IpAddr> for Address {
    fn from(address: IpAddr) -> Self {
        let v6 = match address {
            IpAddr::V4(v4) => v4.to_ipv6_mapped(),
            IpAddr::V6(v6) => v6,
        };
        let octets = v6.octets();
        let word = |at: usize| {
            u32::from_ne_bytes([octets[at], octets[at + 1], octets[at + 2], octets[at + 3]])
        };
        Self([word(0), word(4), word(8), word(12)])
    }
}

impl From<Address> for IpAddr {
    fn from(address: Address) -> Self {
        let mut octets = [0; 16];
        for (chunk, word) in octets.chunks_exact_mut(4).zip(address.0) {
            chunk.copy_from_slice(&word.to_ne_bytes());
        }
        Self::V6(Ipv6Addr::from(octets)).to_canonical()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_survive_the_way_through_the_kernel() {
        for text in ["192.0.2.1", "2001:db8::1", "::1", "0.0.0.0", "255.255.255.255"] {
            let address: IpAddr = text.parse().unwrap();
            let shared = Address::from(address);
            assert_eq!(IpAddr::from(shared), address);
            assert_eq!(shared.as_v4().is_some(), address.is_ipv4());
        }
    }

    #[test]
    fn parts_are_fair_and_within_their_number() {
        for (parts, seed) in [1, 2, 3, 7, 64].into_iter().zip([0, 1, u64::MAX, 1 << 63, 1 << 32]) {
            let mut sizes = vec![0_u32; parts as usize];
            for last in 0..=255 {
                for address in [
                    IpAddr::from([192, 0, 2, last]),
                    IpAddr::from([0x20, last.into(), 0, 0, 0, 0, 0, 1]),
                ] {
                    sizes[Address::from(address).part(parts, seed) as usize] += 1;
                }
            }
            let fair = 512 / parts;
            assert!(sizes.iter().all(|size| (fair / 4..=fair * 4).contains(size)), "{sizes:?}");
        }
    }
    #[test]
    fn the_seed_decides_who_shares_a_part() {
        for family in [[0, 0, Address::MAPPED], [0x0120, 0, 0]] {
            let [a, b, c] = family;
            let all: Vec<_> = (0..4096_u32).map(|d| Address::v6([a, b, c, d.to_be()])).collect();
            let of_one = |seed| all.iter().filter(move |one| one.part(4, seed) == 0);
            for seed in [1, 0x0123_4567_89ab_cdef, u64::MAX, 1 << 40] {
                let still = of_one(0).filter(|one| one.part(4, seed) == 0).count();
                let fair = of_one(0).count() / 4;
                assert!((fair / 2..fair * 2).contains(&still), "{seed}: {still}, not some {fair}");
            }
        }
    }
}
