//! A stream whose reader may have stopped reading: what is written to it is waited for only so
//! long.
//!
//! It must not know what is written.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// Octets that a stream takes at once where it takes any: a pipe that has room has a page of it.
const PIECE: usize = 4096;

/// How long a reader may take to read a piece. Others wait for their lines meanwhile.
pub(super) const PATIENCE: Duration = Duration::from_secs(1);

/// A stream that refuses what its reader does not read in time. After that nothing is waited for
/// until it has read on.
#[derive(Debug)]
pub struct Patient {
    stream: File,
    patience: Duration,
    is_stalled: bool,
}

impl Patient {
    /// A writer into `stream` that waits for `patience` at most.
    #[must_use]
    pub fn new(stream: OwnedFd, patience: Duration) -> Self {
        Self { stream: stream.into(), patience, is_stalled: false }
    }

    /// Waits until the stream takes octets; whether it does.
    fn has_room(&self) -> io::Result<bool> {
        let patience = if self.is_stalled { Duration::ZERO } else { self.patience };
        let timeout = PollTimeout::try_from(patience).unwrap_or(PollTimeout::MAX);
        let mut streams = [PollFd::new(self.stream.as_fd(), PollFlags::POLLOUT)];
        // A reader that is gone makes it ready too, and the write says so.
        Ok(poll(&mut streams, timeout)? > 0)
    }
}

impl Write for Patient {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.is_stalled = !self.has_room()?;
        if self.is_stalled {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "nobody reads them"));
        }
        self.stream.write(&octets[..octets.len().min(PIECE)])
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    /// Writes until the stream refuses; how many octets it took.
    fn fill(stream: &mut Patient) -> usize {
        let octets = [b'x'; 3 * PIECE];
        let mut taken = 0;
        loop {
            match stream.write(&octets) {
                Ok(count) => taken += count,
                Err(error) => {
                    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
                    return taken;
                }
            }
        }
    }

    #[test]
    fn a_reader_that_stops_is_not_waited_for_until_it_goes_on() {
        let (mut reader, writer) = io::pipe().unwrap();
        let mut stream = Patient::new(writer.into(), Duration::from_millis(10));
        let taken = fill(&mut stream);
        assert!(taken >= PIECE && stream.is_stalled);
        assert_eq!(fill(&mut stream), 0);
        reader.read_exact(&mut vec![0; taken]).unwrap();
        assert_eq!(fill(&mut stream), taken);
        drop(reader);
        let gone = stream.write(b"x").unwrap_err();
        assert_eq!(gone.kind(), io::ErrorKind::BrokenPipe);
    }
}
