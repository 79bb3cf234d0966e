//! Owns what an `EtherType` names, and the tags, labels and LLC headers on the way to it.
//!
//! It must not know which link the frame came over.

use super::super::{Skipped, half};
use super::{Network, behind, ppp};

/// Tags followed before a frame is called malformed: two are QinQ, four leave room for providers
/// that stack it twice, and LLC takes the room of one.
const MAX_TAGS: usize = 4;

/// Labels followed before a frame is called malformed: a transport label, a service label and an
/// entropy label with its indicator are four, and rerouting may put as many before them.
const MAX_MPLS_LABELS: usize = 8;

/// Types in the registry of the IEEE.
mod ethertype {
    pub(super) const IPV4: u16 = 0x0800;
    pub(super) const IPV6: u16 = 0x86dd;
    /// 802.1Q, 802.1ad, and the values in use before 802.1ad was settled.
    pub(super) const VLAN: [u16; 4] = [0x8100, 0x88a8, 0x9100, 0x9200];
    /// MPLS, and of labels that an upstream router assigned (RFC 5332).
    pub(super) const MPLS: u16 = 0x8847;
    pub(super) const MPLS_UPSTREAM: u16 = 0x8848;
    pub(super) const PPPOE: u16 = 0x8864;
    /// A backbone's frame with a customer's in it (IEEE 802.1ah).
    pub(super) const BACKBONE: u16 = 0x88e7;
    /// The same within data centers of Cisco.
    pub(super) const FABRIC_PATH: u16 = 0x8903;
    /// Security group of Cisco.
    pub(super) const META_DATA: u16 = 0x8909;
    /// Virtual interface of a server (VN-Tag).
    pub(super) const INTERFACE: u16 = 0x8926;
    /// Rings that send each frame both ways (IEC 62439-3).
    pub(super) const RING: u16 = 0x892f;
    /// Extended port of a bridge (IEEE 802.1BR).
    pub(super) const EXTENDED_PORT: u16 = 0x893f;
    /// Below this the field is a length, and LLC follows (IEEE 802.3, section 3.2.6).
    pub(super) const LEAST: u16 = 0x0600;
}

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

/// Octets of the addresses of Ethernet, and of a type.
pub(super) const ADDRESSES: usize = 12;
const TYPE: usize = 2;

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
    ethertype: u16,
    octets: &[u8],
) -> Result<Network<'_>, Skipped> {
    match ethertype {
        ethertype::IPV4 | ethertype::IPV6 => Ok(Network::untagged(octets)),
        _ => after_tags(ethertype, octets),
    }
}

fn after_tags(mut ethertype: u16, mut octets: &[u8]) -> Result<Network<'_>, Skipped> {
    let mut vlan = None;
    for _ in 0..=MAX_TAGS {
        if matches!(ethertype, ethertype::IPV4 | ethertype::IPV6) {
            return Ok(Network { octets, vlan });
        }
        let Some(length) = tag(ethertype, octets) else {
            return named(ethertype, octets).map(|network| Network { vlan, ..network });
        };
        let (tag, rest) = octets.split_at_checked(length).ok_or(Skipped::CutHeader)?;
        if ethertype::VLAN.contains(&ethertype) {
            vlan.get_or_insert(half(tag, 0) & 0x0fff);
        }
        ethertype = half(tag, length - TYPE);
        octets = rest;
    }
    Err(Skipped::Malformed)
}

/// How long a tag of this type is that ends with another type; none where it is no tag. A frame
/// within the frame is one that has addresses in it.
fn tag(ethertype: u16, octets: &[u8]) -> Option<usize> {
    match ethertype {
        ethertype::BACKBONE => Some(4 + ADDRESSES + TYPE),
        ethertype::FABRIC_PATH => Some(2 + ADDRESSES + TYPE),
        ethertype::META_DATA | ethertype::EXTENDED_PORT => Some(6 + TYPE),
        ethertype::INTERFACE | ethertype::RING => Some(4 + TYPE),
        vlan if ethertype::VLAN.contains(&vlan) => Some(2 + TYPE),
        ethertype::MPLS | ethertype::MPLS_UPSTREAM => pseudowire(octets),
        ..ethertype::LEAST => subnetwork(octets.strip_prefix(&LLC_SNAP)?),
        _ => None,
    }
}

/// How long a SNAP header is whose organization starts here.
fn subnetwork(organization: &[u8]) -> Option<usize> {
    if SNAP_ETHERTYPE.iter().any(|one| organization.starts_with(one)) {
        Some(LLC_SNAP_HEADER)
    } else if is_bridged(organization) {
        Some(LLC_SNAP_HEADER + BRIDGED_PADDING + ADDRESSES + TYPE)
    } else {
        None
    }
}

/// Whether a frame of Ethernet follows this organization and type of a SNAP header.
fn is_bridged(organization: &[u8]) -> bool {
    SNAP_BRIDGED.iter().any(|one| organization.starts_with(one))
}

/// What follows organization and type of a SNAP header over frame relay.
pub(super) fn bridged(organization: &[u8]) -> Result<Network<'_>, Skipped> {
    if is_bridged(organization) {
        typed(organization, SNAP_BRIDGED[0].len() + ADDRESSES)
    } else {
        Err(Skipped::NotIp)
    }
}

/// What stands behind an `EtherType` that is no tag's, or is LLC itself.
fn named(ethertype: u16, octets: &[u8]) -> Result<Network<'_>, Skipped> {
    match ethertype {
        ethertype::MPLS | ethertype::MPLS_UPSTREAM => labelled(octets),
        ethertype::PPPOE => ppp::over_ethernet(octets),
        ..ethertype::LEAST => without_snap(octets),
        _ => Err(Skipped::NotIp),
    }
}

/// LLC with no `EtherType` behind it.
fn without_snap(octets: &[u8]) -> Result<Network<'_>, Skipped> {
    if let Some(octets) = octets.strip_prefix(&LLC_IP) {
        Ok(Network::untagged(octets))
    } else if let Some(octets) = octets.strip_prefix(&LLC_NLPID) {
        ppp::network_protocol(octets)
    } else if octets.len() < LLC_SNAP_HEADER {
        Err(Skipped::CutHeader)
    } else {
        Err(Skipped::NotIp)
    }
}

/// How long labels are that have a frame of Ethernet behind them, and before that a control word,
/// whose first bits are no version of IP (RFC 4448, section 4.6).
fn pseudowire(octets: &[u8]) -> Option<usize> {
    let labels = labels(octets).ok()?;
    let control = octets.get(labels)?;
    (control >> 4 == 0).then_some(labels + 4 + ADDRESSES + TYPE)
}

/// Labels do not name what follows; its first nibble tells IP from the rest (RFC 4928, section 3).
fn labelled(octets: &[u8]) -> Result<Network<'_>, Skipped> {
    Ok(Network::untagged(&octets[labels(octets)?..]))
}

/// Octets of labels, each of four, the last of which says so (RFC 3032, section 2.1).
fn labels(octets: &[u8]) -> Result<usize, Skipped> {
    let (labels, _) = octets.as_chunks::<4>();
    let last = labels.iter().take(MAX_MPLS_LABELS).position(|[_, _, last, _]| last & 1 != 0);
    match last {
        Some(last) => Ok(4 * (last + 1)),
        None if labels.len() < MAX_MPLS_LABELS => Err(Skipped::CutHeader),
        None => Err(Skipped::Malformed),
    }
}
