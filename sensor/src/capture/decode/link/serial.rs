//! Owns the links between two ends: those in HDLC framing, SLIP and frame relay.
//!
//! It must not know what they run over.

use super::super::Skipped;
use super::ethernet::{after_ethertype, bridged, typed};
use super::ppp::{self, nlpid};
use super::{Network, behind};

/// Octets of the header that BSD puts before a packet of SLIP: the direction, and how the packet's
/// own header was compressed.
const SLIP_HEADER: usize = 16;

/// The longest address of frame relay (ITU-T Q.922, section 3.3).
const MAX_FRAME_RELAY_ADDRESS: usize = 4;
/// Control field of a frame without a number, which the rest of RFC 2427 is about.
const UNNUMBERED: u8 = 0x03;

/// PPP in HDLC framing, or Cisco HDLC.
pub(super) fn line(frame: &[u8]) -> Result<Network<'_>, Skipped> {
    if frame.starts_with(&ppp::ADDRESS_AND_CONTROL) { ppp::packet(frame) } else { typed(frame, 2) }
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
        _ => ppp::network_protocol(octets),
    }
}
