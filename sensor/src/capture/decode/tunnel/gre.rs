//! Owns GRE (RFC 2784, RFC 2890), its version for PPP (RFC 2637) and the mirrors that use it.
//!
//! It must not know the IP packet around it.

use super::super::link::{self, LinkType, Network};
use super::super::{Skipped, half};

/// Octets of the header without the optional fields, each of which is one word.
const HEADER: usize = 4;
const WORD: usize = 4;

const CHECKSUM: u16 = 0x8000;
/// A route, which RFC 2784 took away.
const ROUTING: u16 = 0x4000;
const KEY: u16 = 0x2000;
const SEQUENCE: u16 = 0x1000;
/// Of the version for PPP: an acknowledgement number.
const ACKNOWLEDGEMENT: u16 = 0x0080;
const VERSION: u16 = 0x0007;

/// Protocols beyond the types of Ethernet.
mod protocol {
    /// A frame of Ethernet (RFC 1701).
    pub(super) const BRIDGED: u16 = 0x6558;
    pub(super) const PPP: u16 = 0x880b;
    /// Mirrored frames (draft-foschiano-erspan-03): type I and II, and type III.
    pub(super) const ERSPAN: u16 = 0x88be;
    pub(super) const ERSPAN_III: u16 = 0x22eb;
    /// Frames of a wireless LAN, as access points of Aruba hand them on.
    pub(super) const WIRELESS: u16 = 0x8200;
}

/// Octets of the header of a mirrored frame: of type II, which only a sequence number tells from
/// type I without one; of type III, and of what follows that where its last bit is set.
const ERSPAN_II_HEADER: usize = 8;
const ERSPAN_III_HEADER: usize = 12;
const ERSPAN_III_PLATFORM: usize = 8;

/// What the packet carries.
pub(super) fn inside(octets: &[u8]) -> Result<Network<'_>, Skipped> {
    let header = octets.get(..HEADER).ok_or(Skipped::CutHeader)?;
    let (flags, protocol) = (half(header, 0), half(header, 2));
    let fields = match flags & (VERSION | ROUTING) {
        0 => flags & (CHECKSUM | KEY | SEQUENCE),
        1 => flags & (CHECKSUM | KEY | SEQUENCE | ACKNOWLEDGEMENT),
        _ => return Err(Skipped::Tunnel),
    };
    let length = HEADER + WORD * fields.count_ones() as usize;
    let carried = octets.get(length..).ok_or(Skipped::CutHeader)?;
    match protocol {
        protocol::BRIDGED => link::network(LinkType::Ethernet, carried),
        protocol::PPP => link::network(LinkType::Ppp, carried),
        protocol::WIRELESS => link::network(LinkType::Wireless, carried),
        protocol::ERSPAN if flags & SEQUENCE == 0 => link::network(LinkType::Ethernet, carried),
        protocol::ERSPAN => mirrored(carried, ERSPAN_II_HEADER),
        protocol::ERSPAN_III => {
            let last = *carried.get(ERSPAN_III_HEADER - 1).ok_or(Skipped::CutHeader)?;
            mirrored(carried, ERSPAN_III_HEADER + usize::from(last & 1) * ERSPAN_III_PLATFORM)
        }
        other => link::after_ethertype(other, carried),
    }
}

/// A frame behind a header of `length` octets.
fn mirrored(octets: &[u8], length: usize) -> Result<Network<'_>, Skipped> {
    link::network(LinkType::Ethernet, octets.get(length..).ok_or(Skipped::CutHeader)?)
}
