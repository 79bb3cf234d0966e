//! Reads pcapng: sections of blocks, with interfaces that each have a link type and a clock.
//!
//! Format: <https://www.ietf.org/archive/id/draft-ietf-opsawg-pcapng-02.html>. It must not know
//! the other format.

use std::io::Read;

use super::input::Input;
use super::{Damage, Error, LinkType, Located, MAX_FRAME, Place, Timestamp};

/// First octets of a section header block, the same in either byte order.
pub(super) const SECTION_HEADER: [u8; 4] = [0x0a, 0x0d, 0x0d, 0x0a];

const BYTE_ORDER_MAGIC: u32 = 0x1a2b_3c4d;
/// Type, length, and the length once more at the end.
const BLOCK_FRAME: usize = 12;
/// Largest block looked into: a frame of the largest size with room for its options. Blocks of
/// other types are skipped without being held, however long.
const MAX_BLOCK: usize = MAX_FRAME as usize + 64 * 1024;
/// Interfaces of one file that are described by this reader; more are damage, not a capture.
const MAX_INTERFACES: usize = 1 << 16;
const NANOSECONDS: u128 = 1_000_000_000;

mod block {
    pub(super) const SECTION: u32 = 0x0a0d_0d0a;
    pub(super) const INTERFACE: u32 = 1;
    pub(super) const OBSOLETE_PACKET: u32 = 2;
    pub(super) const SIMPLE_PACKET: u32 = 3;
    pub(super) const ENHANCED_PACKET: u32 = 6;

    pub(super) const fn is_read(kind: u32) -> bool {
        matches!(kind, SECTION | INTERFACE | OBSOLETE_PACKET | SIMPLE_PACKET | ENHANCED_PACKET)
    }
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
}

#[derive(Clone, Copy)]
struct Section {
    big_endian: bool,
    /// Interfaces are numbered from 0 in each section; this many came in earlier ones.
    first_interface: usize,
}

#[derive(Clone, Copy)]
struct Interface {
    link: LinkType,
    snapshot_length: u32,
    units_per_second: u64,
    offset_seconds: i64,
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
    pub(super) fn next<R: Read>(
        &mut self,
        input: &mut Input<R>,
        frames: u64,
    ) -> Result<Option<Located>, Error> {
        loop {
            let place = Place { offset: input.offset(), frames };
            if !input.fill(BLOCK_FRAME).map_err(|error| place.failed(error))? {
                let clean = input.available().is_empty();
                return if clean { Ok(None) } else { Err(Error::Truncated(place)) };
            }
            let damaged = |damage| Error::Damaged(place, damage);
            if input.available()[..4] == SECTION_HEADER {
                self.open_section(input.available()).map_err(damaged)?;
            }
            let section = self.section.ok_or(damaged(Damage::NoSection))?;
            let kind = section.word(input.available(), 0);
            let length = section.word(input.available(), 4);
            if (length as usize) < BLOCK_FRAME || !length.is_multiple_of(4) {
                return Err(damaged(Damage::BlockLength(length)));
            }
            if !block::is_read(kind) {
                if !input.skip(length as usize).map_err(|error| place.failed(error))? {
                    return Err(Error::Truncated(place));
                }
                continue;
            }
            if length as usize > MAX_BLOCK {
                return Err(damaged(Damage::BlockLength(length)));
            }
            if !input.fill(length as usize).map_err(|error| place.failed(error))? {
                return Err(Error::Truncated(place));
            }
            let whole = input.consume(length as usize);
            let trailer = section.word(input.slice(whole.clone()), length as usize - 4);
            if trailer != length {
                return Err(damaged(Damage::BlockTrailer(trailer)));
            }
            let body = whole.start + 8..whole.end - 4;
            if let Some(mut located) =
                self.block(kind, input.slice(body.clone()), section).map_err(damaged)?
            {
                located.data = body.start + located.data.start..body.start + located.data.end;
                return Ok(Some(located));
            }
        }
    }

    fn open_section(&mut self, block: &[u8]) -> Result<(), Damage> {
        let magic = [block[8], block[9], block[10], block[11]];
        let big_endian = match (u32::from_be_bytes(magic), u32::from_le_bytes(magic)) {
            (BYTE_ORDER_MAGIC, _) => true,
            (_, BYTE_ORDER_MAGIC) => false,
            _ => return Err(Damage::ByteOrder),
        };
        self.section = Some(Section { big_endian, first_interface: self.interfaces.len() });
        Ok(())
    }

    fn block(
        &mut self,
        kind: u32,
        body: &[u8],
        section: Section,
    ) -> Result<Option<Located>, Damage> {
        match kind {
            block::INTERFACE => {
                let interface = section.interface(body).ok_or(Damage::ShortBlock)?;
                if self.interfaces.len() == MAX_INTERFACES {
                    return Err(Damage::TooManyInterfaces);
                }
                self.interfaces.push(interface);
                Ok(None)
            }
            block::SECTION => Ok(None),
            _ => self.packet(kind, body, section).map(Some),
        }
    }

    fn packet(&self, kind: u32, body: &[u8], section: Section) -> Result<Located, Damage> {
        let packet = section.packet(kind, body).ok_or(Damage::ShortBlock)?;
        let index = section.first_interface + packet.interface as usize;
        let interface = self.interfaces.get(index).ok_or(Damage::Interface(packet.interface))?;
        let captured = match (kind, interface.snapshot_length) {
            (block::SIMPLE_PACKET, limit) if limit > 0 => packet.captured.min(limit),
            _ => packet.captured,
        };
        let end = packet.data_at + captured as usize;
        if captured > MAX_FRAME || end > body.len() {
            return Err(Damage::FrameLength(captured));
        }
        Ok(Located {
            time: packet.ticks.map_or(Timestamp::default(), |ticks| interface.time(ticks)),
            interface: u32::try_from(index).unwrap_or(u32::MAX),
            link: interface.link,
            data: packet.data_at..end,
            wire_length: packet.wire_length,
        })
    }
}

impl Section {
    fn half(self, octets: &[u8], at: usize) -> u16 {
        let half = [octets[at], octets[at + 1]];
        if self.big_endian { u16::from_be_bytes(half) } else { u16::from_le_bytes(half) }
    }

    fn word(self, octets: &[u8], at: usize) -> u32 {
        let word = [octets[at], octets[at + 1], octets[at + 2], octets[at + 3]];
        if self.big_endian { u32::from_be_bytes(word) } else { u32::from_le_bytes(word) }
    }

    fn ticks(self, octets: &[u8], at: usize) -> u64 {
        u64::from(self.word(octets, at)) << 32 | u64::from(self.word(octets, at + 4))
    }

    /// `None` when the body is shorter than its fixed part.
    fn packet(self, kind: u32, body: &[u8]) -> Option<Packet> {
        let fixed = if kind == block::SIMPLE_PACKET { 4 } else { 20 };
        if body.len() < fixed {
            return None;
        }
        Some(match kind {
            block::SIMPLE_PACKET => {
                let wire_length = self.word(body, 0);
                let present = u32::try_from(body.len() - fixed).unwrap_or(u32::MAX);
                let captured = wire_length.min(present);
                Packet { interface: 0, ticks: None, captured, wire_length, data_at: fixed }
            }
            _ => Packet {
                interface: match kind {
                    block::OBSOLETE_PACKET => u32::from(self.half(body, 0)),
                    _ => self.word(body, 0),
                },
                ticks: Some(self.ticks(body, 4)),
                captured: self.word(body, 12),
                wire_length: self.word(body, 16),
                data_at: fixed,
            },
        })
    }

    /// `None` when the body is shorter than its fixed part.
    fn interface(self, body: &[u8]) -> Option<Interface> {
        const FIXED: usize = 8;
        const MICROSECONDS: u64 = 1_000_000;
        let options = body.get(FIXED..)?;
        let mut interface = Interface {
            link: LinkType::from_number(self.half(body, 0)),
            snapshot_length: self.word(body, 4),
            units_per_second: MICROSECONDS,
            offset_seconds: 0,
        };
        for (code, value) in self.options(options) {
            match (code, value) {
                (option::TIMESTAMP_RESOLUTION, [exponent, ..]) => {
                    interface.units_per_second = resolution(*exponent);
                }
                (option::TIMESTAMP_OFFSET, value) if value.len() >= 8 => {
                    let (high, low) = if self.big_endian { (0, 4) } else { (4, 0) };
                    let seconds =
                        u64::from(self.word(value, high)) << 32 | u64::from(self.word(value, low));
                    interface.offset_seconds = seconds.cast_signed();
                }
                _ => {}
            }
        }
        Some(interface)
    }

    /// Options as (code, value), up to the end mark or to one that does not fit.
    fn options(self, mut octets: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
        std::iter::from_fn(move || {
            if octets.len() < 4 {
                return None;
            }
            let code = self.half(octets, 0);
            let length = usize::from(self.half(octets, 2));
            let value = octets.get(4..4 + length)?;
            octets = octets.get(4 + length.next_multiple_of(4)..).unwrap_or_default();
            (code != option::END).then_some((code, value))
        })
    }
}

impl Interface {
    fn time(self, ticks: u64) -> Timestamp {
        let nanoseconds = u128::from(ticks) * NANOSECONDS / u128::from(self.units_per_second);
        let offset = i128::from(self.offset_seconds) * NANOSECONDS.cast_signed();
        let nanoseconds = nanoseconds.cast_signed().saturating_add(offset).max(0);
        Timestamp(u64::try_from(nanoseconds).unwrap_or(u64::MAX))
    }
}

/// Ticks a second: a negative power of ten, or of two when the top bit is set. A resolution finer
/// than 64 bits can count makes every tick the same instant.
fn resolution(exponent: u8) -> u64 {
    let base: u64 = if exponent & 0x80 == 0 { 10 } else { 2 };
    base.checked_pow(u32::from(exponent & 0x7f)).unwrap_or(u64::MAX)
}
