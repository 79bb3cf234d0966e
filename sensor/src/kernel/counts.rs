//! The counters that bans have of their own: which ban has which, and what it says.
//!
//! It must not know when a ban is made or ends.

use std::collections::{BTreeSet, HashMap, VecDeque};

use anyhow::{Context as _, Result};
use aya::maps::{MapData, PerCpuArray, PerCpuValues};
use hooksensor_ebpf::abi::{BAN_COUNTERS, BanCount};
use ipnet::IpNet;

use super::ports::cpus;

/// The counter of all bans that have none of their own.
const COMMON: u32 = 0;

/// Counters kept for bans that are made one by one. A list of addresses that is put in force at once,
/// of which most send nothing, must not take all of them.
const KEPT: usize = BAN_COUNTERS as usize / 2;

/// Which counters are taken.
pub(super) struct BanCounts {
    counters: PerCpuArray<MapData, BanCount>,
    taken: HashMap<IpNet, u32>,
    /// The one that was free longest comes first: a packet under way may still count for the ban that
    /// had it last.
    free: VecDeque<u32>,
    processors: usize,
}

impl BanCounts {
    /// All counters, none taken.
    pub(super) fn new(counters: PerCpuArray<MapData, BanCount>) -> Result<Self> {
        let free = (COMMON + 1..BAN_COUNTERS).collect();
        Ok(Self { counters, taken: HashMap::new(), free, processors: cpus()? })
    }

    /// Takes note of which bans in the kernel have which counters, instead of all that was known.
    pub(super) fn adopt(&mut self, bans: impl IntoIterator<Item = (IpNet, u32)>) {
        self.taken = bans.into_iter().filter(|(_, counter)| *counter != COMMON).collect();
        let taken: BTreeSet<_> = self.taken.values().collect();
        self.free = (COMMON + 1..BAN_COUNTERS).filter(|one| !taken.contains(one)).collect();
    }

    /// Gives a ban on `target` a counter of its own, at zero, unless it has one or there is none left;
    /// whether it was given one.
    pub(super) fn give(&mut self, target: IpNet, one_of_many: bool) -> bool {
        if self.taken.contains_key(&target) || (one_of_many && self.free.len() <= KEPT) {
            return false;
        }
        let Some(counter) = self.free.pop_front() else { return false };
        if let Err(error) = self.clear(counter) {
            tracing::warn!(error = format!("{error:#}"), "a counter of bans cannot be used");
            return false;
        }
        self.taken.insert(target, counter);
        true
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

    fn clear(&mut self, counter: u32) -> Result<()> {
        let zero = PerCpuValues::try_from(vec![BanCount::default(); self.processors])?;
        Ok(self.counters.set(counter, zero, 0)?)
    }
}
