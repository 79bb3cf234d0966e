//! Reads pcapng: sections of blocks, with interfaces that each have a link type and a clock.
//!
//! Format: <https://www.ietf.org/archive/id/draft-ietf-opsawg-pcapng-02.html>. It must not know
//! the other format.

use std::io::Read;

use super::input::Input;
use super::order::Order;
use super::{Damage, Error, Frame, LinkType, MAX_FRAME, Place, Timestamp};

/// First octets of a section header block, the same in either byte order.
pub(super) const SECTION_HEADER: [u8; 4] = [0x0a, 0x0d, 0x0d, 0x0a];

const BYTE_ORDER_MAGIC: u32 = 0x1a2b_3c4d;
/// Octets of a block's type and length, and those with the length once more at the end.
const BLOCK_HEADER: usize = 8;
const BLOCK_FRAME: usize = 12;
/// Largest block looked into: a frame of the largest size with room for its options. Blocks of
/// other types are skipped without being held, however long.
const MAX_BLOCK: usize = MAX_FRAME as usize + 64 * 1024;
/// Interfaces of one file that are described by this reader; more are damage, not a capture.
const MAX_INTERFACES: usize = 1 << 16;
const NANOSECONDS: u64 = 1_000_000_000;

mod block {
    pub(super) const SECTION: u32 = u32::from_be_bytes(super::SECTION_HEADER);
    pub(super) const INTERFACE: u32 = 1;
    pub(super) const OBSOLETE_PACKET: u32 = 2;
    pub(super) const SIMPLE_PACKET: u32 = 3;
    pub(super) const ENHANCED_PACKET: u32 = 6;
}

mod option {
    pub(super) const END: u16 = 0;
    pub(super) const TIMESTAMP_RESOLUTION: u16 = 9;
    pub(super) const TIMESTAMP_OFFSET: u16 = 14;
}

/// What the blocks so far said.
#[derive(Default)]
pub(super) struct NextGeneration {
    section: Option<Section>,
    interfaces: Vec<Interface>,
    /// Time of the last packet that had one.
    clock: Timestamp,
    untimed: u64,
}

#[derive(Clone, Copy)]
struct Section {
    order: Order,
    /// Interfaces are numbered from 0 in each section; this many came in earlier ones.
    first_interface: usize,
}

#[derive(Clone, Copy)]
struct Interface {
    link: LinkType,
    snapshot_length: u32,
    tick: Tick,
    offset_seconds: i64,
}

/// The unit of an interface's clock.
#[derive(Clone, Copy)]
enum Tick {
    Nanoseconds(u64),
    /// A part of a second that is no whole number of nanoseconds.
    Part(u64),
}

/// The fixed part of a packet block, whichever its type.
struct Packet {
    interface: u32,
    ticks: Option<u64>,
    captured: u32,
    wire_length: u32,
    /// Where in the block's body the octets start.
    data_at: usize,
}

impl NextGeneration {
    /// The next packet; `None` when the file ends between two blocks.
    pub(super) fn next<'a, R: Read>(
        &mut self,
        input: &'a mut Input<R>,
        frames: u64,
    ) -> Result<Option<Frame<'a>>, Error> {
        loop {
            let place = Place { offset: input.offset(), frames };
            let Some([kind, length, third]) = input.peek().map_err(|error| place.failed(error))?
            else {
                let clean = input.available().is_empty();
                return if clean { Ok(None) } else { Err(Error::Truncated(place)) };
            };
            let damaged = |damage| Error::Damaged(place, damage);
            if kind == SECTION_HEADER {
                self.open_section(third).map_err(damaged)?;
            }
            let section = self.section.ok_or(damaged(Damage::NoSection))?;
            let block =
                Block { kind: section.order.word(kind), length: section.order.word(length) };
            match block.kind {
                block::SECTION => {
                    section.body(block, input, place)?;
                }
                block::INTERFACE => {
                    let body = section.body(block, input, place)?;
                    self.describe(section, body).map_err(damaged)?;
                }
                block::OBSOLETE_PACKET | block::SIMPLE_PACKET | block::ENHANCED_PACKET => {
                    let body = section.body(block, input, place)?;
                    return self.packet(block.kind, body, section).map(Some).map_err(damaged);
                }
                _ => {
                    let length = block.octets().map_err(damaged)?;
                    if !input.skip(length).map_err(|error| place.failed(error))? {
                        return Err(Error::Truncated(place));
                    }
                }
            }
        }
    }

    /// Packets whose block has no time.
    pub(super) fn untimed(&self) -> u64 {
        self.untimed
    }

    fn open_section(&mut self, magic: [u8; 4]) -> Result<(), Damage> {
        let order = Order::of(BYTE_ORDER_MAGIC, magic).ok_or(Damage::ByteOrder)?;
        self.section = Some(Section { order, first_interface: self.interfaces.len() });
        Ok(())
    }

    fn describe(&mut self, section: Section, body: &[u8]) -> Result<(), Damage> {
        let interface = section.interface(body).ok_or(Damage::ShortBlock)?;
        if self.interfaces.len() == MAX_INTERFACES {
            return Err(Damage::TooManyInterfaces);
        }
        self.interfaces.push(interface);
        Ok(())
    }

    fn packet<'a>(
        &mut self,
        kind: u32,
        body: &'a [u8],
        section: Section,
    ) -> Result<Frame<'a>, Damage> {
        let packet = section.packet(kind, body).ok_or(Damage::ShortBlock)?;
        let index = section.first_interface + packet.interface as usize;
        let interface = self.interfaces.get(index).ok_or(Damage::Interface(packet.interface))?;
        let captured = match (kind, interface.snapshot_length) {
            (block::SIMPLE_PACKET, limit) if limit > 0 => packet.captured.min(limit),
            _ => packet.captured,
        };
        if captured > MAX_FRAME {
            return Err(Damage::FrameLength(captured));
        }
        let data = body.get(packet.data_at..packet.data_at + captured as usize);
        let data = data.ok_or(Damage::FrameLength(captured))?;
        match packet.ticks {
            Some(ticks) => self.clock = interface.time(ticks),
            None => self.untimed += 1,
        }
        Ok(Frame {
            time: self.clock,
            interface: u32::try_from(index).unwrap_or(u32::MAX),
            link: interface.link,
            data,
            wire_length: packet.wire_length,
        })
    }
}

/// What the start of a block says of it.
#[derive(Clone, Copy)]
struct Block {
    kind: u32,
    length: u32,
}

impl Block {
    /// Octets of the whole.
    fn octets(self) -> Result<usize, Damage> {
        let octets = self.length as usize;
        if octets < BLOCK_FRAME || !octets.is_multiple_of(4) {
            return Err(Damage::BlockLength(self.length));
        }
        Ok(octets)
    }
}

impl Section {
    /// Reads a block, of which it gives what stands between its lengths.
    fn body<R: Read>(
        self,
        block: Block,
        input: &mut Input<R>,
        place: Place,
    ) -> Result<&[u8], Error> {
        let damaged = |damage| Error::Damaged(place, damage);
        let octets = block.octets().map_err(damaged)?;
        if octets > MAX_BLOCK {
            return Err(damaged(Damage::BlockLength(block.length)));
        }
        if !input.fill(octets).map_err(|error| place.failed(error))? {
            return Err(Error::Truncated(place));
        }
        let (start, trailer) = input.consume(octets).split_at(octets - 4);
        match self.order.words(trailer) {
            Some([length]) if length != block.length => Err(damaged(Damage::BlockTrailer(length))),
            _ => Ok(&start[BLOCK_HEADER..]),
        }
    }

    /// `None` when the body is shorter than its fixed part.
    fn packet(self, kind: u32, body: &[u8]) -> Option<Packet> {
        if kind == block::SIMPLE_PACKET {
            let [wire_length] = self.order.words(body)?;
            let present = u32::try_from(body.len() - 4).unwrap_or(u32::MAX);
            let captured = wire_length.min(present);
            return Some(Packet { interface: 0, ticks: None, captured, wire_length, data_at: 4 });
        }
        let [interface, high, low, captured, wire_length] = self.order.words(body)?;
        let interface = match (kind, body) {
            (block::OBSOLETE_PACKET, [a, b, ..]) => self.order.half([*a, *b]).into(),
            _ => interface,
        };
        let ticks = Some(u64::from(high) << 32 | u64::from(low));
        Some(Packet { interface, ticks, captured, wire_length, data_at: 20 })
    }

    /// `None` when the body is shorter than its fixed part.
    fn interface(self, body: &[u8]) -> Option<Interface> {
        const MICROSECOND: Tick = Tick::Nanoseconds(1000);
        let ([a, b, _, _], rest) = body.split_first_chunk()?;
        let (snapshot_length, options) = rest.split_first_chunk()?;
        let mut interface = Interface {
            link: LinkType::from_number(self.order.half([*a, *b])),
            snapshot_length: self.order.word(*snapshot_length),
            tick: MICROSECOND,
            offset_seconds: 0,
        };
        for (code, value) in self.options(options) {
            match (code, value) {
                (option::TIMESTAMP_RESOLUTION, [exponent, ..]) => {
                    interface.tick = Tick::of_resolution(*exponent);
                }
                (option::TIMESTAMP_OFFSET, value) => {
                    if let Some(seconds) = value.first_chunk() {
                        interface.offset_seconds = self.order.long(*seconds).cast_signed();
                    }
                }
                _ => {}
            }
        }
        Some(interface)
    }

    /// Options as (code, value), up to the end mark or to one that does not fit.
    fn options(self, mut octets: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
        std::iter::from_fn(move || {
            let ([a, b, c, d], rest) = octets.split_first_chunk()?;
            let code = self.order.half([*a, *b]);
            let length = usize::from(self.order.half([*c, *d]));
            let value = rest.get(..length)?;
            octets = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
            (code != option::END).then_some((code, value))
        })
    }
}

impl Interface {
    fn time(self, ticks: u64) -> Timestamp {
        let nanoseconds = match self.tick {
            Tick::Nanoseconds(tick) => u128::from(ticks) * u128::from(tick),
            Tick::Part(parts) => u128::from(ticks) * u128::from(NANOSECONDS) / u128::from(parts),
        };
        let offset = i128::from(self.offset_seconds) * i128::from(NANOSECONDS);
        let nanoseconds = nanoseconds.cast_signed().saturating_add(offset).max(0);
        Timestamp(u64::try_from(nanoseconds).unwrap_or(u64::MAX))
    }
}

impl Tick {
    /// A negative power of ten, or of two when the top bit is set. A resolution finer than 64 bits
    /// can count makes every tick the same instant.
    fn of_resolution(exponent: u8) -> Self {
        let base: u64 = if exponent & 0x80 == 0 { 10 } else { 2 };
        let parts = base.checked_pow(u32::from(exponent & 0x7f)).unwrap_or(u64::MAX);
        if NANOSECONDS.is_multiple_of(parts) {
            Self::Nanoseconds(NANOSECONDS / parts)
        } else {
            Self::Part(parts)
        }
    }
}
