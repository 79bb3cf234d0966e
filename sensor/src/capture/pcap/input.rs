//! Owns the read buffer under the format readers: a window over the source that moves forward.
//!
//! It must not know any format.

use std::io::{self, ErrorKind, Read};

/// Octets asked of the source at a time: large enough that system calls do not show, small enough
/// for the second-level cache.
const CHUNK: usize = 256 * 1024;

/// A source with a window of octets that were read and not yet dropped.
pub(super) struct Input<R> {
    source: R,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    offset: u64,
}

impl<R> Input<R> {
    pub(super) fn new(source: R) -> Self {
        Self { source, buffer: vec![0; CHUNK], start: 0, end: 0, offset: 0 }
    }

    /// What was read and not consumed.
    pub(super) fn available(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// Offset in the source of the first octet of [`Input::available`].
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// Moves past `length` octets and gives them.
    pub(super) fn consume(&mut self, length: usize) -> &[u8] {
        let taken = self.start..self.start + length;
        debug_assert!(taken.end <= self.end, "only what is available can be consumed");
        self.start = taken.end;
        self.offset += length as u64;
        &self.buffer[taken]
    }
}

impl<R: Read> Input<R> {
    /// Makes at least `wanted` octets available; `false` when the source ends before that.
    pub(super) fn fill(&mut self, wanted: usize) -> io::Result<bool> {
        if self.end - self.start >= wanted { Ok(true) } else { self.refill(wanted) }
    }

    /// The next `N` words of 32 bits, which stay available; `None` when the source ends before
    /// that.
    pub(super) fn peek<const N: usize>(&mut self) -> io::Result<Option<[[u8; 4]; N]>> {
        if !self.fill(4 * N)? {
            return Ok(None);
        }
        let (words, _) = self.available().as_chunks();
        Ok(words.first_chunk().copied())
    }

    #[cold]
    fn refill(&mut self, wanted: usize) -> io::Result<bool> {
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        if self.buffer.len() < wanted {
            self.buffer.resize(wanted, 0);
        }
        while self.end < wanted {
            match self.source.read(&mut self.buffer[self.end..]) {
                Ok(0) => return Ok(false),
                Ok(count) => self.end += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    /// Drops `length` octets, reading them if need be; `false` when the source ends before that.
    pub(super) fn skip(&mut self, mut length: usize) -> io::Result<bool> {
        while length > 0 {
            let step = length.min(CHUNK);
            if !self.fill(step)? {
                return Ok(false);
            }
            self.consume(step);
            length -= step;
        }
        Ok(true)
    }
}
