//! Owns the link layers: which header stands before the network packet, and how long it is.
//!
//! It must not look into the network packet beyond its version nibble.

use super::{Skipped, half};

/// VLAN tags followed before a frame is called malformed: two are QinQ, four leave room for
/// providers that stack it twice.
const MAX_VLAN_TAGS: usize = 4;

const ETHERTYPE_IPV4: u16 = 0x0800;
const ETHERTYPE_IPV6: u16 = 0x86dd;
/// 802.1Q, 802.1ad, and the value in use before 802.1ad was settled.
const ETHERTYPES_VLAN: [u16; 3] = [0x8100, 0x88a8, 0x9100];

const ETHERTYPE_PPPOE: u16 = 0x8864;

/// The two octets that HDLC framing puts before PPP's protocol (RFC 1662, section 3.1).
const PPP_ADDRESS_AND_CONTROL: [u8; 2] = [0xff, 0x03];
const PPP_IPV4: u16 = 0x0021;
const PPP_IPV6: u16 = 0x0057;

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
            104 => Self::Hdlc,
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
    for _ in 0..=MAX_VLAN_TAGS {
        if !ETHERTYPES_VLAN.contains(&ethertype) {
            let octets = frame.get(at..).ok_or(Skipped::CutHeader)?;
            return match ethertype {
                ETHERTYPE_IPV4 | ETHERTYPE_IPV6 => Ok(Network { octets, vlan }),
                ETHERTYPE_PPPOE => ppp(octets.get(6..).ok_or(Skipped::CutHeader)?, vlan),
                _ => Err(Skipped::NotIp),
            };
        }
        if frame.len() < at + 4 {
            return Err(Skipped::CutHeader);
        }
        vlan.get_or_insert(half(frame, at) & 0x0fff);
        ethertype = half(frame, at + 2);
        at += 4;
    }
    Err(Skipped::Malformed)
}

fn ppp(octets: &[u8], vlan: Option<u16>) -> Result<Network<'_>, Skipped> {
    if octets.len() < 2 {
        return Err(Skipped::CutHeader);
    }
    match half(octets, 0) {
        PPP_IPV4 | PPP_IPV6 => Ok(Network { octets: &octets[2..], vlan }),
        _ => Err(Skipped::NotIp),
    }
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
