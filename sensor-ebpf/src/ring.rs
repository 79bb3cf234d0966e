//! The rings that samples go up in: one for each shard of the agent, and which one is whose.
//!
//! It must not know what a sample holds.
#![expect(
    unsafe_code,
    reason = "a ring is asked for its fill, and a global read, through pointers"
)]

use core::{mem, ptr};

use aya_ebpf::bindings::{BPF_RB_FORCE_WAKEUP, BPF_RB_NO_WAKEUP};
use aya_ebpf::helpers::bpf_ringbuf_query;
use hooksensor_ebpf::abi::{self, Address};

use crate::maps::{self, Ring};

/// How many shards the agent has, which it writes here before it loads the programs. The verifier
/// knows it and takes out what only several need.
#[unsafe(no_mangle)]
static SHARDS: u32 = 1;

/// What the agent picks at random, and writes here as above: a sender who knew how clients are
/// shared out could fill one shard's ring with the traffic of many addresses.
#[unsafe(no_mangle)]
static SEED: u64 = 0;

/// Octets of each ring, which the agent writes here as above: asking the ring for them would be a
/// call for each record.
#[unsafe(no_mangle)]
static RING_BYTES: u64 = 0;

/// What a ring is asked for: octets not yet read (`BPF_RB_AVAIL_DATA` of Linux,
/// include/uapi/linux/bpf.h).
const USED: u64 = 0;

/// What submits a record takes to wake the ring's reader, or not to.
const WAKE_UP: u64 = BPF_RB_FORCE_WAKEUP as u64;
const NO_WAKE_UP: u64 = BPF_RB_NO_WAKEUP as u64;

/// Looks at a ring while as much is written as its reader is woken for. What some dozens of
/// processors write between their looks is then still a fraction of the ring.
const LOOKS: u64 = 16;

/// All but one of so many parts of a ring are open to records of any size. That one holds a
/// thousand small records in a ring of the usual size.
const PARTS: u64 = 16;
const OPEN_TO_ALL: u64 = PARTS - 1;

/// The ring of the shard that looks after a client, both directions of its connections.
#[inline(always)]
pub(crate) fn of(client: &Address) -> Option<&'static Ring> {
    // SAFETY: statics are readable. The compiler must not take their values for those written here.
    let (shards, seed) =
        unsafe { (ptr::read_volatile(&raw const SHARDS), ptr::read_volatile(&raw const SEED)) };
    let shard = if shards > 1 { client.part(shards, seed) } else { 0 };
    maps::RINGS.get(shard)
}

/// Whether what is left of the ring is for small records alone. A body that outruns the agent then
/// loses its own octets, and not the answer and the end of its connection, without which the agent
/// would wait for them until the connection has been silent for minutes.
#[inline(always)]
pub(crate) fn is_crowded(ring: &Ring) -> bool {
    used(ring) > OPEN_TO_ALL * (size() / PARTS)
}

/// Whether the agent is woken for a record of `octets`, as what submits it takes it. Without need
/// the agent looks by itself after a while: a wake-up costs it, and the packet, more than the
/// record does.
#[inline(always)]
pub(crate) fn wake_up(ring: &Ring, octets: usize) -> u64 {
    if is_due(ring, (octets + abi::RECORD_HEADER) as u64) { WAKE_UP } else { NO_WAKE_UP }
}

/// Asks the ring how full it is only once in a while, for that is a call.
#[inline(always)]
fn is_due(ring: &Ring, record: u64) -> bool {
    let Some(written) = maps::WRITTEN.get_ptr_mut(0) else { return false };
    // SAFETY: the value is this processor's own, and the programs run with softirqs off.
    let written = unsafe { &mut *written };
    *written += record;
    if *written < abi::wakes_at(size()) / LOOKS {
        return false;
    }
    abi::is_due(mem::take(written), used(ring), size())
}

#[inline(always)]
fn used(ring: &Ring) -> u64 {
    // SAFETY: the kernel knows the reference as one to a ring, which it handed out.
    unsafe { bpf_ringbuf_query(ptr::from_ref(ring).cast_mut().cast(), USED) }
}

#[inline(always)]
fn size() -> u64 {
    // SAFETY: a static is readable. The compiler must not take its value for the one written here.
    unsafe { ptr::read_volatile(&raw const RING_BYTES) }
}
