//! Which segments are copied up without their payload, for the agent has no need of it.
//!
//! Their heads are copied up all the same: the agent knows of every octet that was sent, and of
//! none that was not. It must not know what a payload is.
#![expect(unsafe_code, reason = "a head, a map value and a ring record are behind pointers")]

use hooksensor_ebpf::abi::{FlowKey, MAX_SKIP, Sample, kind};

use crate::sample::{SMALL, SYN};
use crate::{ctx, maps, observe, ring};

/// Octets of payload up to which a segment is copied without asking: it takes a record of the
/// smallest size, which costs no more than the look-up.
const CHEAP: u32 = ctx::low32(SMALL as u64);

/// Whether the segment is dealt with: its payload is not needed, and its head was copied up.
#[inline(always)]
pub(crate) fn takes(head: &Sample, slot: u32) -> bool {
    let worth_asking = head.captured > CHEAP || head.flags & SYN != 0;
    worth_asking && hooksensor_skip(head, slot) != 0
}

/// A function of its own for the verifier, see [`crate::apart`].
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn hooksensor_skip(head: *const Sample, slot: u32) -> u32 {
    // SAFETY: the verifier knows the pointer as one to a whole head, or null, which this tests.
    let Some(head) = (unsafe { head.as_ref() }) else { return 0 };
    let key = FlowKey {
        source: head.source,
        destination: head.destination,
        source_port: head.source_port,
        destination_port: head.destination_port,
    };
    // SAFETY: the kernel hands out pointers to values that stay readable while the program runs.
    let Some(until) = (unsafe { maps::SKIPS.get(key) }) else { return 0 };
    let left = until.wrapping_sub(head.sequence);
    if left == 0 || left > MAX_SKIP || head.flags & SYN != 0 {
        // It is behind, or was meant for an earlier connection of these ends.
        maps::SKIPS.remove(key).ok();
        return 0;
    }
    if head.payload_length > left {
        return 0;
    }
    copy_head(head, slot);
    1
}

/// Copies a head up without what follows it.
#[inline(always)]
fn copy_head(head: &Sample, slot: u32) {
    let Some(ring) = ring::of(head.client()) else { return observe::ring_full(slot) };
    let Some(mut record) = ring.reserve_untyped::<Sample>(0) else {
        return observe::ring_full(slot);
    };
    // SAFETY: the reservation is a whole head, every field of which is written here.
    let target = unsafe { &mut *record.as_mut_ptr() };
    // In place: a head on the stack would pass what is left of it.
    *target = *head;
    target.captured = 0;
    target.kind = kind::SKIPPED;
    record.submit(ring::wake_up(ring, Sample::SIZE));
    observe::skipped(slot, head.payload_length);
}
