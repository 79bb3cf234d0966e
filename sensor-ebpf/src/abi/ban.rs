//! What a ban says to the programs, and what they count for it.
//!
//! It must not know which addresses it is on.

/// Counters that bans have, of which the first counts for all that have none of their own. A
/// processor has a quarter of a mebibyte of them; who has more bans in force has most from a list.
pub const BAN_COUNTERS: u32 = 16_384;

/// A ban in force.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ban {
    /// Kernel time (`CLOCK_MONOTONIC`, nanoseconds) when it ends.
    pub expires: u64,
    /// Bit n is set when it covers slot n.
    pub scope: u64,
    /// Which of the [`BAN_COUNTERS`] counts what it meets.
    pub counter: u32,
    /// Prefix length of the entry itself, so that a CIDR lookup can go on to a wider one.
    pub prefix_length: u16,
    /// 1 when an address it covers may be protected; 0 saves looking.
    pub guarded: u16,
}

/// What bans met on one CPU: what they dropped, or would have where decisions are simulated.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BanCount {
    /// Packets.
    pub packets: u64,
    /// Their octets, headers included.
    pub bytes: u64,
}

impl BanCount {
    /// Adds another CPU's count.
    pub const fn add(&mut self, other: &Self) {
        self.packets += other.packets;
        self.bytes += other.bytes;
    }
}

impl Ban {
    /// The scope of everything on this host.
    pub const HOST: u64 = u64::MAX;
    /// The scope of every watched port, whichever they are.
    pub const WATCHED: u64 = !1;

    /// Whether it covers `slot` at `now`.
    #[inline(always)]
    #[must_use]
    pub const fn covers(&self, slot: u32, now: u64) -> bool {
        self.expires > now && (self.scope >> (slot & 63)) & 1 == 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ban_covers_its_slots_until_it_expires() {
        let ban = Ban { expires: 10, scope: 1 << 3, counter: 0, prefix_length: 32, guarded: 0 };
        assert!(ban.covers(3, 9));
        assert!(!ban.covers(3, 10));
        assert!(!ban.covers(2, 9));
        assert!(!Ban { scope: Ban::WATCHED, ..ban }.covers(0, 9));
        assert!(Ban { scope: Ban::WATCHED, ..ban }.covers(63, 9));
        assert!(Ban { scope: Ban::HOST, ..ban }.covers(0, 9));
    }
}
