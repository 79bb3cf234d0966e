//! Reads the classic format: one header, then packets, all of one link type.
//!
//! Format: <https://www.ietf.org/archive/id/draft-ietf-opsawg-pcap-04.html>. It must not know the
//! other format.

use std::io::Read;

use super::input::Input;
use super::order::Order;
use super::{Damage, Error, Frame, LinkType, MAX_FRAME, Place, Timestamp};

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
    order: Order,
    nanoseconds_per_unit: u64,
    packet_header: usize,
    link: LinkType,
}

impl Classic {
    /// Reads the file header, of which `magic` are the first octets.
    pub(super) fn open<R: Read>(magic: [u8; 4], input: &mut Input<R>) -> Result<Self, Error> {
        let kinds = [
            (MAGIC_MICROSECONDS, 1000, PACKET_HEADER),
            (MAGIC_NANOSECONDS, 1, PACKET_HEADER),
            (MAGIC_LONG_HEADERS, 1000, LONG_PACKET_HEADER),
        ];
        let kind = kinds.into_iter().find_map(|(number, nanoseconds_per_unit, packet_header)| {
            Some((Order::of(number, magic)?, nanoseconds_per_unit, packet_header))
        });
        let (order, nanoseconds_per_unit, packet_header) =
            kind.ok_or(Error::Unsupported { magic })?;
        let place = Place { offset: 0, frames: 0 };
        let header = input.peek::<{ FILE_HEADER / 4 }>().map_err(|error| place.failed(error))?;
        let [.., link] = header.ok_or(Error::Truncated(place))?;
        input.consume(FILE_HEADER);
        let link = u16::try_from(order.word(link) & LINK_TYPE).unwrap_or(u16::MAX);
        let link = LinkType::from_number(link);
        Ok(Self { order, nanoseconds_per_unit, packet_header, link })
    }

    /// The next packet; `None` when the file ends between two.
    pub(super) fn next<'a, R: Read>(
        &self,
        input: &'a mut Input<R>,
        frames: u64,
    ) -> Result<Option<Frame<'a>>, Error> {
        let place = Place { offset: input.offset(), frames };
        let Some(header) = input.peek().map_err(|error| place.failed(error))? else {
            let clean = input.available().is_empty();
            return if clean { Ok(None) } else { Err(Error::Truncated(place)) };
        };
        let [seconds, fraction, captured, wire_length] = header.map(|word| self.order.word(word));
        if captured > MAX_FRAME {
            return Err(Error::Damaged(place, Damage::FrameLength(captured)));
        }
        let length = self.packet_header + captured as usize;
        if !input.fill(length).map_err(|error| place.failed(error))? {
            return Err(Error::Truncated(place));
        }
        let time =
            u64::from(seconds) * NANOSECONDS + u64::from(fraction) * self.nanoseconds_per_unit;
        Ok(Some(Frame {
            time: Timestamp(time),
            interface: 0,
            link: self.link,
            data: &input.consume(length)[self.packet_header..],
            wire_length,
        }))
    }
}
