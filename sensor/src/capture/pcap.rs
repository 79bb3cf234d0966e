//! Reads capture files, pcap and pcapng, plain or by gzip, one frame at a time from any byte
//! source.
//!
//! It must not know what the frames hold.

mod classic;
mod foreign;
mod input;
mod next_generation;
mod order;
mod source;

use std::fmt;
use std::io::{self, Read};

use super::Timestamp;
use classic::Classic;
use input::Input;
use next_generation::NextGeneration;
use source::Source;

pub use super::decode::LinkType;

/// Largest frame taken: tcpdump's own limit on a snapshot (`MAXIMUM_SNAPLEN`), four times over for
/// jumbo offload. A file that claims more is damaged, and memory must not follow its claim.
const MAX_FRAME: u32 = 1 << 20;

/// One frame as it stands in a capture file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    /// When it was captured; where the file does not say, when the last one was of which it does,
    /// and the epoch before any.
    pub time: Timestamp,
    /// Index of the interface, counted over the whole file; 0 in a classic file.
    pub interface: u32,
    /// What its first header is.
    pub link: LinkType,
    /// The octets that were kept.
    pub data: &'a [u8],
    /// Octets on the wire.
    pub wire_length: u32,
}

/// Why reading stopped before the end of a capture.
#[derive(Debug)]
pub enum Error {
    /// The byte source failed.
    Read(io::Error),
    /// The first four octets are those of no capture format this reader knows.
    Unsupported {
        /// The octets found.
        magic: [u8; 4],
    },
    /// The file ends inside a header, block or packet.
    Truncated(Place),
    /// A length or a reference contradicts the format.
    Damaged(Place, Damage),
}

/// Where in the file an error is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Offset of the header or block in question, in octets (after decompression).
    pub offset: u64,
    /// Frames read before it.
    pub frames: u64,
}

/// What is wrong with a damaged file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Damage {
    /// A packet claims more octets than any capture holds.
    FrameLength(u32),
    /// A block's length is no multiple of four, too small, or beyond any sense.
    BlockLength(u32),
    /// A block is shorter than the fixed part of its type.
    ShortBlock,
    /// More interfaces are described than any capture has.
    TooManyInterfaces,
    /// The length at a block's end is not the one at its start.
    BlockTrailer(u32),
    /// A section header has no valid byte-order magic.
    ByteOrder,
    /// A packet names an interface that was not described.
    Interface(u32),
    /// A packet block stands before any section header.
    NoSection,
}

/// A capture being read.
pub struct Reader<R> {
    input: Input<Source<R>>,
    format: Format,
    frames: u64,
}

enum Format {
    Classic(Classic),
    NextGeneration(NextGeneration),
}

impl<R: Read> Reader<R> {
    /// Reads the file header.
    ///
    /// # Errors
    ///
    /// When the source fails, is too short, or holds no known format.
    pub fn new(source: R) -> Result<Self, Error> {
        let start = Place { offset: 0, frames: 0 };
        let source = Source::open(source).map_err(Error::Read)?;
        let mut input = Input::new(source);
        let magic = input.peek().map_err(|error| start.failed(error))?;
        let [magic] = magic.ok_or(Error::Truncated(start))?;
        let format = if magic == next_generation::SECTION_HEADER {
            Format::NextGeneration(NextGeneration::default())
        } else {
            Format::Classic(Classic::open(magic, &mut input)?)
        };
        Ok(Self { input, format, frames: 0 })
    }

    /// The next frame; `None` at the end of the capture.
    ///
    /// # Errors
    ///
    /// When the source fails or the file is cut or damaged; frames before that were all returned.
    pub fn next_frame(&mut self) -> Result<Option<Frame<'_>>, Error> {
        let frame = match &mut self.format {
            Format::Classic(format) => format.next(&mut self.input, self.frames),
            Format::NextGeneration(format) => format.next(&mut self.input, self.frames),
        }?;
        self.frames += u64::from(frame.is_some());
        Ok(frame)
    }

    /// Frames returned so far.
    #[must_use]
    pub fn frames(&self) -> u64 {
        self.frames
    }

    /// Frames returned so far of which the file does not say when they were captured: those of
    /// Simple Packet Blocks.
    #[must_use]
    pub fn untimed(&self) -> u64 {
        match &self.format {
            Format::Classic(_) => 0,
            Format::NextGeneration(format) => format.untimed(),
        }
    }

    /// Octets taken so far, after decompression.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.input.offset()
    }
}

impl Place {
    /// The error for a source that failed here.
    fn failed(self, error: io::Error) -> Error {
        if source::is_cut(&error) { Error::Truncated(self) } else { Error::Read(error) }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read(error) => write!(formatter, "reading failed: {error}"),
            Self::Unsupported { magic } => foreign::describe(*magic, formatter),
            Self::Truncated(place) => write!(formatter, "the file ends early, {place}"),
            Self::Damaged(place, damage) => write!(formatter, "{damage}, {place}"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Read(error) => Some(error),
            Self::Unsupported { .. } | Self::Truncated(_) | Self::Damaged(..) => None,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "at octet {}, after {} packets", self.offset, self.frames)
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FrameLength(length) => write!(formatter, "a packet claims {length} octets"),
            Self::BlockLength(length) => write!(formatter, "a block claims {length} octets"),
            Self::BlockTrailer(length) => {
                write!(formatter, "a block closes with another length, {length}")
            }
            Self::ShortBlock => write!(formatter, "a block is shorter than its fixed part"),
            Self::TooManyInterfaces => write!(formatter, "too many interfaces are described"),
            Self::ByteOrder => write!(formatter, "a section header has no byte order"),
            Self::Interface(index) => {
                write!(formatter, "a packet names interface {index}, which was not described")
            }
            Self::NoSection => write!(formatter, "a block stands before any section header"),
        }
    }
}

#[cfg(test)]
mod tests;
