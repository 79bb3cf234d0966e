//! What is copied up to the agent: segments of sampled connections, and notices.
//!
//! A segment larger than a record is copied in several. It must not decide what becomes of a
//! packet.
#![expect(unsafe_code, reason = "ring records are written, and a key is read, through pointers")]

use core::mem::MaybeUninit;

use aya_ebpf::maps::lpm_trie::Key;
use hooksensor_ebpf::abi::{Address, ESTABLISHED, NO_VLAN, Sample, Settings, SourceKey, kind};
use hooksensor_ebpf::packet::{Network, Transport};

use crate::ctx::{self, Frame};
use crate::maps::Ring;
use crate::source::Source;
use crate::{clock, global, maps, observe, ring, skip};

/// Payload of the record sizes: 512, 1536 and 8192 octets with the head. The ring reserves
/// constant sizes only, and small heads, full Ethernet segments and super-packets are what
/// there is.
pub(crate) const SMALL: usize = 512 - Sample::SIZE;
const MEDIUM: usize = 1536 - Sample::SIZE;
const LARGE: usize = 8192 - Sample::SIZE;

/// [`LARGE`] as the head counts it.
const FULL_PART: u32 = ctx::low32(LARGE as u64);

/// Records one packet may take: the longest IP payload in records of the largest size.
const MAX_PARTS: usize = 0xffff / LARGE + 1;

/// Requests up to which a source counts as new: what it wants has shown by then.
const FEW_REQUESTS: u64 = 16;

/// Nanoseconds that a source counts as failing after a response of 4xx or 5xx: long enough for its
/// next attempt, which senders make within a minute.
const FAILING: u64 = 60_000_000_000;

const FIN_SYN_RST: u8 = 0x07;
const FIN: u8 = 0x01;
pub(crate) const SYN: u8 = 0x02;

/// A record as it lies in the ring.
#[repr(C)]
struct Record<const N: usize> {
    head: Sample,
    payload: MaybeUninit<[u8; N]>,
}

/// What one record holds of a segment.
struct Part {
    /// Octets of the payload before it.
    done: u32,
    /// Octets of the payload in it.
    captured: u32,
    last: bool,
}

/// How a record came to be, or did not.
enum Written {
    Yes,
    RingFull,
    Unreadable,
}

/// Copies up a segment that arrived.
#[inline(always)]
pub(crate) fn ingress<F: Frame>(
    frame: &F,
    settings: &Settings,
    slot: u32,
    network: &Network,
    transport: &Transport,
    length: usize,
) {
    let octets = network.end.min(length).saturating_sub(transport.payload);
    segment(frame, settings, slot, network, transport, octets, kind::INGRESS);
}

/// Copies up a segment that leaves.
#[inline(always)]
pub(crate) fn egress<F: Frame>(
    frame: &F,
    settings: &Settings,
    slot: u32,
    network: &Network,
    transport: &Transport,
) {
    let octets = network.end.min(frame.length()).saturating_sub(transport.payload);
    segment(frame, settings, slot, network, transport, octets, kind::EGRESS);
}

/// Tells the agent that a source is over its limit, and whether its address is known to be its own.
#[inline(always)]
pub(crate) fn over_limit(key: &SourceKey, now: u64) {
    let established = Source::real(key).is_some();
    let notice = Sample {
        time: now,
        source: key.address,
        destination: Address::v4(0),
        sequence: 0,
        acknowledgement: 0,
        payload_length: 0,
        captured: 0,
        interface: 0,
        sampling: 1,
        source_port: 0,
        destination_port: ctx::low16(u64::from(key.slot)),
        vlan: NO_VLAN,
        kind: kind::OVER_LIMIT,
        flags: if established { ESTABLISHED } else { 0 },
    };
    let Some(ring) = ring::of(&key.address) else { return observe::ring_full(key.slot) };
    match ring.reserve_untyped::<Sample>(0) {
        Some(mut record) => {
            record.write(notice);
            record.submit(ring::wake_up(ring, Sample::SIZE));
        }
        None => observe::ring_full(key.slot),
    }
}

#[inline(always)]
fn segment<F: Frame>(
    frame: &F,
    settings: &Settings,
    slot: u32,
    network: &Network,
    transport: &Transport,
    length: usize,
    kind: u8,
) {
    if length == 0 && transport.flags & FIN_SYN_RST == 0 {
        return;
    }
    let peer = if kind == kind::INGRESS { &network.source } else { &network.destination };
    if !keeps(settings, network, transport) && !is_followed(settings, peer, slot) {
        observe::not_sampled(slot);
        return;
    }
    let head = Sample {
        time: clock::now(),
        source: network.source,
        destination: network.destination,
        sequence: transport.sequence,
        acknowledgement: transport.acknowledgement,
        payload_length: ctx::low32(length as u64),
        captured: ctx::low32(length as u64).min(settings.payload_bytes),
        interface: frame.interface(),
        sampling: settings.sample_one_in,
        source_port: transport.source_port,
        destination_port: transport.destination_port,
        vlan: ctx::low16(u64::from(network.vlan)),
        kind,
        flags: transport.flags,
    };
    if !skip::takes(&head, slot) {
        frame.copy_up(&head, slot, transport.payload);
    }
}

/// Whether the connection is one of those that are copied: by a hash that is the same for both
/// directions.
#[inline(always)]
fn keeps(settings: &Settings, network: &Network, transport: &Transport) -> bool {
    let one_in = settings.sample_one_in;
    if one_in <= 1 {
        return one_in == 1;
    }
    let source = network.source.hash(transport.source_port);
    let ends = source.wrapping_add(network.destination.hash(transport.destination_port));
    (ends >> 32).is_multiple_of(u64::from(one_in))
}

/// Whether everything of the source is copied up at any rate but none.
#[inline(always)]
fn is_followed(settings: &Settings, peer: &Address, slot: u32) -> bool {
    settings.sample_one_in != 0 && hooksensor_followed(peer, slot) != 0
}

/// Whether a source is followed, failing, or new. One is new that has completed a handshake and
/// asked for little since: before the handshake it may be made up, and a flood of those must not
/// fill the ring. A function of its own for the verifier, see [`crate::apart`].
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn hooksensor_followed(peer: *const Address, slot: u32) -> u32 {
    // SAFETY: the verifier knows the pointer as one to a whole address, or null, which this tests.
    let Some(peer) = (unsafe { peer.as_ref() }) else { return 0 };
    let settings = global::settings();
    if settings.followed != 0 && maps::FOLLOWED.get(Key::new(128, peer.words())).is_some() {
        return 1;
    }
    let key = SourceKey { address: settings.source_of(peer), slot };
    let source = Source::real(&key);
    let now = clock::coarse_now();
    u32::from(source.is_some_and(|source| source.stands_out(FEW_REQUESTS, now, FAILING)))
}

/// Writes `whole` in as many records as its captured octets take: full ones of the largest size,
/// and what is left in one that fits. A part that is lost ends it: the agent sees a gap of known
/// size.
#[inline(always)]
pub(crate) fn parts<F: Frame>(frame: &F, slot: u32, whole: &Sample, payload: usize) {
    let Some(ring) = ring::of(whole.client()) else { return observe::ring_full(slot) };
    let mut done = 0;
    for _ in 1..MAX_PARTS {
        if whole.captured - done <= FULL_PART {
            break;
        }
        let part = Part { done, captured: FULL_PART, last: false };
        if !written(slot, &record::<F, LARGE>(frame, ring, whole, &part, payload)) {
            return;
        }
        done += FULL_PART;
    }
    let part = Part { done, captured: whole.captured - done, last: true };
    let length = part.captured as usize;
    written(
        slot,
        &if length <= SMALL {
            record::<F, SMALL>(frame, ring, whole, &part, payload)
        } else if length <= MEDIUM {
            record::<F, MEDIUM>(frame, ring, whole, &part, payload)
        } else {
            record::<F, LARGE>(frame, ring, whole, &part, payload)
        },
    );
}

/// Counts what became of a record; whether it is in the ring.
#[inline(always)]
fn written(slot: u32, outcome: &Written) -> bool {
    match outcome {
        Written::Yes => observe::sampled(slot),
        Written::RingFull => observe::ring_full(slot),
        Written::Unreadable => observe::unreadable(slot),
    }
    matches!(outcome, Written::Yes)
}

impl Part {
    /// Turns the head of the whole segment into that of this part.
    #[inline(always)]
    fn apply(&self, head: &mut Sample) {
        let (first, flags) = (self.done == 0, head.flags);
        if !first {
            // A SYN takes one number itself.
            let taken = self.done + u32::from(flags & SYN != 0);
            head.sequence = head.sequence.wrapping_add(taken);
            head.flags &= !SYN;
        }
        if self.last {
            head.payload_length -= self.done;
        } else {
            head.payload_length = self.captured;
            head.flags &= !FIN;
        }
        head.captured = self.captured;
    }
}

#[inline(always)]
fn record<F: Frame, const N: usize>(
    frame: &F,
    ring: &Ring,
    whole: &Sample,
    part: &Part,
    payload: usize,
) -> Written {
    if N != SMALL && ring::is_crowded(ring) {
        return Written::RingFull;
    }
    let Some(mut record) = ring.reserve_untyped::<Record<N>>(0) else { return Written::RingFull };
    // SAFETY: the reservation is a whole `Record<N>`; every field of the head is written before
    // the record is submitted, and the agent reads no more payload than `captured`.
    let target = unsafe { &mut *record.as_mut_ptr() };
    // In place: a head on the stack would pass what is left of it.
    target.head = *whole;
    part.apply(&mut target.head);
    let offset = payload + part.done as usize;
    if part.captured == 0 || frame.copy(offset, &mut target.payload, part.captured as usize) {
        record.submit(ring::wake_up(ring, size_of::<Record<N>>()));
        Written::Yes
    } else {
        record.discard(0);
        Written::Unreadable
    }
}
