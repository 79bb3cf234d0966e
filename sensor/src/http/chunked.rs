//! Takes the chunked transfer coding off, octet ranges at a time (RFC 9112, section 7.1).
//!
//! It must not keep content, nor know what the message is.

use super::Anomaly;

/// Octets of one chunk's size line. Extensions are all but unused; a line without an end is an
/// attack on whoever buffers it.
const MAX_SIZE_LINE: u32 = 16 * 1024;
/// Octets of the trailer section, as much as a server takes for a head.
const MAX_TRAILER: u32 = 64 * 1024;
/// Significant digits of a chunk size: 60 bits, far beyond any body, and safe to add up.
const MAX_SIZE_DIGITS: u32 = 15;

/// Where in the coding a body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Chunked {
    /// In the digits of a chunk's size.
    Size {
        /// The size so far.
        size: u64,
        /// Digits read, leading zeros included.
        digits: u32,
    },
    /// After the digits, up to the line's end.
    Extension {
        /// The size.
        size: u64,
        /// Octets of the line so far.
        length: u32,
        /// Whether the last octet was CR.
        carriage_return: bool,
    },
    /// In a chunk's data.
    Data(u64),
    /// After a chunk's data, before its line ending.
    DataEnd {
        /// Whether CR was read.
        carriage_return: bool,
    },
    /// In the trailer section.
    Trailer {
        /// Octets of the line so far, CR not counted.
        line: u32,
        /// Octets of the section so far.
        length: u32,
        /// Whether the last octet was CR.
        carriage_return: bool,
    },
}

/// What one octet of framing led to.
pub(super) enum Turn {
    /// The body goes on in this state.
    On(Chunked),
    /// As above, with a deviation.
    Odd(Chunked, Anomaly),
    /// The last line has ended.
    End,
    /// As above, with a deviation.
    OddEnd(Anomaly),
    /// The coding is broken: nothing after this octet is certain.
    Broken(Anomaly),
}

impl Chunked {
    /// The start of a body.
    pub(super) const START: Self = Self::Size { size: 0, digits: 0 };

    /// Takes the next octet of framing; data is not given octet by octet.
    pub(super) fn turn(self, octet: u8) -> Turn {
        match self {
            Self::Size { size, digits } => in_size(size, digits, octet),
            Self::Extension { size, length, carriage_return } => {
                in_extension(size, length, carriage_return, octet)
            }
            Self::DataEnd { carriage_return } => match (octet, carriage_return) {
                (b'\r', false) => Turn::On(Self::DataEnd { carriage_return: true }),
                (b'\n', true) => Turn::On(Self::START),
                (b'\n', false) => Turn::Odd(Self::START, Anomaly::BareLf),
                _ => Turn::Broken(Anomaly::BadChunk),
            },
            Self::Trailer { line, length, carriage_return } => {
                in_trailer(line, length, carriage_return, octet)
            }
            Self::Data(_) => Turn::On(self),
        }
    }
}

fn in_size(size: u64, digits: u32, octet: u8) -> Turn {
    let digit = match octet {
        b'0'..=b'9' => octet - b'0',
        b'a'..=b'f' => octet - b'a' + 10,
        b'A'..=b'F' => octet - b'A' + 10,
        _ if digits == 0 => return Turn::Broken(Anomaly::BadChunkSize),
        b'\r' | b'\n' | b';' => {
            return in_extension(size, digits, false, octet);
        }
        // White space is allowed before an extension (RFC 9112, section 7.1.1), and harmless.
        b' ' | b'\t' => {
            let next = Chunked::Extension { size, length: digits, carriage_return: false };
            return Turn::Odd(next, Anomaly::BadChunkSize);
        }
        _ => return Turn::Broken(Anomaly::BadChunkSize),
    };
    if size >> (4 * (MAX_SIZE_DIGITS - 1)) != 0 || digits == MAX_SIZE_LINE {
        return Turn::Broken(Anomaly::BadChunkSize);
    }
    Turn::On(Chunked::Size { size: size << 4 | u64::from(digit), digits: digits + 1 })
}

fn in_extension(size: u64, length: u32, carriage_return: bool, octet: u8) -> Turn {
    if length >= MAX_SIZE_LINE {
        return Turn::Broken(Anomaly::BadChunkSize);
    }
    let next = if size == 0 {
        Chunked::Trailer { line: 0, length: 0, carriage_return: false }
    } else {
        Chunked::Data(size)
    };
    match octet {
        b'\n' if carriage_return => Turn::On(next),
        b'\n' => Turn::Odd(next, Anomaly::BareLf),
        octet => {
            let ends = octet == b'\r';
            let next = Chunked::Extension { size, length: length + 1, carriage_return: ends };
            if carriage_return {
                Turn::Odd(next, Anomaly::BareCr)
            } else if octet.is_ascii_control() && !ends && octet != b'\t' {
                Turn::Odd(next, Anomaly::BadChunkSize)
            } else {
                Turn::On(next)
            }
        }
    }
}

fn in_trailer(line: u32, length: u32, carriage_return: bool, octet: u8) -> Turn {
    if length >= MAX_TRAILER {
        return Turn::Broken(Anomaly::TrailerTooLong);
    }
    let next =
        |line, carriage_return| Chunked::Trailer { line, length: length + 1, carriage_return };
    match (octet, line, carriage_return) {
        (b'\n', 0, true) => Turn::End,
        (b'\n', 0, false) => Turn::OddEnd(Anomaly::BareLf),
        (b'\n', _, true) => Turn::On(next(0, false)),
        (b'\n', _, false) => Turn::Odd(next(0, false), Anomaly::BareLf),
        (octet, _, true) => Turn::Odd(next(line + 1, octet == b'\r'), Anomaly::BareCr),
        (b'\r', _, false) => Turn::On(next(line, true)),
        _ => Turn::On(next(line + 1, false)),
    }
}
