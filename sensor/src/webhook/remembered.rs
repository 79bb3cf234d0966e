//! What is remembered of one delivery, in memory and in the octets that outlive a restart.
//!
//! Pure. It must not know what is concluded from it.

use std::net::{IpAddr, Ipv6Addr};

use sha2::{Digest as _, Sha256};

use crate::time::Timestamp;

/// A delivery, or a body, by a hash of what names it: of one size, however long the identifiers
/// are that a peer chooses, and of no use to one who reads it elsewhere.
pub(super) type Name = [u8; NAME];

/// Octets of a name: two of them collide among 65 536 with a chance of 2^-97.
const NAME: usize = 16;

/// Nanoseconds by which a delivery may lie ahead of one that comes after it: connections are read
/// side by side, and clocks are set by moments. What lies further ahead was seen before a clock
/// that was wrong was put back, and says nothing.
const AHEAD: u64 = 600_000_000_000;

/// Octets of one delivery: two names, an address, two times and the facts.
const SIZE: usize = 2 * NAME + ADDRESS + 2 * size_of::<u64>() + 1;

/// Octets of an address, that of IPv4 mapped into IPv6 (RFC 4291, section 2.5.5.2).
const ADDRESS: usize = 16;

// The facts, one bit each.
const HAS_BODY: u8 = 1;
const SETTLED: u8 = 2;
const FROM_PROVIDER: u8 = 4;

/// What is remembered of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Remembered {
    pub(super) name: Name,
    pub(super) body: Option<Name>,
    /// The host it came from.
    pub(super) source: IpAddr,
    /// Nanoseconds since the Unix epoch of its latest attempt.
    pub(super) last: u64,
    /// Nanoseconds for which it is remembered.
    pub(super) horizon: u64,
    /// Whether the provider got its answer.
    pub(super) settled: bool,
    pub(super) from_provider: bool,
}

impl Remembered {
    /// Whether it is not too long ago to count at `now`, nor in a future that will not come.
    pub(super) fn is_near(&self, now: Timestamp) -> bool {
        let last = Timestamp(self.last);
        now.nanoseconds_since(last) <= self.horizon && last.nanoseconds_since(now) <= AHEAD
    }

    pub(super) fn to_octets(self) -> [u8; SIZE] {
        let mut facts = if self.body.is_some() { HAS_BODY } else { 0 };
        facts |= if self.settled { SETTLED } else { 0 };
        facts |= if self.from_provider { FROM_PROVIDER } else { 0 };
        let mut octets = [0; SIZE];
        let (name, rest) = octets.split_at_mut(NAME);
        let (body, rest) = rest.split_at_mut(NAME);
        let (source, rest) = rest.split_at_mut(ADDRESS);
        let (last, rest) = rest.split_at_mut(size_of::<u64>());
        let (horizon, rest) = rest.split_at_mut(size_of::<u64>());
        name.copy_from_slice(&self.name);
        body.copy_from_slice(&self.body.unwrap_or_default());
        source.copy_from_slice(&mapped(self.source).octets());
        last.copy_from_slice(&self.last.to_be_bytes());
        horizon.copy_from_slice(&self.horizon.to_be_bytes());
        rest[0] = facts;
        octets
    }

    pub(super) fn from_octets(octets: &[u8; SIZE]) -> Self {
        let mut rest = octets.as_slice();
        let name = take(&mut rest);
        let body = take(&mut rest);
        let source = Ipv6Addr::from(take::<ADDRESS>(&mut rest));
        let last = u64::from_be_bytes(take(&mut rest));
        let horizon = u64::from_be_bytes(take(&mut rest));
        let [facts] = take(&mut rest);
        Self {
            name,
            body: (facts & HAS_BODY != 0).then_some(body),
            source: IpAddr::V6(source).to_canonical(),
            last,
            horizon,
            settled: facts & SETTLED != 0,
            from_provider: facts & FROM_PROVIDER != 0,
        }
    }
}

fn mapped(address: IpAddr) -> Ipv6Addr {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped(),
        IpAddr::V6(v6) => v6,
    }
}

/// The next `N` octets.
fn take<const N: usize>(rest: &mut &[u8]) -> [u8; N] {
    let (first, after) = rest.split_first_chunk().expect("the fields add up to the whole size");
    *rest = after;
    *first
}

/// The name of what these parts name together. A provider and an identifier of the usual size are
/// hashed in one block of 64 octets, of which the hash takes nine and each part four for its
/// length.
pub(super) fn name(parts: &[&[u8]]) -> Name {
    let mut digest = Sha256::new();
    for part in parts {
        let length = u32::try_from(part.len()).expect("parts lie in a message, which is bounded");
        digest.update(length.to_be_bytes());
        digest.update(part);
    }
    let mut name = Name::default();
    name.copy_from_slice(&digest.finalize()[..NAME]);
    name
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn octets_hold_all_of_it(
            name: Name,
            body: Option<Name>,
            source: IpAddr,
            last: u64,
            horizon: u64,
            settled: bool,
            from_provider: bool,
        ) {
            let source = source.to_canonical();
            let one = Remembered { name, body, source, last, horizon, settled, from_provider };
            prop_assert_eq!(Remembered::from_octets(&one.to_octets()), one);
        }
    }
}
