//! The thread that writes lines, so that a slow disk holds up nothing else.
//!
//! It must not know what a line says.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use crate::config::Output;
use crate::export::{FileSink, LineSink, Sink};

/// Lines that may wait: a second of a busy host.
const WAITING_LINES: usize = 8192;

/// Octets in waiting lines: a record has 2 KiB, and a hostile one fifty times that.
const WAITING_OCTETS: usize = 16 << 20;

/// How long a line may be held back before it is written for others to read.
const FLUSH_INTERVAL: Duration = Duration::from_millis(200);

/// Time between two complaints about the same sink.
const COMPLAINT_INTERVAL: Duration = Duration::from_secs(10);

/// The end that takes lines. Clones share the queue.
#[derive(Clone)]
pub(super) struct Lines {
    queue: SyncSender<Item>,
    figures: Arc<WriterFigures>,
}

/// What waits for the writer.
enum Item {
    Line(Vec<u8>),
    Reopen,
}

/// What became of lines.
#[derive(Debug, Default)]
pub(super) struct WriterFigures {
    behind: AtomicU64,
    waiting_octets: AtomicUsize,
    written: Mutex<BTreeMap<&'static str, SinkFigures>>,
}

#[derive(Debug, Clone, Copy, Default)]
pub(super) struct SinkFigures {
    pub(super) taken: u64,
    pub(super) lost: u64,
}

struct Target {
    name: &'static str,
    sink: Box<dyn Sink + Send>,
    taken: u64,
    complained: Option<Instant>,
}

impl Lines {
    /// Passes a line on, or counts it as lost when the writer is behind.
    pub(super) fn put(&self, line: Vec<u8>) {
        let length = line.len();
        let waiting = self.figures.waiting_octets.fetch_add(length, Ordering::Relaxed);
        if waiting + length > WAITING_OCTETS || self.queue.try_send(Item::Line(line)).is_err() {
            self.figures.waiting_octets.fetch_sub(length, Ordering::Relaxed);
            self.figures.behind.fetch_add(1, Ordering::Relaxed);
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

impl WriterFigures {
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
        targets.push(Target::new("file", Box::new(FileSink::open(&output.file)?)));
    }
    if output.stdout {
        targets.push(Target::new("stdout", Box::new(LineSink::stdout())));
    }
    let (queue, waiting) = sync_channel(WAITING_LINES);
    let figures = Arc::new(WriterFigures::default());
    let shared = Arc::clone(&figures);
    let thread = thread::Builder::new()
        .name(String::from("writer"))
        .spawn(move || write(&waiting, &mut targets, &shared))
        .context("cannot start the writer thread")?;
    Ok((Lines { queue, figures }, thread))
}

fn write(waiting: &Receiver<Item>, targets: &mut [Target], figures: &WriterFigures) {
    loop {
        let ended = match waiting.recv_timeout(FLUSH_INTERVAL) {
            Ok(first) => {
                for item in std::iter::once(first).chain(waiting.try_iter().take(WAITING_LINES)) {
                    handle(&item, targets, figures);
                }
                false
            }
            Err(RecvTimeoutError::Timeout) => false,
            Err(RecvTimeoutError::Disconnected) => true,
        };
        targets.iter_mut().for_each(Target::flush);
        let mut written = figures.written.lock().unwrap_or_else(PoisonError::into_inner);
        for target in targets.iter() {
            let figures = SinkFigures { taken: target.taken, lost: target.sink.lost_lines() };
            written.insert(target.name, figures);
        }
        if ended {
            return;
        }
    }
}

fn handle(item: &Item, targets: &mut [Target], figures: &WriterFigures) {
    match item {
        Item::Line(line) => {
            figures.waiting_octets.fetch_sub(line.len(), Ordering::Relaxed);
            targets.iter_mut().for_each(|target| target.take(line));
        }
        Item::Reopen => targets.iter_mut().for_each(Target::reopen),
    }
}

impl Target {
    fn new(name: &'static str, sink: Box<dyn Sink + Send>) -> Self {
        Self { name, sink, taken: 0, complained: None }
    }

    fn take(&mut self, line: &[u8]) {
        self.taken += 1;
        let outcome = self.sink.write_line(line);
        self.complain(outcome);
    }

    fn flush(&mut self) {
        let outcome = self.sink.flush();
        self.complain(outcome);
    }

    fn reopen(&mut self) {
        let outcome = self.sink.reopen();
        self.complain(outcome);
    }

    fn complain(&mut self, outcome: std::io::Result<()>) {
        let Err(error) = outcome else { return };
        if self.complained.is_none_or(|last| last.elapsed() >= COMPLAINT_INTERVAL) {
            tracing::error!(
                sink = self.name, %error, lost = self.sink.lost_lines(), "cannot write records"
            );
            self.complained = Some(Instant::now());
        }
    }
}
