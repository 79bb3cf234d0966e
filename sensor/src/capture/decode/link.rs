//! Owns the link layers: which header stands before the network packet, and how long it is.
//!
//! It must not look into the network packet beyond its version nibble.

mod ethernet;
mod filter_log;
mod local;
mod ppp;
mod serial;
mod wireless;

use super::Skipped;

pub(super) use ethernet::after_ethertype;
pub(super) use ppp::packet as ppp;

/// Octets of addresses that captures hold before the header of IP over InfiniBand (RFC 4391,
/// section 6).
const INFINIBAND_ADDRESSES: usize = 40;

/// Kind of link header, by its number in the registry of <https://www.tcpdump.org/linktypes.html>.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkType {
    /// BSD loopback: the address family in the byte order of the capturing host (0, and 108 in
    /// network byte order).
    Loopback,
    /// Ethernet (1).
    Ethernet,
    /// Token Ring (6).
    TokenRing,
    /// ARCNET as BSD captures it (7).
    Arcnet,
    /// ARCNET as Linux captures it (129).
    ArcnetLinux,
    /// SLIP, with the header that BSD puts before the packet (8).
    Slip,
    /// PPP, with or without its HDLC framing (9).
    Ppp,
    /// PPP behind an octet for the direction (204).
    PppWithDirection,
    /// PPP in HDLC framing, whose address is the direction (166).
    PppDaemon,
    /// FDDI (10).
    Fddi,
    /// LLC over ATM (100, and 11 as BSD counts).
    Atm,
    /// Raw IP, version by its first nibble (101, 12, 14; also 228 and 229).
    RawIp,
    /// A serial line: PPP in HDLC framing, or Cisco HDLC (50).
    Serial,
    /// PPP over Ethernet, without the header of Ethernet (51).
    PppOverEthernet,
    /// Cisco HDLC (104).
    Hdlc,
    /// Cisco HDLC behind an octet for the direction (205).
    HdlcWithDirection,
    /// Wireless LAN (105).
    Wireless,
    /// Frame relay (107).
    FrameRelay,
    /// Frame relay behind an octet for the direction (206).
    FrameRelayWithDirection,
    /// Packets as they enter or leave the encryption of `OpenBSD` (109).
    Enc,
    /// Linux cooked capture v1 (113).
    Cooked,
    /// Log of OpenBSD's packet filter (117).
    PfLog,
    /// Wireless LAN behind the header of Prism cards or of AVS (119 and 163).
    Prism,
    /// Wireless LAN behind the radiotap header (127).
    Radiotap,
    /// Per-packet information, which names the link that follows (192).
    PerPacketInformation,
    /// Linux netfilter log (239).
    NetfilterLog,
    /// IP over InfiniBand (242).
    Infiniband,
    /// Linux cooked capture v2 (276).
    CookedV2,
    /// Ethernet with the tag of a switch of four octets (281, 284; and 282, where it stands first).
    SwitchTag,
    /// Ethernet with the tag of a switch of eight octets (285).
    LongSwitchTag,
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
            6 => Self::TokenRing,
            7 => Self::Arcnet,
            8 => Self::Slip,
            9 => Self::Ppp,
            10 => Self::Fddi,
            11 | 100 => Self::Atm,
            12 | 14 | 101 | 228 | 229 => Self::RawIp,
            50 => Self::Serial,
            51 => Self::PppOverEthernet,
            104 => Self::Hdlc,
            105 => Self::Wireless,
            107 => Self::FrameRelay,
            109 => Self::Enc,
            113 => Self::Cooked,
            117 => Self::PfLog,
            119 | 163 => Self::Prism,
            127 => Self::Radiotap,
            129 => Self::ArcnetLinux,
            166 => Self::PppDaemon,
            192 => Self::PerPacketInformation,
            204 => Self::PppWithDirection,
            205 => Self::HdlcWithDirection,
            206 => Self::FrameRelayWithDirection,
            239 => Self::NetfilterLog,
            242 => Self::Infiniband,
            276 => Self::CookedV2,
            281 | 282 | 284 => Self::SwitchTag,
            285 => Self::LongSwitchTag,
            other => Self::Other(other),
        }
    }
}

/// What stands after the link header.
#[derive(Debug)]
pub(super) struct Network<'a> {
    pub(super) octets: &'a [u8],
    pub(super) vlan: Option<u16>,
}

impl<'a> Network<'a> {
    /// A packet that no tag says anything about.
    pub(super) const fn untagged(octets: &'a [u8]) -> Self {
        Self { octets, vlan: None }
    }
}

/// Takes the link header off.
pub(super) fn network(link: LinkType, frame: &[u8]) -> Result<Network<'_>, Skipped> {
    match link {
        LinkType::RawIp => Ok(Network::untagged(frame)),
        LinkType::Ethernet => ethernet::typed(frame, 12),
        LinkType::Cooked => ethernet::typed(frame, 14),
        LinkType::CookedV2 => ethernet::typed_first(frame, 20),
        LinkType::SwitchTag => ethernet::typed(frame, 16),
        LinkType::LongSwitchTag => ethernet::typed(frame, 20),
        LinkType::Infiniband => ethernet::typed_first(behind(frame, INFINIBAND_ADDRESSES)?, 4),
        LinkType::TokenRing => local::token_ring(frame),
        LinkType::Fddi => local::fddi(frame),
        LinkType::Arcnet => local::arcnet(frame, 2),
        LinkType::ArcnetLinux => local::arcnet(frame, 4),
        LinkType::Atm => ethernet::logical_link(frame),
        LinkType::Hdlc => ethernet::typed(frame, 2),
        LinkType::HdlcWithDirection => ethernet::typed(frame, 3),
        LinkType::Ppp => ppp::packet(frame),
        LinkType::PppWithDirection => ppp::packet(behind(frame, 1)?),
        LinkType::PppDaemon => ppp::packet(behind(frame, 2)?),
        LinkType::PppOverEthernet => ppp::over_ethernet(frame),
        LinkType::Serial => serial::line(frame),
        LinkType::Slip => serial::slip(frame),
        LinkType::FrameRelay => serial::frame_relay(frame),
        LinkType::FrameRelayWithDirection => serial::frame_relay(behind(frame, 1)?),
        LinkType::Wireless => wireless::frame(frame),
        LinkType::Prism => wireless::behind_prism(frame),
        LinkType::Radiotap => wireless::behind_radiotap(frame),
        LinkType::PerPacketInformation => per_packet_information(frame),
        LinkType::Loopback => loopback(frame),
        LinkType::Enc => filter_log::enc(frame),
        LinkType::PfLog => filter_log::pf_log(frame),
        LinkType::NetfilterLog => filter_log::netfilter_log(frame),
        LinkType::Other(_) => Err(Skipped::UnknownLink),
    }
}

/// The family's value for IPv6 differs between systems, so the packet's own version decides.
fn loopback(frame: &[u8]) -> Result<Network<'_>, Skipped> {
    behind(frame, 4).map(Network::untagged)
}

/// The header's length and the number of the link that follows stand in it, little-endian.
fn per_packet_information(frame: &[u8]) -> Result<Network<'_>, Skipped> {
    let &[_, _, l0, l1, n0, n1, ..] = frame else { return Err(Skipped::CutHeader) };
    match LinkType::from_number(u16::from_le_bytes([n0, n1])) {
        LinkType::PerPacketInformation => Err(Skipped::Malformed),
        link => network(link, behind(frame, u16::from_le_bytes([l0, l1]).into())?),
    }
}

/// What stands behind a header of `length` octets.
fn behind(octets: &[u8], length: usize) -> Result<&[u8], Skipped> {
    octets.get(length..).ok_or(Skipped::CutHeader)
}
