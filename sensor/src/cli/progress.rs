//! How far a replay is, for who waits at a terminal.
//!
//! It must not know what is read or what a record says.

use std::cell::Cell;
use std::io::{self, IsTerminal as _, Read, Write as _};
use std::time::{Duration, Instant};

/// Time between two lines: more often would only flicker.
const REFRESH: Duration = Duration::from_millis(200);

/// Goes back to the start of the terminal's line and empties it (ECMA-48, section 8.3.41).
const CLEAR: &str = "\r\x1b[K";

/// What was read and made so far, shown as it grows.
pub(super) struct Progress {
    is_shown: bool,
    started: Instant,
    shown: Cell<Instant>,
    /// Octets there are to read, where that is known.
    total: Option<u64>,
    read: Cell<u64>,
    records: Cell<u64>,
}

/// A source whose octets are counted as they are read.
pub(super) struct Counted<'a, R> {
    source: R,
    progress: &'a Progress,
}

impl Progress {
    /// Of `total` octets. It is shown when standard error is a terminal, unless the records go to
    /// one as well.
    pub(super) fn new(total: Option<u64>) -> Self {
        let is_shown = io::stderr().is_terminal() && !io::stdout().is_terminal();
        let (read, records) = (Cell::new(0), Cell::new(0));
        let started = Instant::now();
        Self { is_shown, started, shown: Cell::new(started), total, read, records }
    }

    /// Counts what is read from `source`.
    pub(super) fn count<R>(&self, source: R) -> Counted<'_, R> {
        Counted { source, progress: self }
    }

    /// Counts a record.
    pub(super) fn record(&self) {
        self.records.set(self.records.get() + 1);
    }

    /// Leaves the terminal's line empty for what is said next.
    pub(super) fn clear(&self) {
        if self.is_shown {
            put(CLEAR);
        }
    }

    fn advance(&self, octets: usize) {
        self.read.set(self.read.get() + octets as u64);
        if self.is_shown && self.shown.get().elapsed() >= REFRESH {
            self.shown.set(Instant::now());
            let (read, records) = (self.read.get(), self.records.get());
            put(&format!("{CLEAR}{}", line(read, self.total, records, self.started.elapsed())));
        }
    }
}

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.source.read(buffer)?;
        self.progress.advance(count);
        Ok(count)
    }
}

fn line(read: u64, total: Option<u64>, records: u64, elapsed: Duration) -> String {
    const MEGABYTE: u64 = 1_000_000;
    let of_total = total.map_or(String::new(), |total| format!(" of {}", total / MEGABYTE));
    let milliseconds = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX).max(1);
    let speed = read.saturating_mul(1000) / milliseconds / MEGABYTE;
    format!("{}{of_total} MB read, {records} records, {speed} MB/s", read / MEGABYTE)
}

/// Writes to the terminal, which may go away: then nobody misses anything.
fn put(text: &str) {
    io::stderr().lock().write_all(text.as_bytes()).ok();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        let check = |read, total, records, seconds, expected: &str| {
            assert_eq!(line(read, total, records, Duration::from_secs_f64(seconds)), expected);
        };
        check(0, None, 0, 0.0, "0 MB read, 0 records, 0 MB/s");
        check(150_000_000, Some(200_000_000), 7, 0.5, "150 of 200 MB read, 7 records, 300 MB/s");
        check(1_999_999, None, 1, 1.0, "1 MB read, 1 records, 1 MB/s");
        check(
            u64::MAX,
            Some(u64::MAX),
            u64::MAX,
            1e9,
            "18446744073709 of 18446744073709 MB read, 18446744073709551615 records, 18 MB/s",
        );
    }

    #[test]
    fn octets_and_records_are_counted() {
        let progress = Progress::new(None);
        let mut source = progress.count(&b"octets"[..]);
        assert_eq!(io::copy(&mut source, &mut io::sink()).unwrap(), 6);
        progress.record();
        assert_eq!((progress.read.get(), progress.records.get()), (6, 1));
    }
}
