//! Owns the links between two ends: PPP, HDLC, SLIP and frame relay.
//!
//! It must not know what they run over.

use super::super::Skipped;
use super::ethernet::{after_ethertype, bridged, typed};
use super::{Network, behind};

/// Octets of a `PPPoE` header (RFC 2516, section 4).
const PPPOE_HEADER: usize = 6;

/// The two octets that HDLC framing puts before PPP's protocol (RFC 1662, section 3.1).
const PPP_ADDRESS_AND_CONTROL: [u8; 2] = [0xff, 0x03];
const PPP_IPV4: u8 = 0x21;
const PPP_IPV6: u8 = 0x57;

/// Octets of the header that BSD puts before a packet of SLIP: the direction, and how the packet's
/// own header was compressed.
const SLIP_HEADER: usize = 16;

/// The longest address of frame relay (ITU-T Q.922, section 3.3).
const MAX_FRAME_RELAY_ADDRESS: usize = 4;
/// Control field of a frame without a number, which the rest of RFC 2427 is about.
const UNNUMBERED: u8 = 0x03;

/// Network protocols as ISO/IEC TR 9577 names them.
mod nlpid {
    pub(super) const SNAP: u8 = 0x80;
    pub(super) const IPV6: u8 = 0x8e;
    pub(super) const IPV4: u8 = 0xcc;
    pub(super) const PPP: u8 = 0xcf;
}

/// The protocol may go without its first octet, which is zero (RFC 1661, section 6.5), and framing
/// may stand before it or not.
pub(in super::super) fn ppp(octets: &[u8]) -> Result<Network<'_>, Skipped> {
    match octets.strip_prefix(&PPP_ADDRESS_AND_CONTROL).unwrap_or(octets) {
        [PPP_IPV4 | PPP_IPV6, octets @ ..] | [0, PPP_IPV4 | PPP_IPV6, octets @ ..] => {
            Ok(Network::untagged(octets))
        }
        [] | [0] => Err(Skipped::CutHeader),
        _ => Err(Skipped::NotIp),
    }
}

pub(super) fn ppp_over_ethernet(octets: &[u8]) -> Result<Network<'_>, Skipped> {
    ppp(behind(octets, PPPOE_HEADER)?)
}

/// PPP in HDLC framing, or Cisco HDLC.
pub(super) fn line(frame: &[u8]) -> Result<Network<'_>, Skipped> {
    if frame.starts_with(&PPP_ADDRESS_AND_CONTROL) { ppp(frame) } else { typed(frame, 2) }
}

/// A packet whose header was compressed (RFC 1144) does not begin as IP does.
pub(super) fn slip(frame: &[u8]) -> Result<Network<'_>, Skipped> {
    behind(frame, SLIP_HEADER).map(Network::untagged)
}

/// An address, the last octet of which says so, and what RFC 2427 says, or an `EtherType` as Cisco
/// has it.
pub(super) fn frame_relay(frame: &[u8]) -> Result<Network<'_>, Skipped> {
    let ends = |octet: &u8| octet & 1 != 0;
    let last = match frame.iter().take(MAX_FRAME_RELAY_ADDRESS).position(ends) {
        Some(last) if last > 0 => last,
        None if frame.len() < MAX_FRAME_RELAY_ADDRESS => return Err(Skipped::CutHeader),
        _ => return Err(Skipped::Malformed),
    };
    match &frame[last + 1..] {
        [UNNUMBERED, 0, octets @ ..] | [UNNUMBERED, octets @ ..] => relayed(octets),
        _ => typed(frame, last + 1),
    }
}

/// What stands behind an octet that names a protocol, or a SNAP header (RFC 2427, section 4).
fn relayed(octets: &[u8]) -> Result<Network<'_>, Skipped> {
    match octets {
        [nlpid::SNAP, 0, 0, 0, high, low, octets @ ..] => {
            after_ethertype(u16::from_be_bytes([*high, *low]), octets)
        }
        [nlpid::SNAP, octets @ ..] => bridged(octets),
        _ => network_protocol(octets),
    }
}

/// What stands behind an octet that names a protocol.
pub(super) fn network_protocol(octets: &[u8]) -> Result<Network<'_>, Skipped> {
    match octets {
        [nlpid::IPV4 | nlpid::IPV6, octets @ ..] => Ok(Network::untagged(octets)),
        [nlpid::PPP, octets @ ..] => ppp(octets),
        [] => Err(Skipped::CutHeader),
        _ => Err(Skipped::NotIp),
    }
}
