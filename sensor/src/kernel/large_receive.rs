//! Whether a driver puts packets of a connection together before XDP could see them (large receive
//! offload, LRO), as ethtool's netlink family says since Linux 5.6.
//!
//! It must not know what follows from that.

use nix::sys::socket::SockProtocol;

use super::netlink::{GENERIC_HEADER, ask, attribute, each, family, find};

// From ethtool_netlink.h.
const ETHTOOL_MSG_FEATURES_GET: u8 = 11;
const ETHTOOL_A_HEADER_DEV_INDEX: u16 = 1;
const ETHTOOL_A_FEATURES_HEADER: u16 = 1;
const ETHTOOL_A_FEATURES_ACTIVE: u16 = 4;
const ETHTOOL_A_BITSET_BITS: u16 = 3;
const ETHTOOL_A_BITSET_BIT_NAME: u16 = 2;

/// An attribute that holds others.
const NLA_F_NESTED: u16 = 1 << 15;

/// The kernel's name for it (`netdev_features_strings` in net/ethtool/common.c).
const LARGE_RECEIVE: &[u8] = b"rx-lro\0";

/// Whether it is on for the interface of this index, where the kernel says so.
pub(super) fn is_on(index: u32) -> Option<bool> {
    has(index, LARGE_RECEIVE)
}

/// Whether a feature is on. The names of those that are stand in the answer.
fn has(index: u32, name: &[u8]) -> Option<bool> {
    let mut request = vec![ETHTOOL_MSG_FEATURES_GET, 1, 0, 0];
    let interface = attribute(ETHTOOL_A_HEADER_DEV_INDEX, &index.to_ne_bytes());
    request.extend(attribute(ETHTOOL_A_FEATURES_HEADER | NLA_F_NESTED, &interface));
    let answer = ask(SockProtocol::NetlinkGeneric, family(c"ethtool")?, &request).ok()?;
    let active = find(answer.get(GENERIC_HEADER..)?, ETHTOOL_A_FEATURES_ACTIVE)?;
    let bits = find(active, ETHTOOL_A_BITSET_BITS)?;
    Some(each(bits).any(|(_, bit)| find(bit, ETHTOOL_A_BITSET_BIT_NAME) == Some(name)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::interfaces::index_of;

    #[test]
    fn what_is_on_is_told_from_what_is_not() {
        let loopback = index_of("lo").unwrap();
        assert_eq!(is_on(loopback), Some(false));
        assert_eq!(has(loopback, b"loopback\0"), Some(true));
        assert_eq!(is_on(u32::MAX), None);
    }
}
