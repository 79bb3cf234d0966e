//! Whom the bans have dropped within the tick at hand: a flood of few sources finds itself here,
//! and is looked for in the maps of bans once a tick.
//!
//! It must not know why a source is dropped.
#![expect(unsafe_code, reason = "map values are behind pointers, and a clock is a helper")]

use aya_ebpf::helpers::generated::bpf_jiffies64;
use hooksensor_ebpf::abi::Address;

use crate::{global, maps};

/// Sources that one processor remembers. What they take is as much as the smallest cache of a
/// processor holds; one that finds its place taken is looked up as if it were new.
pub(crate) const PLACES: u32 = 1 << PLACE_BITS;
const PLACE_BITS: u32 = 10;

/// Bits of a moment that count ticks, which come round after thirty years.
const TICK_BITS: u32 = 40;

/// A source that was dropped on one slot.
#[repr(C)]
pub(crate) struct Recent {
    moment: u64,
    source: [u64; 2],
    slot: u32,
    counter: u32,
}

/// A tick in which the agent has changed nothing: bans do not end within one, for their clock goes
/// by ticks.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Moment(u64);

impl Moment {
    /// The moment at hand. What is then looked up is remembered as of this moment, so that a change
    /// that comes between ends it.
    #[inline(always)]
    pub(crate) fn now() -> Self {
        // SAFETY: the helper takes no arguments and only reads the clock.
        let tick = unsafe { bpf_jiffies64() };
        Self(tick.wrapping_add(global::generation() << TICK_BITS))
    }

    /// The counter of the ban for which this processor has dropped the source on this slot.
    #[inline(always)]
    pub(crate) fn dropped_for(self, source: &Address, slot: u32) -> Option<u32> {
        let place = place(source)?;
        // SAFETY: the value is this processor's own, and the programs run with preemption off.
        let known = unsafe { &*place };
        let is_it = known.moment == self.0 && known.source == halves(source) && known.slot == slot;
        is_it.then_some(known.counter)
    }

    /// Remembers that the source was dropped on this slot for the ban that has this counter.
    #[inline(always)]
    pub(crate) fn dropped(self, source: &Address, slot: u32, counter: u32) {
        let Some(place) = place(source) else { return };
        let recent = Recent { moment: self.0, source: halves(source), slot, counter };
        // SAFETY: as above.
        unsafe { place.write(recent) };
    }
}

#[inline(always)]
fn place(source: &Address) -> Option<*mut Recent> {
    /// 2^32 divided by the golden ratio: spreads consecutive addresses (Knuth, 6.4).
    const SPREAD: u32 = 0x9e37_79b9;
    let [a, b, c, d] = source.words();
    let mixed = u32::from_be(a ^ b ^ c ^ d).wrapping_mul(SPREAD);
    maps::RECENT.get_ptr_mut(mixed >> (32 - PLACE_BITS))
}

#[inline(always)]
fn halves(source: &Address) -> [u64; 2] {
    let [a, b, c, d] = source.words();
    let pair = |low: u32, high: u32| u64::from(high) << 32 | u64::from(low);
    [pair(a, b), pair(c, d)]
}
