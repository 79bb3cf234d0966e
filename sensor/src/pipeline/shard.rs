//! The thread that reads a ring and runs the pure stages over what it holds.
//!
//! It must not decide: findings go to the desk.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use tokio::sync::mpsc::Sender as DeskSender;

use super::backlog::Backlog;
use super::common::Common;
use super::stages::{Basis, Company, Output, Stages};
use super::writer::Lines;
use crate::capture::ring::{Record, read};
use crate::config::Config;
use crate::detect::{Finding, OverLimit};
use crate::http::{PortFilter, Skip};
use crate::kernel::{Clock, Kernel, Ring, Skips};
use crate::record::Observer;
use crate::time::Timestamp;
use crate::webhook::Knowledge;

pub(super) use published::ShardFigures;

mod published;

/// How long records gather in the ring before they are read, unless the kernel finds before that
/// that it has filled enough. A turn costs the same for one record as for many, and the caches are
/// cold at its start; nobody reads a record sooner than its line is written, which takes longer.
const GATHER: Duration = Duration::from_millis(50);

/// Octets of the ring after which the thread gives way to others on its processor, a dozen
/// deliveries: what the host does meanwhile waits for no more than those, a tenth of a millisecond.
const PIECE: usize = 64 << 10;

/// A turn ends when it has read so many times as much as it is woken for: there is more to do than
/// reading.
const LONG_TURN: usize = 4;

/// The part of a ring that may wait for its reader: with more of it, the next pause of the reader
/// may lose records. Half leaves as much time to copy up less as it took to fill.
const MAY_WAIT: usize = 2;

/// Time between two looks for silent connections and two publications of figures.
const TICK: Duration = Duration::from_millis(200);

/// How long a stop waits for the ring to run dry.
const DRAIN: Duration = Duration::from_secs(3);

/// What a shard is told while it runs.
#[derive(Clone)]
pub(super) struct Update {
    pub(super) config: Arc<Config>,
    pub(super) knowledge: Arc<Knowledge>,
    pub(super) observer: Arc<Observer>,
    /// The port of each slot, to read the kernel's notices by.
    pub(super) slots: BTreeMap<u32, u16>,
}

impl Update {
    /// What the configuration and the kernel say now.
    pub(super) fn new(
        config: &Arc<Config>,
        knowledge: &Arc<Knowledge>,
        observer: &Arc<Observer>,
        kernel: &Kernel,
    ) -> Result<Self> {
        let slots = kernel.slots()?.into_iter().collect();
        let (config, observer) = (Arc::clone(config), Arc::clone(observer));
        Ok(Self { config, knowledge: Arc::clone(knowledge), observer, slots })
    }
}

/// Which of the shards it is, and its end of what it shares with the kernel.
pub(super) struct Place {
    pub(super) number: usize,
    /// How many there are.
    pub(super) shares: usize,
    pub(super) ring: Ring,
    pub(super) skips: Skips,
}

/// Where what a shard makes goes.
#[derive(Clone)]
pub(super) struct Outlets {
    pub(super) lines: Lines,
    pub(super) desk: DeskSender<Finding>,
}

/// The desk's hold on a shard.
pub(super) struct Handle {
    pub(super) updates: Sender<Update>,
    pub(super) figures: Arc<ShardFigures>,
    pub(super) thread: JoinHandle<()>,
}

/// What a look into the ring found.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Turn {
    /// Nothing.
    Idle,
    /// Records, of which none is left.
    Busy,
    /// So many that some may be left.
    Cut,
}

struct Shard {
    ring: Ring,
    skips: Skips,
    backlog: Backlog,
    clock: Clock,
    stages: Stages,
    slots: BTreeMap<u32, u16>,
    outlets: Outlets,
    updates: Receiver<Update>,
    figures: Arc<ShardFigures>,
}

/// Starts the thread. It ends when `stop` is set and the ring is dry.
pub(super) fn start(
    place: Place,
    first: &Update,
    common: Arc<Common>,
    outlets: Outlets,
    stop: Arc<AtomicBool>,
) -> Result<Handle> {
    let Place { number, shares, ring, skips } = place;
    let (sender, updates) = channel();
    let clock = Clock::new();
    let figures = Arc::new(ShardFigures::new());
    let company = Company { common, size: shares };
    let basis = Basis {
        config: &first.config,
        knowledge: Arc::clone(&first.knowledge),
        ports: PortFilter::Only(first.config.ports.clone()),
        observer: Arc::clone(&first.observer),
        // The clock is a good enough secret against collisions: a peer cannot read it to the
        // nanosecond, and nothing that is put out depends on it.
        seed: clock.now().0,
    };
    let shard = Shard {
        ring,
        skips,
        backlog: Backlog::default(),
        clock,
        stages: Stages::among(company, basis),
        slots: first.slots.clone(),
        outlets,
        updates,
        figures: Arc::clone(&figures),
    };
    let thread = thread::Builder::new()
        .name(format!("shard-{number}"))
        .spawn(move || shard.run(&stop))
        .context("cannot start a shard's thread")?;
    Ok(Handle { updates: sender, figures, thread })
}

impl Shard {
    fn run(mut self, stop: &AtomicBool) {
        let mut last_tick = Instant::now();
        let mut stopping_since = None;
        loop {
            self.take_updates();
            let turn = self.turn();
            if last_tick.elapsed() >= TICK {
                last_tick = Instant::now();
                self.tick();
            }
            if stop.load(Ordering::Relaxed) {
                let since = *stopping_since.get_or_insert_with(Instant::now);
                if turn == Turn::Idle || since.elapsed() > DRAIN {
                    break;
                }
            } else if turn != Turn::Cut {
                self.wait();
            }
        }
        self.finish();
    }

    /// Lets records gather.
    fn wait(&self) {
        if let Err(error) = self.ring.wait(GATHER) {
            tracing::error!(%error, "cannot wait for the kernel's ring");
            thread::sleep(GATHER);
        }
    }

    /// Reads what is waiting, and gives way to others meanwhile as long as it is no more than
    /// usual.
    fn turn(&mut self) -> Turn {
        let usual = self.ring.wakes_at();
        let mut octets = 0;
        loop {
            let piece = self.read(PIECE);
            octets += piece;
            if octets >= LONG_TURN * usual {
                return Turn::Cut;
            }
            if piece < PIECE {
                return if octets > 0 { Turn::Busy } else { Turn::Idle };
            }
            if octets <= usual {
                thread::yield_now();
            }
        }
    }

    fn read(&mut self, limit: usize) -> usize {
        let Self { ring, skips, clock, stages, slots, outlets, figures, .. } = self;
        let mut out = |output: Output<'_>| put(output, outlets, skips, figures);
        let mut last = Timestamp::default();
        let octets = ring.drain(limit, |octets| match read(octets, |time| clock.wall(time)) {
            Some(Record::Segment(segment)) => {
                last = segment.time;
                stages.segment(&segment, &mut out);
            }
            Some(Record::OverLimit { source, slot, established, time }) => {
                if let Some(port) = slots.get(&slot) {
                    let notice = OverLimit { source, port: *port, established, time };
                    stages.over_limit(notice, &mut out);
                }
            }
            None => {
                figures.unreadable.fetch_add(1, Ordering::Relaxed);
            }
        });
        self.count(octets, last);
        octets
    }

    /// Sees whether what was read had to wait.
    fn count(&mut self, octets: usize, last: Timestamp) {
        let Self { ring, backlog, clock, figures, .. } = self;
        let waited = backlog.read(octets, clock.kernel(last), clock.kernel(clock.now()));
        if waited >= ring.octets() / MAY_WAIT {
            figures.behind.store(true, Ordering::Relaxed);
        }
    }

    fn tick(&mut self) {
        self.clock.refresh();
        let Self { skips, clock, stages, outlets, figures, .. } = self;
        let watch = figures.watch();
        stages.tick(clock.now(), watch, &mut |output| put(output, outlets, skips, figures));
        outlets.lines.flush();
        self.figures.publish(&self.stages);
    }

    fn take_updates(&mut self) {
        for update in self.updates.try_iter() {
            self.stages.configure(&update.config, update.knowledge, update.observer);
            self.slots = update.slots;
        }
    }

    fn finish(mut self) {
        let Self { skips, stages, outlets, figures, .. } = &mut self;
        stages.finish(&mut |output| put(output, outlets, skips, figures));
        outlets.lines.flush();
        self.figures.publish(&self.stages);
    }
}

fn put(output: Output<'_>, outlets: &mut Outlets, skips: &mut Skips, figures: &ShardFigures) {
    let Outlets { lines, desk } = outlets;
    match output {
        Output::Delivery(line) => {
            figures.deliveries.fetch_add(1, Ordering::Relaxed);
            lines.put(line);
        }
        Output::Connection(line) => lines.put(line),
        Output::Skip(Skip { source, destination, until }) => {
            if let Err(error) = skips.skip(source, destination, until) {
                figures.skips_refused.fetch_add(1, Ordering::Relaxed);
                tracing::debug!(%source, %error, "a body that nobody needs is copied up");
            }
        }
        Output::Finding(finding) => {
            // The records that it names come before what the desk says of it.
            lines.flush();
            if desk.try_send(*finding).is_err() {
                figures.findings_lost.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}
