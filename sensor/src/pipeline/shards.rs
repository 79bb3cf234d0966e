//! The desk's hold on all shards: what one is told all are, and their figures add up.
//!
//! It must not know what a shard does.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;

use anyhow::{Context as _, Result};

use super::common::Common;
use super::shard::{self, Outlets, ShardFigures, Update};
use crate::detect::Watch;
use crate::enforce::Enforcer;
use crate::export::StreamFigures;

/// All shards.
pub(super) struct Shards {
    updates: Vec<mpsc::Sender<Update>>,
    figures: Vec<Arc<ShardFigures>>,
    common: Arc<Common>,
}

impl Shards {
    /// Starts a shard on each ring. They end when `stop` is set and their rings are dry.
    pub(super) fn start(
        enforcer: &mut Enforcer,
        first: &Update,
        common: Arc<Common>,
        outlets: &Outlets,
        stop: &Arc<AtomicBool>,
    ) -> Result<(Self, Vec<JoinHandle<()>>)> {
        let rings = enforcer.kernel().take_rings()?;
        let shares = rings.len();
        let (mut updates, mut figures, mut threads) = (Vec::new(), Vec::new(), Vec::new());
        for (number, ring) in rings.into_iter().enumerate() {
            let skips = enforcer.kernel().skips()?;
            let place = shard::Place { number, shares, ring, skips };
            let handle =
                shard::start(place, first, Arc::clone(&common), outlets.clone(), Arc::clone(stop))?;
            updates.push(handle.updates);
            figures.push(handle.figures);
            threads.push(handle.thread);
        }
        Ok((Self { updates, figures, common }, threads))
    }

    /// Tells every shard what the configuration and the kernel say now.
    pub(super) fn tell(&self, update: &Update) -> Result<()> {
        for shard in &self.updates {
            shard.send(update.clone()).context("a shard has ended")?;
        }
        Ok(())
    }

    /// Whether the ring of one of them has filled faster than it is read since this was last asked.
    pub(super) fn were_behind(&self) -> bool {
        self.figures.iter().filter(|shard| shard.was_behind()).count() > 0
    }

    /// Notes how much of the traffic the kernel copies up.
    pub(super) fn set_watch(&self, watch: Watch) {
        self.figures.iter().for_each(|shard| shard.set_watch(watch));
    }

    /// Delivery records made.
    pub(super) fn deliveries(&self) -> u64 {
        self.figures.iter().map(|shard| shard.deliveries()).sum()
    }

    /// Findings the desk had no room for.
    pub(super) fn findings_lost(&self) -> u64 {
        self.figures.iter().map(|shard| shard.findings_lost()).sum()
    }

    /// The figures of all streams, and how long ago the shard that is longest away looked for work.
    pub(super) fn streams(&self) -> StreamFigures {
        let mut all = StreamFigures { endpoints: self.common.coverage(), ..Default::default() };
        for one in self.figures.iter().map(|shard| shard.streams()) {
            all.open_connections += one.open_connections;
            all.idle_seconds = all.idle_seconds.max(one.idle_seconds);
            add(&mut all.totals, one.totals);
            add(&mut all.coverage, one.coverage);
        }
        all
    }
}

fn add(sums: &mut BTreeMap<String, u64>, figures: BTreeMap<String, u64>) {
    for (name, figure) in figures {
        *sums.entry(name).or_default() += figure;
    }
}
