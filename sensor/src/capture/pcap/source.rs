//! Owns what stands between a byte source and the format readers: gzip, where the source is so
//! compressed.
//!
//! It must not know any capture format.

use std::io::{self, Chain, Cursor, ErrorKind, Read};

use flate2::read::MultiGzDecoder;

/// First octets of a gzip member (RFC 1952, section 2.3.1).
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// A source whose first octets were looked at.
type Whole<R> = Chain<Cursor<Vec<u8>>, R>;

/// The octets of a capture file, whatever it was wrapped in.
pub(super) enum Source<R> {
    Plain(Whole<R>),
    Gzip(Box<MultiGzDecoder<Whole<R>>>),
}

impl<R: Read> Source<R> {
    /// Looks at the first octets of `source`.
    pub(super) fn open(mut source: R) -> io::Result<Self> {
        let mut start = Vec::with_capacity(GZIP.len());
        source.by_ref().take(GZIP.len() as u64).read_to_end(&mut start)?;
        let compressed = start == GZIP;
        let whole = Cursor::new(start).chain(source);
        Ok(if compressed {
            Self::Gzip(Box::new(MultiGzDecoder::new(whole)))
        } else {
            Self::Plain(whole)
        })
    }
}

impl<R: Read> Read for Source<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(source) => source.read(buffer),
            Self::Gzip(source) => source.read(buffer),
        }
    }
}

/// Whether an error says that a compressed source ends too early.
pub(super) fn is_cut(error: &io::Error) -> bool {
    error.kind() == ErrorKind::UnexpectedEof
}
