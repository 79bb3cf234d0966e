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
    #[inline(always)]
    #[must_use]
    pub const fn part(&self, parts: u32) -> u32 {
        let [a, b, c, d, ..] = ((self.hash(0) >> 32) * parts as u64).to_be_bytes();
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
        for parts in [1, 2, 3, 7, 64] {
            let mut sizes = vec![0_u32; parts as usize];
            for last in 0..=255 {
                for address in [
                    IpAddr::from([192, 0, 2, last]),
                    IpAddr::from([0x20, last.into(), 0, 0, 0, 0, 0, 1]),
                ] {
                    sizes[Address::from(address).part(parts) as usize] += 1;
                }
            }
            let fair = 512 / parts;
            assert!(sizes.iter().all(|size| (fair / 4..=fair * 4).contains(size)), "{sizes:?}");
        }
    }
}
