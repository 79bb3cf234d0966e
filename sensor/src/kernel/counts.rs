//! The counters that bans have of their own: which ban has which, and what it says.
//!
//! It must not know when a ban is made or ends.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use aya::maps::{MapData, PerCpuArray, PerCpuValues};
use hooksensor_ebpf::abi::{BAN_COUNTERS, BanCount};
use ipnet::IpNet;

use super::batch;
use super::ports::cpus;

/// The counter of all bans that have none of their own.
const COMMON: u32 = 0;

/// Counters cleared at once: their zeros take a mebibyte where there are 64 processors.
const BATCH: usize = 1024;

/// Bans made at once from which on they are a list, and not the doing of one moment.
const MANY: usize = 16;

/// Counters kept for bans that are made one by one. A list of addresses that is put in force at
/// once, of which most send nothing, must not take all of them.
const KEPT: usize = BAN_COUNTERS as usize / 2;

/// Which counters are taken.
pub(super) struct BanCounts {
    counters: PerCpuArray<MapData, BanCount>,
    taken: HashMap<IpNet, u32>,
    /// The one that was free longest comes first: a packet under way may still count for the ban
    /// that had it last.
    free: VecDeque<u32>,
    /// Where they are pinned.
    pin: PathBuf,
    processors: usize,
}

impl BanCounts {
    /// All counters, none taken.
    pub(super) fn new(counters: PerCpuArray<MapData, BanCount>, pin: PathBuf) -> Result<Self> {
        let free = (COMMON + 1..BAN_COUNTERS).collect();
        Ok(Self { counters, taken: HashMap::new(), free, pin, processors: cpus()? })
    }

    /// Takes note of which bans in the kernel have which counters, instead of all that was known.
    pub(super) fn adopt(&mut self, bans: impl IntoIterator<Item = (IpNet, u32)>) {
        self.taken = bans.into_iter().filter(|(_, counter)| *counter != COMMON).collect();
        let taken: BTreeSet<_> = self.taken.values().collect();
        self.free = (COMMON + 1..BAN_COUNTERS).filter(|one| !taken.contains(one)).collect();
    }

    /// Gives bans counters of their own, at zero, but for those that have one or find none left;
    /// which of them were given one.
    pub(super) fn give(&mut self, targets: impl ExactSizeIterator<Item = IpNet>) -> Vec<bool> {
        let kept = if targets.len() < MANY { 0 } else { KEPT };
        let mut fresh = Vec::new();
        let mut give = |target| {
            let is_due = self.free.len() > kept && !self.taken.contains_key(&target);
            let Some(counter) = self.free.pop_front_if(|_| is_due) else { return false };
            self.taken.insert(target, counter);
            fresh.push(counter);
            true
        };
        let given = targets.map(&mut give).collect();
        if let Err(error) = self.clear(&fresh) {
            let error = format!("{error:#}");
            tracing::warn!(error, "bans may count what others before them have met");
        }
        given
    }

    /// The counter that counts for a ban on `target`.
    pub(super) fn counter(&self, target: &IpNet) -> u32 {
        self.taken.get(target).copied().unwrap_or(COMMON)
    }

    /// Takes back the counter of a ban that is no more.
    pub(super) fn take_back(&mut self, target: &IpNet) {
        self.free.extend(self.taken.remove(target));
    }

    /// What a ban on `target` has met, if it has a counter of its own.
    pub(super) fn read(&self, target: &IpNet) -> Result<Option<BanCount>> {
        let Some(counter) = self.taken.get(target) else { return Ok(None) };
        let mut sum = BanCount::default();
        let values = self.counters.get(counter, 0).context("cannot read the counter of a ban")?;
        values.iter().for_each(|cpu| sum.add(cpu));
        Ok(Some(sum))
    }

    /// Sets counters to zero, in batches where the kernel knows them.
    fn clear(&mut self, counters: &[u32]) -> Result<()> {
        let zero = || vec![BanCount::default(); self.processors];
        for some in counters.chunks(BATCH) {
            let written = match MapData::from_pin(&self.pin) {
                Ok(map) if some.len() > 1 => {
                    batch::update(&map, some, &zero().repeat(some.len())).count
                }
                _ => 0,
            };
            for counter in &some[written..] {
                self.counters.set(*counter, PerCpuValues::try_from(zero())?, 0)?;
            }
        }
        Ok(())
    }
}
