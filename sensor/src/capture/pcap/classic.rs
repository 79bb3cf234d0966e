//! Reads the classic format: one header, then packets, all of one link type.
//!
//! Format: <https://www.ietf.org/archive/id/draft-ietf-opsawg-pcap-04.html>. It must not know the
//! other format.

use std::io::Read;

use super::input::Input;
use super::{Damage, Error, LinkType, Located, MAX_FRAME, Place, Timestamp};

const FILE_HEADER: usize = 24;
const PACKET_HEADER: usize = 16;
const MAGIC_MICROSECONDS: u32 = 0xa1b2_c3d4;
const MAGIC_NANOSECONDS: u32 = 0xa1b2_3c4d;
/// The link type is the lower half of its word; above it stand flags on the frame check sequence.
const LINK_TYPE: u32 = 0xffff;
const NANOSECONDS: u64 = 1_000_000_000;

/// What the file header said.
pub(super) struct Classic {
    big_endian: bool,
    nanoseconds_per_unit: u64,
    link: LinkType,
}

impl Classic {
    /// Reads the file header, of which `magic` are the first octets.
    pub(super) fn open<R: Read>(magic: [u8; 4], input: &mut Input<R>) -> Result<Self, Error> {
        let (big_endian, nanoseconds_per_unit) =
            match (u32::from_be_bytes(magic), u32::from_le_bytes(magic)) {
                (MAGIC_MICROSECONDS, _) => (true, 1000),
                (_, MAGIC_MICROSECONDS) => (false, 1000),
                (MAGIC_NANOSECONDS, _) => (true, 1),
                (_, MAGIC_NANOSECONDS) => (false, 1),
                _ => return Err(Error::Unsupported { magic }),
            };
        let place = Place { offset: 0, frames: 0 };
        if !input.fill(FILE_HEADER).map_err(|error| place.failed(error))? {
            return Err(Error::Truncated(place));
        }
        let mut format = Self { big_endian, nanoseconds_per_unit, link: LinkType::Other(0) };
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
        if !input.fill(PACKET_HEADER).map_err(|error| place.failed(error))? {
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
        let length = PACKET_HEADER + captured as usize;
        if !input.fill(length).map_err(|error| place.failed(error))? {
            return Err(Error::Truncated(place));
        }
        let packet = input.consume(length);
        Ok(Some(Located {
            time: Timestamp(seconds * NANOSECONDS + fraction * self.nanoseconds_per_unit),
            interface: 0,
            link: self.link,
            data: packet.start + PACKET_HEADER..packet.end,
            wire_length,
        }))
    }

    fn word(&self, octets: &[u8], at: usize) -> u32 {
        let word = [octets[at], octets[at + 1], octets[at + 2], octets[at + 3]];
        if self.big_endian { u32::from_be_bytes(word) } else { u32::from_le_bytes(word) }
    }
}
