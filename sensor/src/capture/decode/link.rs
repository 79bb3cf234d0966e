//! Owns the link layers: which header stands before the network packet, and how long it is.
//!
//! It must not look into the network packet beyond its version nibble.

use super::{Skipped, half};

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
/// Below this the field is a length, and LLC follows (IEEE 802.3, section 3.2.6).
const LEAST_ETHERTYPE: u16 = 0x0600;
/// LLC and SNAP before an `EtherType` (RFC 1042).
const LLC_SNAP: [u8; 6] = [0xaa, 0xaa, 0x03, 0, 0, 0];

const ETHERTYPE_PPPOE: u16 = 0x8864;
/// Octets of a `PPPoE` header (RFC 2516, section 4).
const PPPOE_HEADER: usize = 6;

/// The two octets that HDLC framing puts before PPP's protocol (RFC 1662, section 3.1).
const PPP_ADDRESS_AND_CONTROL: [u8; 2] = [0xff, 0x03];
const PPP_IPV4: u8 = 0x21;
const PPP_IPV6: u8 = 0x57;

/// Type of the attribute that holds the packet (`NFULA_PAYLOAD`).
const NETFILTER_PAYLOAD: u16 = 9;

/// Kind of link header, by its number in the registry of <https://www.tcpdump.org/linktypes.html>.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkType {
    /// BSD loopback: the address family in the byte order of the capturing host (0, and 108 in
    /// network byte order).
    Loopback,
    /// Ethernet (1).
    Ethernet,
    /// Raw IP, version by its first nibble (101, 12, 14; also 228 and 229).
    RawIp,
    /// Linux cooked capture v1 (113).
    Cooked,
    /// Linux cooked capture v2 (276).
    CookedV2,
    /// Cisco HDLC (104).
    Hdlc,
    /// PPP, with or without its HDLC framing (9).
    Ppp,
    /// A serial line: PPP in HDLC framing, or Cisco HDLC (50).
    Serial,
    /// PPP over Ethernet, without the header of Ethernet (51).
    PppOverEthernet,
    /// Log of OpenBSD's packet filter (117).
    PfLog,
    /// Linux netfilter log (239).
    NetfilterLog,
    /// A kind this decoder does not know.
    Other(u16),
}

impl LinkType {
    /// The kind of the number that stands in a capture file.
    #[must_use]
    pub const fn from_number(number: u16) -> Self {
        match number {
            0 | 108 => Self::Loopback,
            1 => Self::Ethernet,
            12 | 14 | 101 | 228 | 229 => Self::RawIp,
            9 => Self::Ppp,
            50 => Self::Serial,
            51 => Self::PppOverEthernet,
            104 => Self::Hdlc,
            117 => Self::PfLog,
            113 => Self::Cooked,
            239 => Self::NetfilterLog,
            276 => Self::CookedV2,
            other => Self::Other(other),
        }
    }
}

/// What stands after the link header.
pub(super) struct Network<'a> {
    pub(super) octets: &'a [u8],
    pub(super) vlan: Option<u16>,
}

/// Takes the link header off.
pub(super) fn network(link: LinkType, frame: &[u8]) -> Result<Network<'_>, Skipped> {
    match link {
        LinkType::RawIp => Ok(Network { octets: frame, vlan: None }),
        LinkType::Loopback => loopback(frame),
        LinkType::Ethernet => tagged(frame, 12),
        LinkType::Cooked => tagged(frame, 14),
        LinkType::CookedV2 => cooked_v2(frame),
        LinkType::Hdlc => tagged(frame, 2),
        LinkType::Ppp => ppp(frame.strip_prefix(&PPP_ADDRESS_AND_CONTROL).unwrap_or(frame), None),
        LinkType::Serial => match frame.strip_prefix(&PPP_ADDRESS_AND_CONTROL) {
            Some(framed) => ppp(framed, None),
            None => tagged(frame, 2),
        },
        LinkType::PppOverEthernet => ppp_over_ethernet(frame, None),
        LinkType::PfLog => pf_log(frame),
        LinkType::NetfilterLog => netfilter_log(frame),
        LinkType::Other(_) => Err(Skipped::UnknownLink),
    }
}

/// The family's value for IPv6 differs between systems, so the packet's own version decides.
fn loopback(frame: &[u8]) -> Result<Network<'_>, Skipped> {
    let octets = frame.get(4..).ok_or(Skipped::CutHeader)?;
    Ok(Network { octets, vlan: None })
}

/// The protocol stands first in the header, and tags, if any, follow the header.
fn cooked_v2(frame: &[u8]) -> Result<Network<'_>, Skipped> {
    const HEADER: usize = 20;
    if frame.len() < HEADER {
        return Err(Skipped::CutHeader);
    }
    after_tags(frame, half(frame, 0), HEADER)
}

fn tagged(frame: &[u8], ethertype_at: usize) -> Result<Network<'_>, Skipped> {
    if frame.len() < ethertype_at + 2 {
        return Err(Skipped::CutHeader);
    }
    after_tags(frame, half(frame, ethertype_at), ethertype_at + 2)
}

fn after_tags(frame: &[u8], mut ethertype: u16, mut at: usize) -> Result<Network<'_>, Skipped> {
    let mut vlan = None;
    for _ in 0..=MAX_TAGS {
        let is_vlan = ETHERTYPES_VLAN.contains(&ethertype);
        let octets = frame.get(at..).ok_or(Skipped::CutHeader)?;
        if !is_vlan && ethertype >= LEAST_ETHERTYPE {
            return behind(ethertype, octets, vlan);
        }
        let tag = if is_vlan { 4 } else { LLC_SNAP.len() + 2 };
        let tag = octets.get(..tag).ok_or(Skipped::CutHeader)?;
        if is_vlan {
            vlan.get_or_insert(half(tag, 0) & 0x0fff);
        } else if !tag.starts_with(&LLC_SNAP) {
            return Err(Skipped::NotIp);
        }
        ethertype = half(tag, tag.len() - 2);
        at += tag.len();
    }
    Err(Skipped::Malformed)
}

/// What stands behind an `EtherType` that is no tag's.
fn behind(ethertype: u16, octets: &[u8], vlan: Option<u16>) -> Result<Network<'_>, Skipped> {
    match ethertype {
        ETHERTYPE_IPV4 | ETHERTYPE_IPV6 => Ok(Network { octets, vlan }),
        ETHERTYPE_MPLS | ETHERTYPE_MPLS_UPSTREAM => labelled(octets, vlan),
        ETHERTYPE_PPPOE => ppp_over_ethernet(octets, vlan),
        _ => Err(Skipped::NotIp),
    }
}

/// Labels of four octets, the last of which says so (RFC 3032, section 2.1). They do not name what
/// follows; its first nibble tells IP from the rest (RFC 4928, section 3).
fn labelled(octets: &[u8], vlan: Option<u16>) -> Result<Network<'_>, Skipped> {
    let (labels, _) = octets.as_chunks::<4>();
    let last = labels.iter().take(MAX_MPLS_LABELS).position(|[_, _, last, _]| last & 1 != 0);
    match last {
        Some(last) => Ok(Network { octets: &octets[4 * (last + 1)..], vlan }),
        None if labels.len() < MAX_MPLS_LABELS => Err(Skipped::CutHeader),
        None => Err(Skipped::Malformed),
    }
}

fn ppp_over_ethernet(octets: &[u8], vlan: Option<u16>) -> Result<Network<'_>, Skipped> {
    ppp(octets.get(PPPOE_HEADER..).ok_or(Skipped::CutHeader)?, vlan)
}

/// The protocol may go without its first octet, which is zero (RFC 1661, section 6.5).
fn ppp(octets: &[u8], vlan: Option<u16>) -> Result<Network<'_>, Skipped> {
    match octets {
        [PPP_IPV4 | PPP_IPV6, octets @ ..] | [0, PPP_IPV4 | PPP_IPV6, octets @ ..] => {
            Ok(Network { octets, vlan })
        }
        [] | [0] => Err(Skipped::CutHeader),
        _ => Err(Skipped::NotIp),
    }
}

/// The header begins with its length, without the octets that fill its last word.
fn pf_log(frame: &[u8]) -> Result<Network<'_>, Skipped> {
    let length = usize::from(*frame.first().ok_or(Skipped::CutHeader)?);
    let octets = frame.get(length.next_multiple_of(4)..).ok_or(Skipped::CutHeader)?;
    Ok(Network { octets, vlan: None })
}

/// Attributes of length, type and value follow a header of four octets; lengths and types are in
/// the byte order of the capturing host, which is little-endian wherever this runs.
fn netfilter_log(frame: &[u8]) -> Result<Network<'_>, Skipped> {
    let mut attributes = frame.get(4..).ok_or(Skipped::CutHeader)?;
    while let [l0, l1, t0, t1, ..] = attributes {
        let length = usize::from(u16::from_le_bytes([*l0, *l1]));
        if length < 4 {
            return Err(Skipped::Malformed);
        }
        if u16::from_le_bytes([*t0, *t1]) == NETFILTER_PAYLOAD {
            let end = length.min(attributes.len());
            return Ok(Network { octets: &attributes[4..end], vlan: None });
        }
        attributes = attributes.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    Err(Skipped::CutHeader)
}
