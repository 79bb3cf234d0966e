//! Owns the tunnels over UDP, which only their ports tell: VXLAN, Geneve, GTP-U, and those of
//! [`six`].
//!
//! It must not know the IP packet around it. What is on such a port and does not look as it should
//! is no tunnel.

mod six;

use super::super::link::{self, LinkType, Network};
use super::super::{Skipped, half};

/// Octets of the header of UDP (RFC 768).
const HEADER: usize = 8;

/// Ports of the IANA registry, and the one that Linux took for VXLAN before there was one.
mod port {
    pub(super) const GTP_U: u16 = 2152;
    pub(super) const TEREDO: u16 = 3544;
    pub(super) const VXLAN: u16 = 4789;
    pub(super) const AYIYA: u16 = 5072;
    pub(super) const GENEVE: u16 = 6081;
    pub(super) const VXLAN_OF_LINUX: u16 = 8472;
}

/// In the first octet of VXLAN: that the network's identifier is there (RFC 7348, section 5).
const VXLAN_IDENTIFIED: u8 = 0x08;
const VXLAN_HEADER: usize = 8;

/// In Geneve (RFC 8926, section 3.4): the version, which is zero, the length of the options in
/// words, the bit of messages between ends of tunnels, and the type of a frame of Ethernet.
const GENEVE_HEADER: usize = 8;
const GENEVE_VERSION: u8 = 0xc0;
const GENEVE_OPTIONS: u8 = 0x3f;
const GENEVE_CONTROL: u8 = 0x80;
const BRIDGED: u16 = 0x6558;

/// In GTP-U (3GPP TS 29.281, section 5.1): version 1 of GTP itself, the flags of optional fields,
/// which are there all or none, and of them the one that counts, for extension headers; and the
/// type of a message that carries a packet.
const GTP_VERSION: u8 = 0xf0;
const GTP_1: u8 = 0x30;
const GTP_OPTIONAL: u8 = 0x07;
const GTP_EXTENDED: u8 = 0x04;
const GTP_PACKET: u8 = 0xff;
const GTP_HEADER: usize = 8;
const GTP_LONG_HEADER: usize = 12;

/// What the packet carries, which has a length of its own. The receiver's port comes first: the
/// sender's is often made up.
pub(super) fn inside(octets: &[u8]) -> Result<Network<'_>, Skipped> {
    let (header, carried) = octets.split_at_checked(HEADER).ok_or(Skipped::CutHeader)?;
    on_port(half(header, 2), carried)
        .or_else(|| on_port(half(header, 0), carried))
        .unwrap_or_else(|| six::between_hosts(carried))
}

/// None where nothing is known of the port.
fn on_port(port: u16, octets: &[u8]) -> Option<Result<Network<'_>, Skipped>> {
    match port {
        port::VXLAN | port::VXLAN_OF_LINUX => Some(vxlan(octets)),
        port::GENEVE => Some(geneve(octets)),
        port::GTP_U => Some(gtp(octets)),
        port::TEREDO => Some(six::teredo(octets)),
        port::AYIYA => Some(six::ayiya(octets)),
        _ => None,
    }
}

fn vxlan(octets: &[u8]) -> Result<Network<'_>, Skipped> {
    let (header, carried) = octets.split_at_checked(VXLAN_HEADER).ok_or(Skipped::CutHeader)?;
    if header[0] & VXLAN_IDENTIFIED == 0 {
        return Err(Skipped::NotTcp);
    }
    link::network(LinkType::Ethernet, carried)
}

fn geneve(octets: &[u8]) -> Result<Network<'_>, Skipped> {
    let header = octets.get(..GENEVE_HEADER).ok_or(Skipped::CutHeader)?;
    if header[0] & GENEVE_VERSION != 0 || header[1] & GENEVE_CONTROL != 0 {
        return Err(Skipped::NotTcp);
    }
    let options = usize::from(header[0] & GENEVE_OPTIONS) * 4;
    let carried = octets.get(GENEVE_HEADER + options..).ok_or(Skipped::CutHeader)?;
    match half(header, 2) {
        BRIDGED => link::network(LinkType::Ethernet, carried),
        ethertype => link::after_ethertype(ethertype, carried),
    }
}

fn gtp(octets: &[u8]) -> Result<Network<'_>, Skipped> {
    let header = octets.get(..GTP_HEADER).ok_or(Skipped::CutHeader)?;
    if header[0] & GTP_VERSION != GTP_1 || header[1] != GTP_PACKET {
        return Err(Skipped::NotTcp);
    }
    if header[0] & GTP_OPTIONAL == 0 {
        return Ok(Network::untagged(&octets[GTP_HEADER..]));
    }
    let extended = header[0] & GTP_EXTENDED != 0;
    let (header, mut octets) =
        octets.split_at_checked(GTP_LONG_HEADER).ok_or(Skipped::CutHeader)?;
    let mut next = if extended { header[GTP_LONG_HEADER - 1] } else { 0 };
    // Each begins with its length in words, and its last octet is the type of the next; none is 0.
    while next != 0 {
        let words = usize::from(*octets.first().ok_or(Skipped::CutHeader)?);
        let (header, rest) = octets.split_at_checked(4 * words).ok_or(Skipped::CutHeader)?;
        next = *header.last().ok_or(Skipped::Malformed)?;
        octets = rest;
    }
    Ok(Network::untagged(octets))
}
