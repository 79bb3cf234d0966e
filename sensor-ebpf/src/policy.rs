//! What becomes of a packet that arrives: protected? banned? over its rate?
//!
//! It must not know hooks or packet actions.

use aya_ebpf::maps::lpm_trie::{Key, LpmTrie};
use hooksensor_ebpf::abi::{Address, Ban, Reason, Settings, SourceKey, SourceState};
use hooksensor_ebpf::limit::{self, Outcome};
use hooksensor_ebpf::packet::Network;

use crate::{atomic, ctx, maps, observe, sample};

/// Bans on one address that may lie inside each other and be looked through: an expired narrow
/// one must not hide a wide one in force.
const NESTED_BANS: usize = 4;

/// Attempts at the limiter's word before a packet passes for want of a quiet moment.
const SWAPS: usize = 4;

/// Nanoseconds between two notices about one source.
const NOTICE_INTERVAL: u64 = 100_000_000;

const ALL_SLOTS: u32 = u32::MAX;

/// A packet with a source and no port: banned on any port is banned, for the rest of a datagram
/// would otherwise slip by.
#[inline(always)]
pub(crate) fn portless(network: &Network, reason: Reason) -> Reason {
    let Some(settings) = maps::SETTINGS.get(0) else { return reason };
    let tcp = !matches!(reason, Reason::NotTcp | Reason::Tunnel);
    if !tcp && settings.host_bans == 0 {
        return reason;
    }
    let slot = if tcp { ALL_SLOTS } else { 0 };
    if banned(settings, &network.source, slot) {
        against(settings, &network.source, Reason::DropBanned, Reason::WouldDropBanned)
    } else {
        reason
    }
}

#[inline(always)]
pub(crate) fn judge(settings: &Settings, source: &Address, slot: u32) -> Reason {
    if banned(settings, source, slot) {
        return against(settings, source, Reason::DropBanned, Reason::WouldDropBanned);
    }
    if slot != 0 && over_limit(source, slot) {
        return against(settings, source, Reason::DropLimited, Reason::WouldDropLimited);
    }
    Reason::Clean
}

/// What is done to a packet with something against it. Looking up protection only here keeps it
/// off the path of clean packets, and changes nothing for protected ones.
#[inline(always)]
fn against(settings: &Settings, source: &Address, enforced: Reason, simulated: Reason) -> Reason {
    if maps::PROTECTED.get(Key::new(128, source.words())).is_some() {
        Reason::Protected
    } else if settings.enforce == 1 {
        enforced
    } else {
        simulated
    }
}

#[inline(always)]
fn banned(settings: &Settings, source: &Address, slot: u32) -> bool {
    if let Some(word) = source.as_v4() {
        in_force(maps::BANS_V4.get_ptr(word), slot)
            || (settings.cidr_bans_v4 != 0 && cidr(&maps::CIDR_BANS_V4, word, 32, slot))
    } else {
        let words = source.words();
        in_force(maps::BANS_V6.get_ptr(words), slot)
            || (settings.cidr_bans_v6 != 0 && cidr(&maps::CIDR_BANS_V6, words, 128, slot))
    }
}

#[inline(always)]
fn cidr<K: Copy>(bans: &LpmTrie<K, Ban>, address: K, width: u32, slot: u32) -> bool {
    let mut length = width;
    for _ in 0..NESTED_BANS {
        let Some(ban) = bans.get(Key::new(length, address)) else { return false };
        if covers(ban, slot) {
            return true;
        }
        if ban.prefix_length == 0 || ban.prefix_length > length {
            return false;
        }
        length = ban.prefix_length - 1;
    }
    false
}

#[inline(always)]
#[expect(unsafe_code, reason = "a map value is behind a pointer")]
fn in_force(ban: Option<*const Ban>, slot: u32) -> bool {
    // SAFETY: the kernel hands out pointers to values that stay readable while the program runs;
    // the agent replaces an entry whole and never changes one in place.
    ban.is_some_and(|ban| covers(unsafe { &*ban }, slot))
}

#[inline(always)]
fn covers(ban: &Ban, slot: u32) -> bool {
    if slot == ALL_SLOTS {
        ban.expires > ctx::coarse_now()
    } else {
        ban.covers(slot, ctx::coarse_now())
    }
}

/// Takes one packet from the source's allowance on this port; whether there was none left.
#[inline(always)]
fn over_limit(source: &Address, slot: u32) -> bool {
    let Some(limit) = maps::WATCHED.get(slot).map(|watched| &watched.limit) else { return false };
    if limit.interval == 0 {
        return false;
    }
    let key = SourceKey { address: observe::grouped(source), slot };
    let Some(state) = maps::SOURCES.get_ptr_mut(key) else {
        let state =
            SourceState { arrival: ctx::coarse_now() + limit.interval, ..SourceState::default() };
        if maps::SOURCES.insert(key, state, 0).is_err() {
            observe::source_refused(slot);
        }
        return false;
    };
    for _ in 0..SWAPS {
        let now = ctx::coarse_now();
        let place = arrival(state);
        let seen = atomic::load(place);
        match limit::judge(*limit, seen, now) {
            Outcome::Over => {
                notice(&key, state, now);
                return true;
            }
            Outcome::Conforming(next) if atomic::replace(place, seen, next) => return false,
            Outcome::Conforming(_) => {}
        }
    }
    false
}

/// Tells the agent about a source over its limit, at most once in [`NOTICE_INTERVAL`].
#[inline(always)]
#[expect(unsafe_code, reason = "a map value is behind a pointer")]
fn notice(key: &SourceKey, state: *mut SourceState, now: u64) {
    // SAFETY: the pointer is to a map value. Counts of two CPUs may overwrite each other; the
    // count serves to tell a trickle from a flood, the exact figure is in the port's counters.
    let (place, last) = unsafe {
        (*state).over_limit += 1;
        (&raw mut (*state).noticed, atomic::load(&raw const (*state).noticed))
    };
    if now.saturating_sub(last) >= NOTICE_INTERVAL && atomic::replace(place, last, now) {
        sample::over_limit(key, now);
    }
}

#[inline(always)]
#[expect(unsafe_code, reason = "a map value is behind a pointer")]
fn arrival(state: *mut SourceState) -> *mut u64 {
    // SAFETY: the address of a field is taken; nothing is read.
    unsafe { &raw mut (*state).arrival }
}
