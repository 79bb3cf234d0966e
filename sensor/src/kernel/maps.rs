//! The maps by their types: settings, protected prefixes and counters.
//!
//! It must not know when a setting changes, nor what a figure leads to.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow};
use aya::Ebpf;
use aya::maps::lpm_trie::Key;
use aya::maps::{Array, HashMap, LpmTrie, Map, MapData, PerCpuArray};
use hooksensor_ebpf::abi::{
    Address, Ban, Counters, SLOTS, Settings, SourceKey, SourceState, Watched,
};
use ipnet::IpNet;

use super::counts::BanCounts;

const BAN_COUNTS: &str = "BAN_COUNTS";

/// The maps the agent writes and reads; each name stands here once.
pub(super) struct Maps {
    pub(super) ports: Array<MapData, u32>,
    pub(super) settings: Array<MapData, Settings>,
    pub(super) watched: Array<MapData, Watched>,
    pub(super) counters: PerCpuArray<MapData, Counters>,
    pub(super) protected: LpmTrie<MapData, [u32; 4], u32>,
    pub(super) followed: LpmTrie<MapData, [u32; 4], u32>,
    pub(super) bans_v4: HashMap<MapData, u32, Ban>,
    pub(super) bans_v6: HashMap<MapData, [u32; 4], Ban>,
    pub(super) cidr_bans_v4: LpmTrie<MapData, u32, Ban>,
    pub(super) cidr_bans_v6: LpmTrie<MapData, [u32; 4], Ban>,
    /// The counters of bans.
    pub(super) counts: BanCounts,
    /// Bans the settings count, with their scope: those on prefixes or past the watched ports.
    pub(super) counted: BTreeMap<IpNet, u64>,
    pub(super) sources: HashMap<MapData, SourceKey, SourceState>,
    pub(super) newcomers: HashMap<MapData, SourceKey, SourceState>,
    /// What `protected` holds.
    guarded: Vec<IpNet>,
    /// Where maps are pinned.
    pub(super) pins: PathBuf,
}

/// Counters summed over CPUs: of every watched port, and of everything else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Totals {
    /// Of each watched port.
    pub ports: Vec<(u16, Counters)>,
    /// Of what was not for a watched port, or could not be parsed.
    pub rest: Counters,
}

impl Maps {
    pub(super) fn take(programs: &mut Ebpf, pins: &Path) -> Result<Self> {
        let protected: LpmTrie<_, [u32; 4], u32> = typed(programs, "PROTECTED")?;
        let guarded =
            protected.keys().map(|key| mapped_prefix(&key?)).collect::<Result<Vec<_>>>()?;
        Ok(Self {
            sources: typed(programs, "SOURCES")?,
            newcomers: typed(programs, "NEWCOMERS")?,
            guarded,
            pins: pins.to_path_buf(),
            ports: typed(programs, "PORTS")?,
            settings: typed(programs, ".bss.settings")?,
            watched: typed(programs, "WATCHED")?,
            counters: typed(programs, "COUNTERS")?,
            protected,
            followed: typed(programs, "FOLLOWED")?,
            bans_v4: typed(programs, "BANS_V4")?,
            bans_v6: typed(programs, "BANS_V6")?,
            cidr_bans_v4: typed(programs, "CIDR_BANS_V4")?,
            cidr_bans_v6: typed(programs, "CIDR_BANS_V6")?,
            counts: BanCounts::new(typed(programs, BAN_COUNTS)?, pins.join(BAN_COUNTS))?,
            counted: BTreeMap::new(),
        })
    }

    pub(super) fn settings(&self) -> Result<Settings> {
        self.settings.get(&0, 0).context("cannot read the settings of the kernel programs")
    }

    /// Changes the settings in one write.
    pub(super) fn change_settings(&mut self, change: impl FnOnce(&mut Settings)) -> Result<()> {
        let mut settings = self.settings()?;
        change(&mut settings);
        self.write_settings(settings)?;
        self.renew_verdicts()
    }

    /// Has the programs look up again whom they have dropped before. It is done after each change
    /// of what decides that: during one they may still find what was there.
    pub(super) fn renew_verdicts(&mut self) -> Result<()> {
        let mut settings = self.settings()?;
        settings.generation = settings.generation.wrapping_add(1);
        self.write_settings(settings)
    }

    fn write_settings(&mut self, settings: Settings) -> Result<()> {
        self.settings
            .set(0, settings, 0)
            .context("cannot write the settings of the kernel programs")
    }

    /// Makes `prefixes` the protected set.
    pub(super) fn protect(&mut self, prefixes: &[IpNet]) -> Result<()> {
        replace(&mut self.protected, prefixes).context("cannot change the protected set")?;
        self.guarded = prefixes.to_vec();
        self.guard_bans()?;
        self.renew_verdicts()
    }

    /// Makes `prefixes` those whose connections are copied up at any rate.
    pub(super) fn follow(&mut self, prefixes: &[IpNet]) -> Result<()> {
        replace(&mut self.followed, prefixes).context("cannot change the followed networks")?;
        let count = u32::try_from(prefixes.len())?;
        self.change_settings(|settings| settings.followed = count)
    }

    /// Whether some address in `target` is protected.
    pub(super) fn is_guarded(&self, target: &IpNet) -> bool {
        self.guarded.iter().any(|one| one.contains(target) || target.contains(one))
    }

    pub(super) fn totals(&self) -> Result<Totals> {
        let mut totals = Totals { ports: Vec::new(), rest: self.counters_of(0)? };
        for (slot, port) in self.slots()? {
            totals.ports.push((port, self.counters_of(slot)?));
        }
        totals.ports.sort_unstable_by_key(|(port, _)| *port);
        Ok(totals)
    }

    /// Every slot in use with its port.
    pub(super) fn slots(&self) -> Result<Vec<(u32, u16)>> {
        let mut slots = Vec::new();
        for slot in 1..u32::try_from(SLOTS)? {
            let watched = self.watched.get(&slot, 0)?;
            if watched.port != 0 {
                slots.push((slot, u16::try_from(watched.port)?));
            }
        }
        Ok(slots)
    }

    fn counters_of(&self, slot: u32) -> Result<Counters> {
        let mut sum = Counters::ZERO;
        for cpu in self.counters.get(&slot, 0).context("cannot read the kernel's counters")?.iter()
        {
            sum.add(cpu);
        }
        Ok(sum)
    }
}

/// Makes `prefixes` what a map of them holds: new ones are added before old ones go, so that an
/// address in both is in the map throughout.
fn replace(map: &mut LpmTrie<MapData, [u32; 4], u32>, prefixes: &[IpNet]) -> Result<()> {
    let wanted: Vec<_> = prefixes.iter().map(mapped_key).collect();
    for key in &wanted {
        map.insert(key, 1, 0)
            .context("the kernel takes no further prefix; it holds 4096 at most")?;
    }
    let present: Vec<_> = map.keys().collect::<Result<_, _>>()?;
    for key in present {
        let same = |other: &Key<[u32; 4]>| {
            other.prefix_len() == key.prefix_len() && other.data() == key.data()
        };
        if !wanted.iter().any(same) {
            map.remove(&key)?;
        }
    }
    Ok(())
}

/// The key of a prefix in maps that hold both families.
fn mapped_key(prefix: &IpNet) -> Key<[u32; 4]> {
    let length = u32::from(prefix.prefix_len());
    let length = if prefix.addr().is_ipv4() { length + 96 } else { length };
    Key::new(length, Address::from(prefix.network()).words())
}

/// The prefix that has this key.
fn mapped_prefix(key: &Key<[u32; 4]>) -> Result<IpNet> {
    let address = IpAddr::from(Address::v6(key.data()));
    let length = u8::try_from(key.prefix_len())?;
    let length = if address.is_ipv4() && length >= 96 { length - 96 } else { length };
    Ok(IpNet::new(address, length)?)
}

pub(super) fn typed<T: TryFrom<Map>>(programs: &mut Ebpf, name: &str) -> Result<T>
where
    T::Error: std::error::Error + Send + Sync + 'static,
{
    let map =
        programs.take_map(name).ok_or_else(|| anyhow!("the kernel programs have no map {name}"))?;
    T::try_from(map).with_context(|| format!("map {name} has another type than expected"))
}
