//! Bans in the kernel's maps: exact addresses and prefixes, IPv4 and IPv6, behind one interface.
//!
//! It must not know why anybody is banned, nor who may be.

use std::collections::BTreeSet;
use std::iter;
use std::net::{IpAddr, Ipv4Addr};

use anyhow::Result;
use aya::Pod;
use aya::maps::lpm_trie::Key;
use aya::maps::{MapData, MapError};
use hooksensor_ebpf::abi::{Address, Ban, BanCount};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::batch;
use super::maps::Maps;
use super::refusal::{BanError, refusal};

/// Bans from which on a batch is cheaper than single calls.
const WORTH_A_BATCH: usize = 16;

/// A ban as it stands in the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// The addresses it covers.
    pub target: IpNet,
    /// When it ends, in kernel time.
    pub expires: u64,
    /// The slots it covers.
    pub scope: u64,
}

impl Maps {
    pub(super) fn insert_ban(&mut self, entry: &Entry) -> Result<(), BanError> {
        let given = self.counts.give(iter::once(entry.target));
        self.put_ban(entry, given == [true])?;
        let published =
            if self.count_ban(entry) { self.publish_counts() } else { self.renew_verdicts() };
        published.map_err(BanError::Refused)
    }

    /// Puts many bans in force; what became of each, in their order. Those of single addresses go
    /// to the kernel in batches, where it knows them.
    pub(super) fn insert_bans(&mut self, entries: &[Entry]) -> Vec<Result<(), BanError>> {
        let given = self.counts.give(entries.iter().map(|entry| entry.target));
        let v4 = self.write_exact(entries, "BANS_V4", |net| match net {
            IpNet::V4(net) => Some(word(*net)),
            IpNet::V6(_) => None,
        });
        let v6 = self.write_exact(entries, "BANS_V6", |net| match net {
            IpNet::V6(net) => Some(words(*net)),
            IpNet::V4(_) => None,
        });
        let mut changed = false;
        let mut results: Vec<_> = entries
            .iter()
            .enumerate()
            .map(|(index, entry)| {
                if !v4.contains(&index) && !v6.contains(&index) {
                    self.put_ban(entry, given[index])?;
                }
                changed |= self.count_ban(entry);
                Ok(())
            })
            .collect();
        let published = if changed { self.publish_counts() } else { self.renew_verdicts() };
        if let Err(error) = published
            && let Some(last) = results.last_mut()
        {
            *last = Err(BanError::Refused(error));
        }
        results
    }

    /// Writes the bans of single addresses that have a key in the map `name`, in one batch; the
    /// indices of those it took. The rest is left to be written one by one.
    fn write_exact<K: Pod>(
        &self,
        entries: &[Entry],
        name: &str,
        key: impl Fn(&IpNet) -> Option<K>,
    ) -> BTreeSet<usize> {
        let (mut indices, mut keys, mut bans) = (Vec::new(), Vec::new(), Vec::new());
        for (index, entry) in entries.iter().enumerate() {
            if let Some(key) = key(&entry.target).filter(|_| is_exact(&entry.target)) {
                indices.push(index);
                keys.push(key);
                bans.push(self.value(entry));
            }
        }
        if keys.len() < WORTH_A_BATCH {
            return BTreeSet::new();
        }
        let Ok(map) = MapData::from_pin(self.pins.join(name)) else { return BTreeSet::new() };
        let written = batch::update(&map, &keys, &bans);
        if let Some(error) = written.error {
            tracing::debug!(map = name, %error, written = written.count, "a batch ended early");
        }
        indices.into_iter().take(written.count).collect()
    }

    /// Writes a ban, which was given a counter for that or not.
    fn put_ban(&mut self, entry: &Entry, given: bool) -> Result<(), BanError> {
        let written = self.write_ban(entry);
        if written.is_err() && given {
            self.counts.take_back(&entry.target);
        }
        written
    }

    fn value(&self, entry: &Entry) -> Ban {
        Ban {
            expires: entry.expires,
            scope: entry.scope,
            counter: self.counts.counter(&entry.target),
            prefix_length: u16::from(entry.target.prefix_len()),
            guarded: u16::from(self.is_guarded(&entry.target)),
        }
    }

    fn write_ban(&mut self, entry: &Entry) -> Result<(), BanError> {
        let length = u32::from(entry.target.prefix_len());
        let ban = self.value(entry);
        match entry.target {
            IpNet::V4(net) if length == 32 => self.bans_v4.insert(word(net), ban, 0),
            IpNet::V4(net) => self.cidr_bans_v4.insert(&Key::new(length, word(net)), ban, 0),
            IpNet::V6(net) if length == 128 => self.bans_v6.insert(words(net), ban, 0),
            IpNet::V6(net) => self.cidr_bans_v6.insert(&Key::new(length, words(net)), ban, 0),
        }
        .map_err(|error| refusal(error, is_exact(&entry.target)))
    }

    /// Counts a ban that was written; whether the counts changed by that.
    fn count_ban(&mut self, entry: &Entry) -> bool {
        if is_counted(entry) {
            self.counted.insert(entry.target, entry.scope) != Some(entry.scope)
        } else {
            self.counted.remove(&entry.target).is_some()
        }
    }

    /// Writes every ban again whose mark no longer says whether an address in it is protected.
    pub(super) fn guard_bans(&mut self) -> Result<()> {
        for (entry, ban) in self.written_bans()? {
            if (ban.guarded == 1) != self.is_guarded(&entry.target) {
                self.write_ban(&entry).map_err(|error| anyhow::anyhow!("{error}"))?;
            }
        }
        Ok(())
    }

    /// Lifts a ban; whether there was one.
    pub(super) fn remove_ban(&mut self, target: &IpNet) -> Result<bool> {
        let length = u32::from(target.prefix_len());
        let removed = match *target {
            IpNet::V4(net) if length == 32 => self.bans_v4.remove(&word(net)),
            IpNet::V4(net) => self.cidr_bans_v4.remove(&Key::new(length, word(net))),
            IpNet::V6(net) if length == 128 => self.bans_v6.remove(&words(net)),
            IpNet::V6(net) => self.cidr_bans_v6.remove(&Key::new(length, words(net))),
        };
        match removed {
            Ok(()) => {}
            Err(MapError::KeyNotFound) => return Ok(false),
            Err(MapError::SyscallError(error))
                if error.io_error.kind() == std::io::ErrorKind::NotFound =>
            {
                return Ok(false);
            }
            Err(error) => return Err(error.into()),
        }
        self.counts.take_back(target);
        match self.counted.remove(target) {
            Some(_) => self.publish_counts()?,
            None => self.renew_verdicts()?,
        }
        Ok(true)
    }

    /// Every ban in the kernel, expired ones included, in no order.
    pub(super) fn bans(&self) -> Result<Vec<Entry>> {
        Ok(self.written_bans()?.into_iter().map(|(entry, _)| entry).collect())
    }

    /// What a ban has met, if it has a counter of its own.
    pub(super) fn ban_count(&self, target: &IpNet) -> Result<Option<BanCount>> {
        self.counts.read(target)
    }

    /// Every ban, and how it is written.
    fn written_bans(&self) -> Result<Vec<(Entry, Ban)>> {
        let mut entries = Vec::new();
        for item in &self.bans_v4 {
            let (word, ban) = item?;
            entries.extend(entry(Address::v4(word), 32, ban));
        }
        for item in &self.bans_v6 {
            let (words, ban) = item?;
            entries.extend(entry(Address::v6(words), 128, ban));
        }
        for item in &self.cidr_bans_v4 {
            let (key, ban) = item?;
            entries.extend(entry(Address::v4(key.data()), key.prefix_len(), ban));
        }
        for item in &self.cidr_bans_v6 {
            let (key, ban) = item?;
            entries.extend(entry(Address::v6(key.data()), key.prefix_len(), ban));
        }
        Ok(entries)
    }

    /// Takes `slot` out of every ban that names it among others, and lifts those that name it
    /// alone.
    pub(super) fn forget_slot(&mut self, slot: u32) -> Result<()> {
        for entry in self.bans()? {
            let named = entry.scope != Ban::HOST && entry.scope != Ban::WATCHED;
            let rest = entry.scope & !(1 << slot);
            if !named || rest == entry.scope {
                continue;
            }
            if rest == 0 {
                self.remove_ban(&entry.target)?;
            } else {
                self.insert_ban(&Entry { scope: rest, ..entry })
                    .map_err(|error| anyhow::anyhow!("{error}"))?;
            }
        }
        Ok(())
    }

    /// Reads which bans the settings count and which counters are taken; the kernel may hold bans
    /// from before a restart.
    pub(super) fn recount_bans(&mut self) -> Result<()> {
        let bans = self.written_bans()?;
        self.counts.adopt(bans.iter().map(|(entry, ban)| (entry.target, ban.counter)));
        let counted = bans.into_iter().map(|(entry, _)| entry).filter(is_counted);
        self.counted = counted.map(|entry| (entry.target, entry.scope)).collect();
        self.publish_counts()
    }

    /// Tells the programs which lookups can be left out.
    fn publish_counts(&mut self) -> Result<()> {
        let count = |wanted: &dyn Fn(&IpNet, u64) -> bool| {
            let count = self.counted.iter().filter(|(target, scope)| wanted(target, **scope));
            u32::try_from(count.count()).unwrap_or(u32::MAX)
        };
        let host_bans = count(&|_, scope| covers_unwatched(scope));
        let cidr_bans_v4 = count(&|target, _| target.addr().is_ipv4() && !is_exact(target));
        let cidr_bans_v6 = count(&|target, _| target.addr().is_ipv6() && !is_exact(target));
        self.change_settings(|settings| {
            settings.host_bans = host_bans;
            settings.cidr_bans_v4 = cidr_bans_v4;
            settings.cidr_bans_v6 = cidr_bans_v6;
        })
    }
}

/// Whether the settings count a ban: most bans are exact and port-scoped, and cost nothing here.
fn is_counted(entry: &Entry) -> bool {
    covers_unwatched(entry.scope) || !is_exact(&entry.target)
}

const fn covers_unwatched(scope: u64) -> bool {
    scope & 1 == 1
}

fn is_exact(target: &IpNet) -> bool {
    target.prefix_len() == target.max_prefix_len()
}

/// An entry of a map with how it is written, unless it is none this agent would have made.
fn entry(address: Address, prefix_length: u32, ban: Ban) -> Option<(Entry, Ban)> {
    let address = IpAddr::from(address);
    let length = u8::try_from(prefix_length).ok();
    let target = length.and_then(|length| IpNet::new(address, length).ok());
    if target.is_none() {
        tracing::warn!(%address, prefix_length, "the kernel holds a ban on no network; it is left");
    }
    target.map(|target| (Entry { target, expires: ban.expires, scope: ban.scope }, ban))
}

fn word(net: Ipv4Net) -> u32 {
    u32::from_ne_bytes(Ipv4Addr::octets(&net.network()))
}

fn words(net: Ipv6Net) -> [u32; 4] {
    Address::from(IpAddr::V6(net.network())).words()
}
