//! Every map: key, value, who writes, who reads, how large, and what happens when it is full.
//!
//! It must not know when a map is consulted. Sizes marked *configured* are set by the agent when it
//! loads the programs; all but `RECENT`, `RINGS`, `WRITTEN`, `SKIPS` and `LAST_LOGGED` are pinned
//! and outlive it.

use aya_ebpf::bindings::BPF_F_NO_PREALLOC;
use aya_ebpf::btf_maps::{ArrayOfMaps, RingBuf};
use aya_ebpf::macros::{btf_map, map};
use aya_ebpf::maps::{Array, HashMap, LpmTrie, LruHashMap, PerCpuArray};
use hooksensor_ebpf::abi::{
    BAN_COUNTERS, Ban, BanCount, Counters, FlowKey, MAX_SHARDS, SLOTS, SourceKey, SourceState,
    Watched,
};

use crate::ctx::low32;
use crate::recent::{PLACES, Recent};

const ONE: u32 = 1;
const PORTS_OF_TCP: u32 = 1 << 16;
const SLOT_COUNT: u32 = low32(SLOTS as u64);

/// Port (host order) -> slot, 0 where it is not watched. The agent writes.
#[map]
pub(crate) static PORTS: Array<u32> = Array::pinned(PORTS_OF_TCP, 0);

/// Slot -> its port and its limits. The agent writes.
#[map]
pub(crate) static WATCHED: Array<Watched> = Array::pinned(SLOT_COUNT, 0);

/// Slot -> counters, per CPU. The programs write, the agent reads and sums.
#[map]
pub(crate) static COUNTERS: PerCpuArray<Counters> = PerCpuArray::pinned(SLOT_COUNT, 0);

/// Prefix of protected addresses (IPv4 as mapped) -> 1. The agent writes and refuses what does
/// not fit.
#[map]
pub(crate) static PROTECTED: LpmTrie<[u32; 4], u32> = LpmTrie::pinned(4096, BPF_F_NO_PREALLOC);

/// Prefix of addresses (IPv4 as mapped) whose connections are copied up at any rate -> 1. The agent
/// writes and refuses what does not fit.
#[map]
pub(crate) static FOLLOWED: LpmTrie<[u32; 4], u32> = LpmTrie::pinned(4096, BPF_F_NO_PREALLOC);

/// IPv4 address -> ban. The agent writes and refuses when it is full; nothing evicts. *Configured.*
#[map]
pub(crate) static BANS_V4: HashMap<u32, Ban> = HashMap::pinned(100_000, BPF_F_NO_PREALLOC);

/// IPv6 address -> ban, as above. *Configured.*
#[map]
pub(crate) static BANS_V6: HashMap<[u32; 4], Ban> = HashMap::pinned(100_000, BPF_F_NO_PREALLOC);

/// IPv4 prefix -> ban, as above. *Configured.*
#[map]
pub(crate) static CIDR_BANS_V4: LpmTrie<u32, Ban> = LpmTrie::pinned(10_000, BPF_F_NO_PREALLOC);

/// IPv6 prefix -> ban, as above. *Configured.*
#[map]
pub(crate) static CIDR_BANS_V6: LpmTrie<[u32; 4], Ban> = LpmTrie::pinned(10_000, BPF_F_NO_PREALLOC);

/// Place of a source -> the source that was last dropped there, per CPU. The programs write; what
/// one replaces is looked up again.
#[map]
pub(crate) static RECENT: PerCpuArray<Recent> = PerCpuArray::with_max_entries(PLACES, 0);

/// Counter of a ban -> what it met, per CPU. The agent gives the counters to bans and sets them to
/// zero, the programs write, the agent reads and sums.
#[map]
pub(crate) static BAN_COUNTS: PerCpuArray<BanCount> = PerCpuArray::pinned(BAN_COUNTERS, 0);

/// Source and slot -> the state of a source that completed a handshake. The programs write; the
/// least recently used is evicted, which forgives a source at worst. *Configured.*
#[map]
pub(crate) static SOURCES: LruHashMap<SourceKey, SourceState> = LruHashMap::pinned(65_536, 0);

/// Source and slot -> the state of a source that did not, as above. Sources that may be made up
/// push out each other here, and none that are known. *Configured.*
#[map]
pub(crate) static NEWCOMERS: LruHashMap<SourceKey, SourceState> = LruHashMap::pinned(65_536, 0);

/// Slot -> theoretical arrival time of the next new source. The programs write.
#[map]
pub(crate) static GATES: Array<u64> = Array::pinned(SLOT_COUNT, 0);

/// A ring of samples. Its own size is that of a template, which the kernel wants for the array
/// below.
pub(crate) type Ring = RingBuf<u64, TEMPLATE_BYTES>;

/// The smallest that a ring can be where a page is 64 KiB.
const TEMPLATE_BYTES: usize = 64 << 10;

/// Shard -> its ring, which the agent makes and reads. A full ring loses the sample and counts it;
/// the last part of it takes small samples alone.
#[btf_map]
pub(crate) static RINGS: ArrayOfMaps<Ring, MAX_SHARDS> = ArrayOfMaps::new();

/// Octets that a processor has written to rings since it last looked how full one is, at index 0.
/// The programs write.
#[map]
pub(crate) static WRITTEN: PerCpuArray<u64> = PerCpuArray::with_max_entries(ONE, 0);

/// Direction of a connection -> sequence number before which the agent needs no payload. The agent
/// writes, the programs remove what is behind; the least recently used is evicted, whose payload is
/// copied up again. Room for as many large bodies as a busy host takes at once. A new agent knows
/// nothing of what an earlier one asked for, so it is not pinned.
#[map]
pub(crate) static SKIPS: LruHashMap<FlowKey, u32> = LruHashMap::with_max_entries(8192, 0);

/// Kernel time of the last error that was logged, at index 0. The programs write.
#[map]
pub(crate) static LAST_LOGGED: Array<u64> = Array::with_max_entries(ONE, 0);
