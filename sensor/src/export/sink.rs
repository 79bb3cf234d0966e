//! What every sink of lines has in common: the interface, and the octets it holds back.
//!
//! It must not know what a line says.

use std::io;

/// Octets that are held back to be written at once. At this size the cost of the system call is
/// spread over some fifty records, and a crash loses no more than those.
pub(super) const BUFFER_BYTES: usize = 64 << 10;

/// Where lines go. Lines may be held back until [`flush`](Sink::flush).
///
/// An error never ends a sink: it goes on trying with the next line.
pub trait Sink {
    /// Takes whole lines, each with its line ending: `count` of them.
    ///
    /// # Errors
    ///
    /// When lines held back could not be written; [`lost_lines`](Sink::lost_lines) counts them.
    fn write_lines(&mut self, lines: &[u8], count: u64) -> io::Result<()>;

    /// Writes what was held back.
    ///
    /// # Errors
    ///
    /// When it could not be written; [`lost_lines`](Sink::lost_lines) counts it.
    fn flush(&mut self) -> io::Result<()>;

    /// Writes what was held back, and opens anew what another program may have moved away.
    ///
    /// # Errors
    ///
    /// When either fails; the next line tries again.
    fn reopen(&mut self) -> io::Result<()> {
        self.flush()
    }

    /// Lines that were taken and could not be written, since the start.
    fn lost_lines(&self) -> u64;
}

/// Whole lines that wait to be written together.
#[derive(Debug, Default)]
pub(super) struct LineBuffer {
    pub(super) octets: Vec<u8>,
    pub(super) lines: u64,
}

impl LineBuffer {
    /// Takes whole lines, each with its ending: `count` of them.
    pub(super) fn extend(&mut self, lines: &[u8], count: u64) {
        self.octets.extend_from_slice(lines);
        self.lines += count;
    }

    pub(super) fn is_full(&self) -> bool {
        self.octets.len() >= BUFFER_BYTES
    }

    /// Empties the buffer and says how many lines were in it.
    pub(super) fn clear(&mut self) -> u64 {
        self.octets.clear();
        std::mem::take(&mut self.lines)
    }
}

/// Writes `octets` and says how many were written, also when it failed on the way.
pub(super) fn write_counted(writer: &mut impl io::Write, octets: &[u8]) -> (usize, io::Result<()>) {
    let mut written = 0;
    while written < octets.len() {
        match writer.write(&octets[written..]) {
            Ok(0) => return (written, Err(io::ErrorKind::WriteZero.into())),
            Ok(count) => written += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return (written, Err(error)),
        }
    }
    (written, Ok(()))
}
