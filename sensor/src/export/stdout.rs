//! Lines to a stream such as standard output, which may be a pipe that closes.
//!
//! It must not know what a line says.

use std::io::{self, Write};
use std::os::fd::AsFd as _;

use super::patient::{PATIENCE, Patient};
use super::sink::{LineBuffer, Sink, write_counted};

/// A sink into a stream. Once its reader is gone, lines are only counted as lost.
#[derive(Debug)]
pub struct LineSink<W> {
    stream: W,
    buffer: LineBuffer,
    lost_lines: u64,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// The last octet written ended a line, or nothing was written yet.
    Whole,
    /// A failure left half a line, which the next write ends.
    Torn,
    /// The reader is gone.
    Closed,
}

impl LineSink<Patient> {
    /// A sink into standard output.
    ///
    /// # Errors
    ///
    /// When no other descriptor of it can be had.
    pub fn stdout() -> io::Result<Self> {
        let stream = io::stdout().as_fd().try_clone_to_owned()?;
        Ok(Self::new(Patient::new(stream, PATIENCE)))
    }
}

impl<W: Write> LineSink<W> {
    /// A sink into `stream`.
    #[must_use]
    pub fn new(stream: W) -> Self {
        Self { stream, buffer: LineBuffer::default(), lost_lines: 0, state: State::Whole }
    }

    fn write_buffer(&mut self) -> io::Result<()> {
        if self.state == State::Torn {
            self.stream.write_all(b"\n")?;
            self.state = State::Whole;
        }
        let (written, result) = write_counted(&mut self.stream, &self.buffer.octets);
        let whole = written == 0 || self.buffer.octets[written - 1] == b'\n';
        self.state = if whole { State::Whole } else { State::Torn };
        result.and_then(|()| self.stream.flush())
    }
}

impl<W: Write> Sink for LineSink<W> {
    fn write_lines(&mut self, lines: &[u8], count: u64) -> io::Result<()> {
        if self.state == State::Closed {
            self.lost_lines += count;
            return Ok(());
        }
        self.buffer.extend(lines, count);
        if self.buffer.is_full() { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.buffer.lines == 0 {
            return Ok(());
        }
        let result = self.write_buffer();
        let lines = self.buffer.clear();
        if let Err(error) = &result {
            self.lost_lines += lines;
            if error.kind() == io::ErrorKind::BrokenPipe {
                self.state = State::Closed;
            }
        }
        result
    }

    fn lost_lines(&self) -> u64 {
        self.lost_lines
    }
}

#[cfg(test)]
mod tests {
    use super::super::sink::BUFFER_BYTES;
    use super::*;

    /// Takes so many octets and then fails, until it is given room again.
    struct Bounded {
        taken: Vec<u8>,
        room: usize,
        failure: io::ErrorKind,
    }

    impl Write for Bounded {
        fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
            let count = octets.len().min(self.room);
            self.room -= count;
            self.taken.extend_from_slice(&octets[..count]);
            if count == 0 { Err(self.failure.into()) } else { Ok(count) }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn sink(room: usize, failure: io::ErrorKind) -> LineSink<Bounded> {
        LineSink::new(Bounded { taken: Vec::new(), room, failure })
    }

    #[test]
    fn lines_are_held_back_until_flushed() {
        let mut sink = sink(100, io::ErrorKind::StorageFull);
        sink.write_lines(b"one\n", 1).unwrap();
        sink.write_lines(b"two\n", 1).unwrap();
        assert_eq!(sink.stream.taken, b"");
        sink.flush().unwrap();
        assert_eq!(sink.stream.taken, b"one\ntwo\n");
    }

    #[test]
    fn a_full_buffer_is_written() {
        let mut sink = sink(usize::MAX, io::ErrorKind::StorageFull);
        sink.write_lines(&vec![b'\n'; BUFFER_BYTES], BUFFER_BYTES as u64).unwrap();
        assert_eq!(sink.stream.taken.len(), BUFFER_BYTES);
    }

    #[test]
    fn a_failure_is_counted_and_its_half_line_ended() {
        let mut sink = sink(6, io::ErrorKind::StorageFull);
        sink.write_lines(b"one\n", 1).unwrap();
        sink.write_lines(b"two\n", 1).unwrap();
        assert_eq!(sink.flush().unwrap_err().kind(), io::ErrorKind::StorageFull);
        assert_eq!(sink.lost_lines(), 2);
        sink.stream.room = 100;
        sink.write_lines(b"three\n", 1).unwrap();
        sink.flush().unwrap();
        assert_eq!(sink.stream.taken, b"one\ntw\nthree\n");
        assert_eq!(sink.lost_lines(), 2);
    }

    #[test]
    fn a_reader_that_left_is_told_once() {
        let mut sink = sink(0, io::ErrorKind::BrokenPipe);
        sink.write_lines(b"one\n", 1).unwrap();
        assert_eq!(sink.flush().unwrap_err().kind(), io::ErrorKind::BrokenPipe);
        sink.stream.room = 100;
        sink.write_lines(b"two\n", 1).unwrap();
        sink.flush().unwrap();
        assert_eq!((sink.stream.taken.len(), sink.lost_lines()), (0, 2));
    }
}
