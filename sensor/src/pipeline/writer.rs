//! The thread that writes lines, so that a slow disk holds up nothing else.
//!
//! It must not know what a line says.

use std::collections::BTreeMap;
use std::mem;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use super::target::{SinkFigures, Target};
use crate::config::Output;
use crate::export::{FileSink, LineSink};

/// Batches that may wait; octets bound them sooner, unless each has a line or two.
const WAITING_BATCHES: usize = 8192;

/// Octets in waiting lines: a record has 2 KiB, and a hostile one fifty times that.
const WAITING_OCTETS: usize = 16 << 20;

/// Octets of lines that go to the writer together, some hundred and fifty records: waking it costs
/// more than making a record does, and it may keep others from their processor.
const BATCH_OCTETS: usize = 256 << 10;

/// Batches whose memory is kept for others, where several shards fill some and one is written.
/// Without, each would have the kernel clear pages that the last one gave back.
const SPARE_BATCHES: usize = 4;

/// How long a line may be held back before it is written for others to read.
const FLUSH_INTERVAL: Duration = Duration::from_millis(200);

/// How long the writer may be at one batch before it is taken to be held up.
const HELD_UP: Duration = Duration::from_secs(10);

/// The end that takes lines. Clones share the queue.
#[derive(Clone)]
pub(super) struct Lines {
    queue: SyncSender<Item>,
    figures: Arc<WriterFigures>,
    spares: Arc<Spares>,
    batch: Batch,
}

/// Memory of batches that were written.
#[derive(Default)]
struct Spares(Mutex<Vec<Vec<u8>>>);

/// Lines, each with its ending, in one piece of memory.
#[derive(Clone, Default)]
struct Batch {
    octets: Vec<u8>,
    lines: u64,
}

/// What waits for the writer.
enum Item {
    Batch(Batch),
    Reopen,
}

/// What became of lines.
#[derive(Debug)]
pub(super) struct WriterFigures {
    behind: AtomicU64,
    waiting_octets: AtomicUsize,
    /// When the writer last came round: it may be held up by a disk that hangs.
    came_round: Mutex<Instant>,
    written: Mutex<BTreeMap<&'static str, SinkFigures>>,
}

impl Lines {
    /// Takes a line, without its ending. It waits for [`Lines::flush`] or for a batch to be full.
    pub(super) fn put(&mut self, line: &[u8]) {
        self.batch.octets.extend_from_slice(line);
        self.batch.octets.push(b'\n');
        self.batch.lines += 1;
        if self.batch.octets.len() >= BATCH_OCTETS {
            self.flush();
        }
    }

    /// Passes lines on, or counts them as lost when the writer is behind.
    pub(super) fn flush(&mut self) {
        let Batch { octets, lines } = &self.batch;
        let (length, lines) = (octets.len(), *lines);
        if lines == 0 {
            return;
        }
        let next = Batch { octets: self.spares.take(), lines: 0 };
        let batch = Item::Batch(mem::replace(&mut self.batch, next));
        let waiting = self.figures.waiting_octets.fetch_add(length, Ordering::Relaxed);
        if waiting + length > WAITING_OCTETS || self.queue.try_send(batch).is_err() {
            self.figures.waiting_octets.fetch_sub(length, Ordering::Relaxed);
            self.figures.behind.fetch_add(lines, Ordering::Relaxed);
        }
    }

    /// Has files opened anew, for when another program has moved them away.
    pub(super) fn reopen(&self) {
        if self.queue.try_send(Item::Reopen).is_err() {
            tracing::warn!("the writer is behind; files are not opened anew");
        }
    }

    pub(super) fn figures(&self) -> Arc<WriterFigures> {
        Arc::clone(&self.figures)
    }
}

impl Spares {
    fn take(&self) -> Vec<u8> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default()
    }

    fn give(&self, mut octets: Vec<u8>) {
        let mut spares = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if spares.len() < SPARE_BATCHES {
            octets.clear();
            spares.push(octets);
        }
    }
}

impl Default for WriterFigures {
    fn default() -> Self {
        Self {
            behind: AtomicU64::new(0),
            waiting_octets: AtomicUsize::new(0),
            came_round: Mutex::new(Instant::now()),
            written: Mutex::default(),
        }
    }
}

impl WriterFigures {
    /// Whether the writer has been at one batch for so long that its disk must hang.
    pub(super) fn is_held_up(&self) -> bool {
        self.came_round.lock().unwrap_or_else(PoisonError::into_inner).elapsed() >= HELD_UP
    }

    fn come_round(&self) {
        *self.came_round.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    /// Octets of lines that wait to be written.
    pub(super) fn waiting_octets(&self) -> usize {
        self.waiting_octets.load(Ordering::Relaxed)
    }

    /// Lines lost because the writer was behind.
    pub(super) fn behind(&self) -> u64 {
        self.behind.load(Ordering::Relaxed)
    }

    /// What each sink took and lost.
    pub(super) fn sinks(&self) -> BTreeMap<&'static str, SinkFigures> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Opens the configured sinks and starts the thread; it ends when every `Lines` is gone.
pub(super) fn start(output: &Output) -> Result<(Lines, JoinHandle<()>)> {
    let mut targets = Vec::new();
    if output.file.enabled {
        let remedy = "make room on its disk and let this user write to it, or name another file \
                      with output.file.path";
        let (place, sink) = (output.file.path.display(), FileSink::open(&output.file)?);
        targets.push(Target::new("file", place.to_string(), remedy, Box::new(sink)));
    }
    if output.stdout {
        let remedy = "have what reads it read on, or write none with output.stdout = false";
        let sink = LineSink::stdout().context("cannot write to standard output")?;
        let place = String::from("standard output");
        targets.push(Target::new("stdout", place, remedy, Box::new(sink)));
    }
    let (queue, waiting) = sync_channel(WAITING_BATCHES);
    let figures = Arc::new(WriterFigures::default());
    let spares = Arc::new(Spares::default());
    let shared = (Arc::clone(&figures), Arc::clone(&spares));
    let thread = thread::Builder::new()
        .name(String::from("writer"))
        .spawn(move || write(&waiting, &mut targets, &shared.0, &shared.1))
        .context("cannot start the writer thread")?;
    Ok((Lines { queue, figures, spares, batch: Batch::default() }, thread))
}

fn write(
    waiting: &Receiver<Item>,
    targets: &mut [Target],
    figures: &WriterFigures,
    spares: &Spares,
) {
    loop {
        figures.come_round();
        let ended = match waiting.recv_timeout(FLUSH_INTERVAL) {
            Ok(first) => {
                for item in std::iter::once(first).chain(waiting.try_iter().take(WAITING_BATCHES)) {
                    handle(item, targets, figures, spares);
                }
                false
            }
            Err(RecvTimeoutError::Timeout) => false,
            Err(RecvTimeoutError::Disconnected) => true,
        };
        targets.iter_mut().for_each(Target::flush);
        let mut written = figures.written.lock().unwrap_or_else(PoisonError::into_inner);
        for target in targets.iter() {
            written.insert(target.name, target.figures());
        }
        if ended {
            targets.iter_mut().for_each(Target::finish);
            return;
        }
    }
}

fn handle(item: Item, targets: &mut [Target], figures: &WriterFigures, spares: &Spares) {
    figures.come_round();
    match item {
        Item::Batch(batch) => {
            figures.waiting_octets.fetch_sub(batch.octets.len(), Ordering::Relaxed);
            targets.iter_mut().for_each(|target| target.take(&batch.octets, batch.lines));
            spares.give(batch.octets);
        }
        Item::Reopen => targets.iter_mut().for_each(Target::reopen),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(batches: usize) -> (Lines, Receiver<Item>) {
        let (queue, waiting) = sync_channel(batches);
        let figures = Arc::new(WriterFigures::default());
        (Lines { queue, figures, spares: Arc::default(), batch: Batch::default() }, waiting)
    }

    fn octets(waiting: &Receiver<Item>) -> Option<String> {
        match waiting.try_recv().ok()? {
            Item::Batch(batch) => Some(String::from_utf8(batch.octets).unwrap()),
            Item::Reopen => panic!("nobody asked for it"),
        }
    }

    #[test]
    fn lines_wait_for_a_flush_or_a_full_batch() {
        let (mut lines, waiting) = lines(2);
        lines.put(b"one");
        lines.put(b"two");
        assert_eq!(octets(&waiting), None);
        lines.flush();
        lines.flush();
        assert_eq!(octets(&waiting).as_deref(), Some("one\ntwo\n"));
        assert_eq!(octets(&waiting), None);
        lines.put(&vec![b'x'; BATCH_OCTETS]);
        assert_eq!(octets(&waiting).map(|octets| octets.len()), Some(BATCH_OCTETS + 1));
    }

    #[test]
    fn every_line_of_a_lost_batch_is_counted() {
        let (mut lines, waiting) = lines(1);
        lines.put(b"kept");
        lines.flush();
        lines.put(b"lost");
        lines.put(b"lost");
        lines.flush();
        assert_eq!(lines.figures.behind(), 2);
        assert_eq!(lines.figures.waiting_octets.load(Ordering::Relaxed), "kept\n".len());
        assert_eq!(octets(&waiting).as_deref(), Some("kept\n"));
    }
}
