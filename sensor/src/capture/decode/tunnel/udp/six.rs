//! Owns the tunnels that take IPv6 to hosts behind address translation: Teredo and AYIYA.
//!
//! It must not know the ports they are known by.

use super::super::super::link::Network;
use super::super::super::{Skipped, half};

/// In Teredo (RFC 4380, section 5.1.1): octets of the authentication without its two values, and of
/// the origin.
const AUTHENTICATION: usize = 13;
const ORIGIN: usize = 8;

/// Octets of the header of IPv6, where its addresses start, and how those of Teredo begin.
const IPV6_HEADER: usize = 40;
const ADDRESSES: [usize; 2] = [8, 24];
const TEREDO_PREFIX: [u8; 4] = [0x20, 0x01, 0, 0];

/// In AYIYA (draft-massar-v6ops-ayiya, section 3): octets before the identity and the signature,
/// the operation that forwards a packet, and the number of IPv6 as in IP itself.
const AYIYA_HEADER: usize = 8;
const OPERATION: u8 = 0x0f;
const FORWARD: u8 = 1;
const IPV6: u8 = 41;

/// Teredo with a server, which may put authentication and origin before the packet.
pub(super) fn teredo(mut octets: &[u8]) -> Result<Network<'_>, Skipped> {
    if let [0, 1, identifier, value, ..] = octets {
        let values = usize::from(*identifier) + usize::from(*value);
        octets = octets.get(AUTHENTICATION + values..).ok_or(Skipped::CutHeader)?;
    }
    if let [0, 0, ..] = octets {
        octets = octets.get(ORIGIN..).ok_or(Skipped::CutHeader)?;
    }
    match octets.first().ok_or(Skipped::CutHeader)? >> 4 {
        6 => Ok(Network::untagged(octets)),
        _ => Err(Skipped::NotTcp),
    }
}

/// Teredo between hosts and relays, which is on any port: nothing but a packet of IPv6, from or to
/// an address of Teredo.
pub(super) fn between_hosts(octets: &[u8]) -> Result<Network<'_>, Skipped> {
    let Some(header) = octets.get(..IPV6_HEADER) else { return Err(Skipped::NotTcp) };
    let is_whole = IPV6_HEADER + usize::from(half(header, 4)) == octets.len();
    let is_teredo = ADDRESSES.iter().any(|at| header[*at..].starts_with(&TEREDO_PREFIX));
    if header[0] >> 4 == 6 && is_whole && is_teredo {
        Ok(Network::untagged(octets))
    } else {
        Err(Skipped::NotTcp)
    }
}

/// The identity's length is a power of two, that of the signature is in words.
pub(super) fn ayiya(octets: &[u8]) -> Result<Network<'_>, Skipped> {
    let header = octets.get(..AYIYA_HEADER).ok_or(Skipped::CutHeader)?;
    if header[2] & OPERATION != FORWARD || header[3] != IPV6 {
        return Err(Skipped::NotTcp);
    }
    let (identity, signature) = (1_usize << (header[0] >> 4), usize::from(header[1] >> 4) * 4);
    let carried = octets.get(AYIYA_HEADER + identity + signature..);
    carried.map(Network::untagged).ok_or(Skipped::CutHeader)
}
