//! The thread that reads a ring and runs the pure stages over what it holds.
//!
//! It must not decide: findings go to the desk.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use tokio::sync::mpsc::Sender as DeskSender;

use super::common::Common;
use super::stages::{Basis, Company, Output, Stages};
use super::writer::Lines;
use crate::capture::ring::{Record, read};
use crate::config::Config;
use crate::detect::{Finding, OverLimit, Watch};
use crate::export::StreamFigures;
use crate::http::{PortFilter, Skip};
use crate::kernel::{Clock, Kernel, Ring, Skips};
use crate::record::Observer;
use crate::webhook::Knowledge;

/// How long records gather in the ring before they are read, unless the kernel finds before that
/// that it has filled enough. A turn costs the same for one record as for many, and the caches are
/// cold at its start; nobody reads a record sooner than its line is written, which takes longer.
const GATHER: Duration = Duration::from_millis(50);

/// Octets of the ring after which the thread gives way to others on its processor, a dozen deliveries:
/// what the host does meanwhile waits for no more than those, a tenth of a millisecond.
const PIECE: usize = 64 << 10;

/// A reader that finds so many times as much as it is woken for reads more slowly than the kernel
/// writes: in a ring of the usual size, a quarter of it.
const BEHIND: usize = 4;

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

/// What a shard publishes about itself, and the desk's word on how much the kernel shows it.
#[derive(Debug)]
pub(super) struct ShardFigures {
    streams: Mutex<StreamFigures>,
    deliveries: AtomicU64,
    findings_lost: AtomicU64,
    unreadable: AtomicU64,
    skips_refused: AtomicU64,
    behind: AtomicBool,
    is_partial: AtomicBool,
    looked: Mutex<Instant>,
}

/// What a look into the ring found.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Turn {
    /// Nothing.
    Idle,
    /// Records, of which none is left.
    Busy,
    /// So many that some may be left.
    Behind,
}

struct Shard {
    ring: Ring,
    skips: Skips,
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
            } else if turn != Turn::Behind {
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

    /// Reads what is waiting, and gives way to others meanwhile as long as it is no more than usual.
    fn turn(&mut self) -> Turn {
        let usual = self.ring.wakes_at();
        let mut octets = 0;
        loop {
            let piece = self.read(PIECE);
            octets += piece;
            if octets >= BEHIND * usual {
                self.figures.behind.store(true, Ordering::Relaxed);
                return Turn::Behind;
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
        ring.drain(limit, |octets| match read(octets, |time| clock.wall(time)) {
            Some(Record::Segment(segment)) => stages.segment(&segment, &mut out),
            Some(Record::OverLimit { source, slot, established, time }) => {
                if let Some(port) = slots.get(&slot) {
                    let notice = OverLimit { source, port: *port, established, time };
                    stages.over_limit(notice, &mut out);
                }
            }
            None => {
                figures.unreadable.fetch_add(1, Ordering::Relaxed);
            }
        })
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

impl ShardFigures {
    fn new() -> Self {
        Self {
            streams: Mutex::default(),
            deliveries: AtomicU64::new(0),
            findings_lost: AtomicU64::new(0),
            unreadable: AtomicU64::new(0),
            skips_refused: AtomicU64::new(0),
            behind: AtomicBool::new(false),
            is_partial: AtomicBool::new(false),
            looked: Mutex::new(Instant::now()),
        }
    }

    /// Delivery records made.
    pub(super) fn deliveries(&self) -> u64 {
        self.deliveries.load(Ordering::Relaxed)
    }

    /// Whether the ring has filled faster than it is read since this was last asked.
    pub(super) fn was_behind(&self) -> bool {
        self.behind.swap(false, Ordering::Relaxed)
    }

    /// Notes how much of the traffic the kernel copies up.
    pub(super) fn set_watch(&self, watch: Watch) {
        self.is_partial.store(watch == Watch::Partial, Ordering::Relaxed);
    }

    fn watch(&self) -> Watch {
        if self.is_partial.load(Ordering::Relaxed) { Watch::Partial } else { Watch::Full }
    }

    /// Findings the desk had no room for.
    pub(super) fn findings_lost(&self) -> u64 {
        self.findings_lost.load(Ordering::Relaxed)
    }

    /// The figures of the streams, and how long ago the shard last looked for work.
    pub(super) fn streams(&self) -> StreamFigures {
        let mut streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let looked = *self.looked.lock().unwrap_or_else(PoisonError::into_inner);
        streams.idle_seconds = looked.elapsed().as_secs();
        let unreadable = self.unreadable.load(Ordering::Relaxed);
        streams.totals.insert(String::from("unreadable_records"), unreadable);
        let refused = self.skips_refused.load(Ordering::Relaxed);
        streams.totals.insert(String::from("skips_refused"), refused);
        streams
    }

    fn publish(&self, stages: &Stages) {
        let figures = super::figures::streams(stages);
        *self.streams.lock().unwrap_or_else(PoisonError::into_inner) = figures;
        *self.looked.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }
}
