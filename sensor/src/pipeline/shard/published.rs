//! What a shard publishes about itself, and the desk's word on how much the kernel shows it.
//!
//! It must not know what the figures lead to.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use super::super::figures;
use super::super::stages::Stages;
use crate::detect::Watch;
use crate::export::StreamFigures;

/// The figures of one shard: it writes them, and any thread may look.
#[derive(Debug)]
pub(in crate::pipeline) struct ShardFigures {
    streams: Mutex<StreamFigures>,
    pub(super) deliveries: AtomicU64,
    pub(super) findings_lost: AtomicU64,
    pub(super) unreadable: AtomicU64,
    pub(super) skips_refused: AtomicU64,
    pub(super) behind: AtomicBool,
    is_partial: AtomicBool,
    looked: Mutex<Instant>,
}

impl ShardFigures {
    pub(super) fn new() -> Self {
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
    pub(in crate::pipeline) fn deliveries(&self) -> u64 {
        self.deliveries.load(Ordering::Relaxed)
    }

    /// Whether more of the ring waited than may since this was last asked.
    pub(in crate::pipeline) fn was_behind(&self) -> bool {
        self.behind.swap(false, Ordering::Relaxed)
    }

    /// Notes how much of the traffic the kernel copies up.
    pub(in crate::pipeline) fn set_watch(&self, watch: Watch) {
        self.is_partial.store(watch == Watch::Partial, Ordering::Relaxed);
    }

    pub(super) fn watch(&self) -> Watch {
        if self.is_partial.load(Ordering::Relaxed) { Watch::Partial } else { Watch::Full }
    }

    /// Findings the desk had no room for.
    pub(in crate::pipeline) fn findings_lost(&self) -> u64 {
        self.findings_lost.load(Ordering::Relaxed)
    }

    /// The figures of the streams, and how long ago the shard last looked for work.
    pub(in crate::pipeline) fn streams(&self) -> StreamFigures {
        let mut streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let looked = *self.looked.lock().unwrap_or_else(PoisonError::into_inner);
        streams.idle_seconds = looked.elapsed().as_secs();
        let unreadable = self.unreadable.load(Ordering::Relaxed);
        streams.totals.insert(String::from("unreadable_records"), unreadable);
        let refused = self.skips_refused.load(Ordering::Relaxed);
        streams.totals.insert(String::from("skips_refused"), refused);
        streams
    }

    pub(super) fn publish(&self, stages: &Stages) {
        let figures = figures::streams(stages);
        *self.streams.lock().unwrap_or_else(PoisonError::into_inner) = figures;
        *self.looked.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }
}
