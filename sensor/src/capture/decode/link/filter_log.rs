//! Owns the headers that packet filters, and the encryption of `OpenBSD`, put before packets.
//!
//! It must not know other links.

use super::super::Skipped;
use super::{Network, behind};

/// Octets of the header of enc(4): an address family, an SPI and flags.
const ENC_HEADER: usize = 12;

/// Type of the attribute that holds the packet (`NFULA_PAYLOAD`).
const NETFILTER_PAYLOAD: u16 = 9;

pub(super) fn enc(frame: &[u8]) -> Result<Network<'_>, Skipped> {
    behind(frame, ENC_HEADER).map(Network::untagged)
}

/// The header begins with its length, without the octets that fill its last word.
pub(super) fn pf_log(frame: &[u8]) -> Result<Network<'_>, Skipped> {
    let length = usize::from(*frame.first().ok_or(Skipped::CutHeader)?);
    behind(frame, length.next_multiple_of(4)).map(Network::untagged)
}

/// Attributes of length, type and value follow a header of four octets; lengths and types are in
/// the byte order of the capturing host, which is little-endian wherever this runs.
pub(super) fn netfilter_log(frame: &[u8]) -> Result<Network<'_>, Skipped> {
    let mut attributes = behind(frame, 4)?;
    while let [l0, l1, t0, t1, ..] = attributes {
        let length = usize::from(u16::from_le_bytes([*l0, *l1]));
        if length < 4 {
            return Err(Skipped::Malformed);
        }
        if u16::from_le_bytes([*t0, *t1]) == NETFILTER_PAYLOAD {
            let end = length.min(attributes.len());
            return Ok(Network::untagged(&attributes[4..end]));
        }
        attributes = attributes.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    Err(Skipped::CutHeader)
}
