//! Owns what an `EtherType` names, and the tags, labels and LLC headers on the way to it.
//!
//! It must not know which link the frame came over.

use super::super::{Skipped, half};
use super::{Network, behind, serial};

/// Tags followed before a frame is called malformed: two are QinQ, four leave room for providers
/// that stack it twice, and LLC takes the room of one.
const MAX_TAGS: usize = 4;

/// Labels followed before a frame is called malformed: a transport label, a service label and an
/// entropy label with its indicator are four, and rerouting may put as many before them.
const MAX_MPLS_LABELS: usize = 8;

const ETHERTYPE_IPV4: u16 = 0x0800;
const ETHERTYPE_IPV6: u16 = 0x86dd;
/// 802.1Q, 802.1ad, and the values in use before 802.1ad was settled.
const ETHERTYPES_VLAN: [u16; 4] = [0x8100, 0x88a8, 0x9100, 0x9200];
/// MPLS, and of labels that an upstream router assigned (RFC 5332).
const ETHERTYPE_MPLS: u16 = 0x8847;
const ETHERTYPE_MPLS_UPSTREAM: u16 = 0x8848;
const ETHERTYPE_PPPOE: u16 = 0x8864;
/// Below this the field is a length, and LLC follows (IEEE 802.3, section 3.2.6).
const LEAST_ETHERTYPE: u16 = 0x0600;

/// LLC of a SNAP header, which holds an organization and an `EtherType` (RFC 1042).
const LLC_SNAP: [u8; 3] = [0xaa, 0xaa, 0x03];
const LLC_SNAP_HEADER: usize = 8;
/// Organizations whose types are those of Ethernet: none, and that of bridges (IEEE 802.1H).
const SNAP_ETHERTYPE: [[u8; 3]; 2] = [[0; 3], [0, 0, 0xf8]];
/// Organization and type of a bridged frame of Ethernet, with or without its check sequence
/// (RFC 2427, section 4.2).
const SNAP_BRIDGED: [[u8; 5]; 2] = [[0, 0x80, 0xc2, 0, 1], [0, 0x80, 0xc2, 0, 7]];
/// Over ATM two octets fill the word before a bridged frame (RFC 2684, section 5.2).
const BRIDGED_PADDING: usize = 2;
/// LLC of a network protocol that an octet of ISO names (RFC 2684, section 5.1).
const LLC_NLPID: [u8; 3] = [0xfe, 0xfe, 0x03];
/// LLC of IP itself.
const LLC_IP: [u8; 3] = [0x06, 0x06, 0x03];

/// What stands behind the addresses of Ethernet.
pub(super) const ADDRESSES: usize = 12;

/// A frame whose `EtherType` is the last of its header.
pub(super) fn typed(frame: &[u8], at: usize) -> Result<Network<'_>, Skipped> {
    match behind(frame, at)? {
        [high, low, octets @ ..] => after_ethertype(u16::from_be_bytes([*high, *low]), octets),
        _ => Err(Skipped::CutHeader),
    }
}

/// A frame whose `EtherType` is the first of a header of `length` octets; tags follow that.
pub(super) fn typed_first(frame: &[u8], length: usize) -> Result<Network<'_>, Skipped> {
    let octets = behind(frame, length)?;
    after_ethertype(half(frame, 0), octets)
}

/// LLC, as it stands in frames that have no `EtherType`.
pub(super) fn logical_link(octets: &[u8]) -> Result<Network<'_>, Skipped> {
    after_ethertype(0, octets)
}

/// What stands behind an `EtherType`, and behind all tags that follow it.
pub(in super::super) fn after_ethertype(
    mut ethertype: u16,
    mut octets: &[u8],
) -> Result<Network<'_>, Skipped> {
    let mut vlan = None;
    for _ in 0..=MAX_TAGS {
        let is_vlan = ETHERTYPES_VLAN.contains(&ethertype);
        if !is_vlan && ethertype >= LEAST_ETHERTYPE {
            return named(ethertype, octets).map(|network| Network { vlan, ..network });
        }
        let length = if is_vlan { 4 } else { LLC_SNAP_HEADER };
        let Some((tag, rest)) = octets.split_at_checked(length) else {
            return Err(Skipped::CutHeader);
        };
        if is_vlan {
            vlan.get_or_insert(half(tag, 0) & 0x0fff);
        } else if !is_snap(tag) {
            return without_snap(octets).map(|network| Network { vlan, ..network });
        }
        ethertype = half(tag, length - 2);
        octets = rest;
    }
    Err(Skipped::Malformed)
}

fn is_snap(header: &[u8]) -> bool {
    let organization = header.strip_prefix(&LLC_SNAP);
    organization.is_some_and(|rest| SNAP_ETHERTYPE.iter().any(|one| rest.starts_with(one)))
}

/// LLC with no `EtherType` behind it.
fn without_snap(octets: &[u8]) -> Result<Network<'_>, Skipped> {
    if let Some(octets) = octets.strip_prefix(&LLC_IP) {
        Ok(Network::untagged(octets))
    } else if let Some(octets) = octets.strip_prefix(&LLC_NLPID) {
        serial::network_protocol(octets)
    } else if let Some(octets) = octets.strip_prefix(&LLC_SNAP) {
        bridged(octets, BRIDGED_PADDING)
    } else {
        Err(Skipped::NotIp)
    }
}

/// What stands behind a SNAP header, its organization included, whose types are not those of
/// Ethernet.
pub(super) fn bridged(octets: &[u8], padding: usize) -> Result<Network<'_>, Skipped> {
    if SNAP_BRIDGED.iter().any(|one| octets.starts_with(one)) {
        typed(octets, SNAP_BRIDGED[0].len() + padding + ADDRESSES)
    } else {
        Err(Skipped::NotIp)
    }
}

/// What stands behind an `EtherType` that is no tag's.
fn named(ethertype: u16, octets: &[u8]) -> Result<Network<'_>, Skipped> {
    match ethertype {
        ETHERTYPE_IPV4 | ETHERTYPE_IPV6 => Ok(Network::untagged(octets)),
        ETHERTYPE_MPLS | ETHERTYPE_MPLS_UPSTREAM => labelled(octets),
        ETHERTYPE_PPPOE => serial::ppp_over_ethernet(octets),
        _ => Err(Skipped::NotIp),
    }
}

/// Labels of four octets, the last of which says so (RFC 3032, section 2.1). They do not name what
/// follows; its first nibble tells IP from the rest (RFC 4928, section 3).
fn labelled(octets: &[u8]) -> Result<Network<'_>, Skipped> {
    let (labels, _) = octets.as_chunks::<4>();
    let last = labels.iter().take(MAX_MPLS_LABELS).position(|[_, _, last, _]| last & 1 != 0);
    match last {
        Some(last) => Ok(Network::untagged(&octets[4 * (last + 1)..])),
        None if labels.len() < MAX_MPLS_LABELS => Err(Skipped::CutHeader),
        None => Err(Skipped::Malformed),
    }
}
