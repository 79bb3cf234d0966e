//! Owns the local networks that are neither Ethernet nor wireless: Token Ring, FDDI and ARCNET.
//!
//! It must not know LLC, which stands behind most of their headers.

use super::super::Skipped;
use super::ethernet::{ADDRESSES, logical_link};
use super::{Network, behind};

/// Kinds of frame that carry data: bits of the frame control of Token Ring (IEEE 802.5, section
/// 3.2.3) and of FDDI, there without the one for synchronous frames (ISO 9314-2, section 7.3.3).
const TOKEN_RING_KIND: u8 = 0xc0;
const TOKEN_RING_DATA: u8 = 0x40;
const FDDI_KIND: u8 = 0x70;
const FDDI_DATA: u8 = 0x50;

/// Where the sender's address starts in a frame of Token Ring, and the bit of its first octet that
/// says a route follows; the low bits of the route's first octet are its length.
const TOKEN_RING_SENDER: usize = 8;
const ROUTED: u8 = 0x80;
const ROUTE_LENGTH: u8 = 0x1f;

/// Types of ARCNET: IP as in RFC 1051, and IPv4 and IPv6 as in RFC 1201, which has three octets for
/// the parts of a large packet, the first of which is zero where it is whole.
const ARCNET_IP_WITHOUT_PARTS: u8 = 0xf0;
const ARCNET_IPV4: u8 = 0xd4;
const ARCNET_IPV6: u8 = 0xc4;

pub(super) fn token_ring(frame: &[u8]) -> Result<Network<'_>, Skipped> {
    let header = frame.get(..2 + ADDRESSES).ok_or(Skipped::CutHeader)?;
    if header[1] & TOKEN_RING_KIND != TOKEN_RING_DATA {
        return Err(Skipped::NotIp);
    }
    let route = match frame.get(header.len()) {
        Some(route) if header[TOKEN_RING_SENDER] & ROUTED != 0 => route & ROUTE_LENGTH,
        _ => 0,
    };
    logical_link(behind(frame, header.len() + usize::from(route))?)
}

pub(super) fn fddi(frame: &[u8]) -> Result<Network<'_>, Skipped> {
    match frame.first().ok_or(Skipped::CutHeader)? & FDDI_KIND {
        FDDI_DATA => logical_link(behind(frame, 1 + ADDRESSES)?),
        _ => Err(Skipped::NotIp),
    }
}

/// A frame whose type stands at `at`.
pub(super) fn arcnet(frame: &[u8], at: usize) -> Result<Network<'_>, Skipped> {
    match behind(frame, at)? {
        [ARCNET_IP_WITHOUT_PARTS, octets @ ..]
        | [ARCNET_IPV4 | ARCNET_IPV6, 0, _, _, octets @ ..] => Ok(Network::untagged(octets)),
        [ARCNET_IPV4 | ARCNET_IPV6, _, _, _, ..] => Err(Skipped::Fragment),
        [] | [ARCNET_IPV4 | ARCNET_IPV6, ..] => Err(Skipped::CutHeader),
        _ => Err(Skipped::NotIp),
    }
}
