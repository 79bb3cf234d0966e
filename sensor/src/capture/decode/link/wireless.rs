//! Owns the frames of wireless LANs (IEEE 802.11) and what capturing drivers put before them.
//!
//! It must not know keys: what is encrypted on the air stays so.

use super::super::{Skipped, word};
use super::ethernet::logical_link;
use super::{Network, behind};

/// Octets of the header of a data frame, sequence control included (IEEE 802.11, section 9.3.2.1).
const HEADER: usize = 24;
const SEQUENCE_CONTROL: usize = 22;
const FRAGMENT_NUMBER: u8 = 0x0f;

/// Bits of the first octet of frame control: version and type, and two of the subtype of data.
const KIND: u8 = 0x0f;
const DATA: u8 = 0x08;
const WITHOUT_DATA: u8 = 0x40;
const QUALITY_OF_SERVICE: u8 = 0x80;

/// Bits of the second octet of frame control.
const BETWEEN_ACCESS_POINTS: u8 = 0x03;
const MORE_FRAGMENTS: u8 = 0x04;
const PROTECTED: u8 = 0x40;
/// In a frame with quality of service: that the HT control field is there.
const HIGH_THROUGHPUT: u8 = 0x80;

/// Bit of the first octet of `QoS` control: that the frame holds several packets.
const AGGREGATE: u8 = 0x80;

/// Octets of the header of Prism cards, which is the same with all drivers.
const PRISM_HEADER: usize = 144;
/// Version 1 and 2 of the header of AVS begin so; its length follows.
const AVS: [u32; 2] = [0x8021_1001, 0x8021_1002];

/// Bits of the first word of radiotap that says which fields are there: the time, of eight octets
/// in their natural place, before the flags; and that another such word follows.
const RADIOTAP_TIME: u32 = 1;
const RADIOTAP_FLAGS: u32 = 1 << 1;
const RADIOTAP_MORE: u32 = 1 << 31;
/// Flags: that the header of the frame fills whole words, and that the frame came damaged.
const PADDED: u8 = 0x20;
const DAMAGED: u8 = 0x40;

/// A frame as it was on the air.
pub(in super::super) fn frame(frame: &[u8]) -> Result<Network<'_>, Skipped> {
    logical_link(behind(frame, header(frame)?)?)
}

/// A frame behind the header of Prism cards or of AVS, as the first word says.
pub(super) fn behind_prism(octets: &[u8]) -> Result<Network<'_>, Skipped> {
    let start = octets.get(..8).ok_or(Skipped::CutHeader)?;
    let length = if AVS.contains(&word(start, 0)) {
        usize::try_from(word(start, 4)).map_err(|_| Skipped::Malformed)?
    } else {
        PRISM_HEADER
    };
    frame(behind(octets, length)?)
}

/// A frame behind the header of <https://www.radiotap.org>, which is little-endian.
pub(super) fn behind_radiotap(octets: &[u8]) -> Result<Network<'_>, Skipped> {
    let &[_, _, l0, l1, ..] = octets else { return Err(Skipped::CutHeader) };
    let length = usize::from(u16::from_le_bytes([l0, l1]));
    let (radiotap, on_air) = octets.split_at_checked(length).ok_or(Skipped::CutHeader)?;
    let flags = radiotap_flags(radiotap).ok_or(Skipped::Malformed)?;
    if flags & DAMAGED != 0 {
        return Err(Skipped::Malformed);
    }
    let header = header(on_air)?;
    let header = if flags & PADDED == 0 { header } else { header.next_multiple_of(4) };
    logical_link(behind(on_air, header)?)
}

/// None where the fields do not fit into the header.
fn radiotap_flags(radiotap: &[u8]) -> Option<u8> {
    let (words, _) = radiotap.get(4..)?.as_chunks::<4>();
    let mut present = words.iter().map(|word| u32::from_le_bytes(*word));
    let first = present.next()?;
    let more = if first & RADIOTAP_MORE == 0 {
        0
    } else {
        present.position(|word| word & RADIOTAP_MORE == 0)? + 1
    };
    if first & RADIOTAP_FLAGS == 0 {
        return Some(0);
    }
    let fields = 8 + 4 * more;
    let time = if first & RADIOTAP_TIME == 0 { fields } else { fields.next_multiple_of(8) + 8 };
    radiotap.get(time).copied()
}

/// How long the header of a data frame is that holds one packet in the clear.
fn header(frame: &[u8]) -> Result<usize, Skipped> {
    let start = frame.get(..HEADER).ok_or(Skipped::CutHeader)?;
    let (kind, flags) = (start[0], start[1]);
    if kind & KIND != DATA || kind & WITHOUT_DATA != 0 {
        return Err(Skipped::NotIp);
    }
    if flags & PROTECTED != 0 {
        return Err(Skipped::Encrypted);
    }
    if flags & MORE_FRAGMENTS != 0 || start[SEQUENCE_CONTROL] & FRAGMENT_NUMBER != 0 {
        return Err(Skipped::Fragment);
    }
    let relayed = flags & BETWEEN_ACCESS_POINTS == BETWEEN_ACCESS_POINTS;
    let addresses = if relayed { HEADER + 6 } else { HEADER };
    if kind & QUALITY_OF_SERVICE == 0 {
        return Ok(addresses);
    }
    match frame.get(addresses).ok_or(Skipped::CutHeader)? & AGGREGATE {
        0 if flags & HIGH_THROUGHPUT != 0 => Ok(addresses + 6),
        0 => Ok(addresses + 2),
        _ => Err(Skipped::Aggregate),
    }
}
