//! One of the sinks that the writer writes to: what became of its lines, and what is said of that.
//!
//! It must not know what a line says.

use std::io;
use std::time::{Duration, Instant};

use crate::export::Sink;

/// Time between two complaints about the same sink, and without a failure until it is said to be
/// well: on a disk that is nearly full every other batch may find room.
const COMPLAINT_INTERVAL: Duration = Duration::from_secs(10);

/// A sink with its figures.
pub(super) struct Target {
    pub(super) name: &'static str,
    /// What it writes to, as its users know it.
    place: String,
    /// What helps where it cannot be written to.
    remedy: &'static str,
    sink: Box<dyn Sink + Send>,
    taken: u64,
    failing: bool,
    complained: Option<Instant>,
    trouble: Option<Trouble>,
    /// Lines whose loss was told when their trouble was over.
    told: u64,
}

#[derive(Debug, Clone, Copy, Default)]
pub(super) struct SinkFigures {
    pub(super) taken: u64,
    pub(super) lost: u64,
    /// Whether the last write failed.
    pub(super) failing: bool,
}

/// A failure that is not known to be over.
struct Trouble {
    last: Instant,
    /// Lines that were lost up to it, since the start.
    lost: u64,
}

impl Target {
    pub(super) fn new(
        name: &'static str,
        place: String,
        remedy: &'static str,
        sink: Box<dyn Sink + Send>,
    ) -> Self {
        Self {
            name,
            place,
            remedy,
            sink,
            taken: 0,
            failing: false,
            complained: None,
            trouble: None,
            told: 0,
        }
    }

    /// Takes whole lines, each with its ending: `count` of them.
    pub(super) fn take(&mut self, lines: &[u8], count: u64) {
        self.taken += count;
        let outcome = self.sink.write_lines(lines, count);
        self.failing = false;
        self.note(outcome);
    }

    /// Writes what was held back.
    pub(super) fn flush(&mut self) {
        let outcome = self.sink.flush();
        self.note(outcome);
        self.look(COMPLAINT_INTERVAL);
    }

    /// Opens anew what another program may have moved away.
    pub(super) fn reopen(&mut self) {
        let outcome = self.sink.reopen();
        self.note(outcome);
    }

    /// Says at the end what was lost and not told.
    pub(super) fn finish(&mut self) {
        self.look(Duration::ZERO);
        if self.trouble.is_some() {
            tracing::error!(
                sink = self.name,
                path = self.place,
                lost = self.lost(),
                "the agent ends while records cannot be written"
            );
        }
    }

    pub(super) fn figures(&self) -> SinkFigures {
        let Self { taken, failing, .. } = *self;
        SinkFigures { taken, lost: self.sink.lost_lines(), failing }
    }

    /// Lines lost in the trouble that is not over.
    fn lost(&self) -> u64 {
        self.sink.lost_lines().saturating_sub(self.told)
    }

    fn note(&mut self, outcome: io::Result<()>) {
        let Err(error) = outcome else { return };
        self.failing = true;
        self.trouble = Some(Trouble { last: Instant::now(), lost: self.sink.lost_lines() });
        if self.complained.is_none_or(|last| last.elapsed() >= COMPLAINT_INTERVAL) {
            tracing::error!(
                sink = self.name, path = self.place, %error, lost = self.lost(),
                "cannot write records: {}", self.remedy
            );
            self.complained = Some(Instant::now());
        }
    }

    /// Says that a trouble is over, where there was no failure for so long. A stream whose reader
    /// is gone fails no more, and goes on losing lines.
    fn look(&mut self, calm: Duration) {
        let Some(Trouble { last, lost }) = self.trouble else { return };
        if self.failing || last.elapsed() < calm || lost != self.sink.lost_lines() {
            return;
        }
        tracing::info!(
            sink = self.name,
            path = self.place,
            lost = self.lost(),
            "records are written again"
        );
        self.told = lost;
        self.trouble = None;
    }
}
