//! What becomes of a packet that arrives: protected? banned? over a limit?
//!
//! It must not know hooks or packet actions.

use aya_ebpf::maps::lpm_trie::{Key, LpmTrie};
use hooksensor_ebpf::abi::{Address, Ban, Limits, Method, Reason, Settings, SourceKey};
use hooksensor_ebpf::packet::{Network, Transport};

use crate::source::{Arrival, Source};
use crate::{clock, ctx, maps, observe, sample};

/// Bans on one address that may lie inside each other and be looked through: an expired narrow
/// one must not hide a wide one in force.
const NESTED_BANS: usize = 4;

/// Nanoseconds between two notices about one source.
const NOTICE_INTERVAL: u64 = 100_000_000;

const ALL_SLOTS: u32 = u32::MAX;

/// [`Banned`] as a function that stands apart returns it: nothing, or these bits below its counter.
const NO: u32 = 0;
const YES: u32 = 1;
const GUARDED: u32 = 2;
const COUNTER_SHIFT: u32 = 2;

/// Traits of a segment.
const OPENS: u32 = 1;
const ASKS: u32 = 2;

/// The limit a segment is over.
const CLEAN: u32 = 0;
const PACKETS: u32 = 1;
const CONNECTIONS: u32 = 2;
const REQUESTS: u32 = 3;
const NEW_SOURCE: u32 = 4;

/// A segment to a watched port, as far as limits see it.
struct Segment<'a> {
    key: &'a SourceKey,
    /// Octets of the frame.
    bytes: u64,
    opens: bool,
    asks: bool,
    acknowledgement: u32,
}

/// What a ban says of a source it covers.
#[derive(Clone, Copy)]
pub(crate) struct Banned {
    /// Which counter the ban has.
    pub(crate) counter: u32,
    /// Whether the source may be protected.
    guarded: bool,
}

/// A packet with a source and no port: banned on any port is banned, for the rest of a datagram
/// would otherwise slip by.
#[inline(always)]
pub(crate) fn portless(
    settings: &Settings,
    network: &Network,
    reason: Reason,
    length: usize,
) -> Reason {
    if is_beyond_bans(settings, reason) {
        return reason;
    }
    let slot = if is_no_tcp(reason) { 0 } else { ALL_SLOTS };
    banned(settings, &network.source, slot)
        .map_or(reason, |banned| met(settings, &network.source, banned, length))
}

/// What becomes of a packet of a source that a ban covers, counted by that ban unless the source is
/// protected.
#[inline(always)]
pub(crate) fn met(settings: &Settings, source: &Address, banned: Banned, length: usize) -> Reason {
    let reason = against(settings, source, banned.guarded, Reason::DropBanned);
    if !matches!(reason, Reason::Protected) {
        observe::met(banned.counter, length);
    }
    reason
}

/// Whether no ban can be on a packet that has this reason for its ports not to be known.
#[inline(always)]
pub(crate) const fn is_beyond_bans(settings: &Settings, reason: Reason) -> bool {
    is_no_tcp(reason) && settings.host_bans == 0
}

#[inline(always)]
const fn is_no_tcp(reason: Reason) -> bool {
    matches!(reason, Reason::NotTcp | Reason::Tunnel)
}

/// What becomes of a packet with something against it. Looking up protection only here keeps it
/// off the path of clean packets, and changes nothing for protected ones.
#[inline(always)]
fn against(settings: &Settings, source: &Address, guarded: bool, reason: Reason) -> Reason {
    let protected = || maps::PROTECTED.get(Key::new(128, source.words())).is_some();
    if guarded && protected() {
        Reason::Protected
    } else if settings.enforce == 1 {
        reason
    } else {
        reason.simulated()
    }
}

/// What stands in the maps of bans of a source.
#[inline(always)]
pub(crate) fn banned(settings: &Settings, source: &Address, slot: u32) -> Option<Banned> {
    if let Some(word) = source.as_v4() {
        match in_force(maps::BANS_V4.get_ptr(word), slot) {
            None if settings.cidr_bans_v4 != 0 => in_network(source, slot),
            banned => banned,
        }
    } else {
        let words = source.words();
        match in_force(maps::BANS_V6.get_ptr(words), slot) {
            None if settings.cidr_bans_v6 != 0 => in_network(source, slot),
            banned => banned,
        }
    }
}

/// What stands in the maps of networks of a source.
#[inline(always)]
fn in_network(source: &Address, slot: u32) -> Option<Banned> {
    // A copy, so that what is looked up before need not lie in memory.
    let source = *source;
    match hooksensor_networks(&raw const source, slot) {
        NO => None,
        banned => Some(Banned { counter: banned >> COUNTER_SHIFT, guarded: banned & GUARDED != 0 }),
    }
}

/// A function of its own for the verifier, see [`crate::apart`].
#[unsafe(no_mangle)]
#[inline(never)]
#[expect(unsafe_code, reason = "the verifier looks apart only at functions with external linkage")]
extern "C" fn hooksensor_networks(source: *const Address, slot: u32) -> u32 {
    // SAFETY: the verifier knows the pointer as one to a whole address, or null, which this tests.
    let Some(source) = (unsafe { source.as_ref() }) else { return NO };
    let banned = match source.as_v4() {
        Some(word) => cidr(&maps::CIDR_BANS_V4, word, 32, slot),
        None => cidr(&maps::CIDR_BANS_V6, source.words(), 128, slot),
    };
    banned.map_or(NO, |Banned { counter, guarded }| {
        counter << COUNTER_SHIFT | if guarded { YES | GUARDED } else { YES }
    })
}

#[inline(always)]
fn cidr<K: Copy>(bans: &LpmTrie<K, Ban>, address: K, width: u32, slot: u32) -> Option<Banned> {
    let mut length = width;
    for _ in 0..NESTED_BANS {
        let ban = bans.get(Key::new(length, address))?;
        if covers(ban, slot) {
            return Some(said(ban));
        }
        let prefix_length = u32::from(ban.prefix_length);
        if prefix_length == 0 || prefix_length > length {
            return None;
        }
        length = prefix_length - 1;
    }
    None
}

#[inline(always)]
#[expect(unsafe_code, reason = "a map value is behind a pointer")]
fn in_force(ban: Option<*const Ban>, slot: u32) -> Option<Banned> {
    // SAFETY: the kernel hands out pointers to values that stay readable while the program runs;
    // the agent replaces an entry whole and never changes one in place.
    let ban = unsafe { &*ban? };
    covers(ban, slot).then(|| said(ban))
}

#[inline(always)]
fn said(ban: &Ban) -> Banned {
    Banned { counter: ban.counter, guarded: ban.guarded != 0 }
}

#[inline(always)]
fn covers(ban: &Ban, slot: u32) -> bool {
    if slot == ALL_SLOTS {
        ban.expires > clock::coarse_now()
    } else {
        ban.covers(slot, clock::coarse_now())
    }
}

/// Takes a segment from what its source is allowed, and counts it there.
#[inline(always)]
pub(crate) fn limited(
    settings: &Settings,
    network: &Network,
    transport: &Transport,
    slot: u32,
    length: usize,
    method: Method,
) -> Reason {
    let [a, b, c, d] = settings.source_of(&network.source).words();
    let traits = u32::from(observe::opens(transport)) * OPENS
        + u32::from(!matches!(method, Method::None)) * ASKS;
    match hooksensor_limit(
        pair(a, b),
        pair(c, d),
        pair(slot, traits),
        length as u64,
        transport.acknowledgement,
    ) {
        CLEAN => Reason::Clean,
        PACKETS => against(settings, &network.source, true, Reason::DropLimited),
        CONNECTIONS => against(settings, &network.source, true, Reason::DropConnections),
        REQUESTS => against(settings, &network.source, true, Reason::DropRequests),
        _ => against(settings, &network.source, true, Reason::DropNewSource),
    }
}

/// Two words as one number: a function of the programs takes five numbers and no more.
#[inline(always)]
fn pair(low: u32, high: u32) -> u64 {
    u64::from(high) << 32 | u64::from(low)
}

/// A function of its own for the verifier, see [`crate::apart`].
///
/// The address comes by value, for Linux 6.1 asks no map for a key that lies in the caller's frame.
#[unsafe(no_mangle)]
#[inline(never)]
#[expect(unsafe_code, reason = "the verifier looks apart only at functions with external linkage")]
extern "C" fn hooksensor_limit(
    front: u64,
    back: u64,
    slot_and_traits: u64,
    bytes: u64,
    acknowledgement: u32,
) -> u32 {
    let halves = |pair: u64| [ctx::low32(pair), ctx::low32(pair >> 32)];
    let ([a, b], [c, d]) = (halves(front), halves(back));
    let [slot, traits] = halves(slot_and_traits);
    let key = &SourceKey { address: Address::v6([a, b, c, d]), slot };
    let Some(port) = maps::WATCHED.get(slot) else { return CLEAN };
    let segment = Segment {
        key,
        bytes,
        opens: traits & OPENS != 0,
        asks: traits & ASKS != 0,
        acknowledgement,
    };
    judge(&port.limits, &segment)
}

#[inline(always)]
fn judge(limits: &Limits, segment: &Segment<'_>) -> u32 {
    let now = clock::coarse_now();
    let source = match Source::find(segment.key) {
        Some(source) => source,
        None => match newcomer(limits, segment.key, now) {
            Ok(source) => source,
            Err(code) => return code,
        },
    };
    let source = source.acknowledged(segment.key, segment.acknowledgement);
    source.count(segment.bytes, segment.opens, segment.asks);
    let code = if !source.packets().takes(&limits.packets, now) {
        PACKETS
    } else if segment.opens && !source.connections().takes(&limits.connections, now) {
        CONNECTIONS
    } else if segment.asks && !source.requests().takes(&limits.requests, now) {
        REQUESTS
    } else {
        return CLEAN;
    };
    if source.over(now, NOTICE_INTERVAL) {
        sample::over_limit(segment.key, now);
    }
    code
}

/// A source that was not seen before, if the port takes another one: a flood from made-up sources
/// must not push out what is known of real ones.
#[inline(always)]
fn newcomer(limits: &Limits, key: &SourceKey, now: u64) -> Result<Source, u32> {
    if Arrival::of_new_sources(key.slot).is_some_and(|gate| !gate.takes(&limits.new_sources, now)) {
        return Err(NEW_SOURCE);
    }
    Source::make(key).ok_or_else(|| {
        observe::source_refused(key.slot);
        CLEAN
    })
}
