//! Owns the names that a network protocol has on serial lines: those of PPP and those of ISO.
//!
//! It must not know `EtherTypes`, nor what the line runs over.

use super::super::Skipped;
use super::{Network, behind};

/// Octets of a `PPPoE` header (RFC 2516, section 4).
const PPPOE_HEADER: usize = 6;

/// The two octets that HDLC framing puts before PPP's protocol (RFC 1662, section 3.1).
pub(super) const ADDRESS_AND_CONTROL: [u8; 2] = [0xff, 0x03];
const IPV4: u8 = 0x21;
const IPV6: u8 = 0x57;

/// Network protocols as ISO/IEC TR 9577 names them.
pub(super) mod nlpid {
    pub(in super::super) const SNAP: u8 = 0x80;
    pub(super) const IPV6: u8 = 0x8e;
    pub(super) const IPV4: u8 = 0xcc;
    pub(super) const PPP: u8 = 0xcf;
}

/// The protocol may go without its first octet, which is zero (RFC 1661, section 6.5), and framing
/// may stand before it or not.
pub(in super::super) fn packet(octets: &[u8]) -> Result<Network<'_>, Skipped> {
    match octets.strip_prefix(&ADDRESS_AND_CONTROL).unwrap_or(octets) {
        [IPV4 | IPV6, octets @ ..] | [0, IPV4 | IPV6, octets @ ..] => Ok(Network::untagged(octets)),
        [] | [0] => Err(Skipped::CutHeader),
        _ => Err(Skipped::NotIp),
    }
}

pub(super) fn over_ethernet(octets: &[u8]) -> Result<Network<'_>, Skipped> {
    packet(behind(octets, PPPOE_HEADER)?)
}

/// What stands behind an octet that names a protocol.
pub(super) fn network_protocol(octets: &[u8]) -> Result<Network<'_>, Skipped> {
    match octets {
        [nlpid::IPV4 | nlpid::IPV6, octets @ ..] => Ok(Network::untagged(octets)),
        [nlpid::PPP, octets @ ..] => packet(octets),
        [] => Err(Skipped::CutHeader),
        _ => Err(Skipped::NotIp),
    }
}
