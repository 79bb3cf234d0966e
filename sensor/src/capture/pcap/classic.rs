//! Reads the classic format: one header, then packets, all of one link type.
//!
//! Format: <https://www.ietf.org/archive/id/draft-ietf-opsawg-pcap-04.html>. It must not know the
//! other format.

use std::io::Read;

use super::input::Input;
use super::{Damage, Error, LinkType, Located, MAX_FRAME, Place, Timestamp};

const FILE_HEADER: usize = 24;
const PACKET_HEADER: usize = 16;
/// With the interface, the protocol and the kind of packet, as Alexey Kuznetsov's tcpdump wrote it.
const LONG_PACKET_HEADER: usize = 24;
const MAGIC_MICROSECONDS: u32 = 0xa1b2_c3d4;
const MAGIC_NANOSECONDS: u32 = 0xa1b2_3c4d;
const MAGIC_LONG_HEADERS: u32 = 0xa1b2_cd34;
/// The link type is the lower half of its word; above it stand flags on the frame check sequence.
const LINK_TYPE: u32 = 0xffff;
const NANOSECONDS: u64 = 1_000_000_000;

/// What the file header said.
pub(super) struct Classic {
    big_endian: bool,
    nanoseconds_per_unit: u64,
    packet_header: usize,
    link: LinkType,
}

impl Classic {
    /// Reads the file header, of which `magic` are the first octets.
    pub(super) fn open<R: Read>(magic: [u8; 4], input: &mut Input<R>) -> Result<Self, Error> {
        let (big_endian, kind) = match (u32::from_be_bytes(magic), u32::from_le_bytes(magic)) {
            (kind @ (MAGIC_MICROSECONDS | MAGIC_NANOSECONDS | MAGIC_LONG_HEADERS), _) => {
                (true, kind)
            }
            (_, kind) => (false, kind),
        };
        let (nanoseconds_per_unit, packet_header) = match kind {
            MAGIC_MICROSECONDS => (1000, PACKET_HEADER),
            MAGIC_NANOSECONDS => (1, PACKET_HEADER),
            MAGIC_LONG_HEADERS => (1000, LONG_PACKET_HEADER),
            _ => return Err(Error::Unsupported { magic }),
        };
        let place = Place { offset: 0, frames: 0 };
        if !input.fill(FILE_HEADER).map_err(|error| place.failed(error))? {
            return Err(Error::Truncated(place));
        }
        let link = LinkType::Other(0);
        let mut format = Self { big_endian, nanoseconds_per_unit, packet_header, link };
        let number = format.word(input.available(), 20) & LINK_TYPE;
        format.link = LinkType::from_number(u16::try_from(number).unwrap_or(u16::MAX));
        input.consume(FILE_HEADER);
        Ok(format)
    }

    /// The next packet; `None` when the file ends between two.
    pub(super) fn next<R: Read>(
        &self,
        input: &mut Input<R>,
        frames: u64,
    ) -> Result<Option<Located>, Error> {
        let place = Place { offset: input.offset(), frames };
        if !input.fill(self.packet_header).map_err(|error| place.failed(error))? {
            let clean = input.available().is_empty();
            return if clean { Ok(None) } else { Err(Error::Truncated(place)) };
        }
        let header = input.available();
        let seconds = u64::from(self.word(header, 0));
        let fraction = u64::from(self.word(header, 4));
        let captured = self.word(header, 8);
        let wire_length = self.word(header, 12);
        if captured > MAX_FRAME {
            return Err(Error::Damaged(place, Damage::FrameLength(captured)));
        }
        let length = self.packet_header + captured as usize;
        if !input.fill(length).map_err(|error| place.failed(error))? {
            return Err(Error::Truncated(place));
        }
        let packet = input.consume(length);
        Ok(Some(Located {
            time: Timestamp(seconds * NANOSECONDS + fraction * self.nanoseconds_per_unit),
            interface: 0,
            link: self.link,
            data: packet.start + self.packet_header..packet.end,
            wire_length,
        }))
    }

    fn word(&self, octets: &[u8], at: usize) -> u32 {
        let word = [octets[at], octets[at + 1], octets[at + 2], octets[at + 3]];
        if self.big_endian { u32::from_be_bytes(word) } else { u32::from_le_bytes(word) }
    }
}
