//! What time it is.
//!
//! It must not know what the time is for.
#![expect(unsafe_code, reason = "the clocks are helpers of the kernel")]

use aya_ebpf::helpers::generated::{bpf_jiffies64, bpf_ktime_get_coarse_ns, bpf_ktime_get_ns};

use crate::global::Shared;

/// The time as it was last read, in steps of [`STEP_BITS`], and below it the lowest [`TICK_BITS`]
/// of the tick it was read in: one word, so that neither is ever seen without the other.
#[unsafe(link_section = ".bss.clock")]
#[unsafe(no_mangle)]
static LAST: Shared<u64> = Shared::new(0);

/// A step is about a millisecond, as long as the shortest tick.
const STEP_BITS: u32 = 20;

/// Ticks come round after four hours at least. Where no packet came for just so long, to the tick,
/// the first ones are judged by the time of the last, for a tick.
const TICK_BITS: u32 = 24;

/// Precise kernel time, for what a record will say.
#[inline(always)]
pub(crate) fn now() -> u64 {
    // SAFETY: the helper takes no arguments and only reads the clock.
    unsafe { bpf_ktime_get_ns() }
}

/// Kernel time in steps of a tick, for limits and expiries. It is asked for once a tick (Linux
/// 5.11, commit d05512618056); that there is a new one costs a load to see (Linux 5.6, commit
/// 5576b991e9c1). Of several processors that ask at once the last one's answer stays, and all are
/// of the same tick, or of one that the next reader knows for an old one.
#[inline(always)]
pub(crate) fn coarse_now() -> u64 {
    const TICKS: u64 = (1 << TICK_BITS) - 1;
    let last = LAST.place();
    // SAFETY: the word is read and written by one instruction each. The helpers take no arguments
    // and only read the clock.
    unsafe {
        let tick = bpf_jiffies64() & TICKS;
        let mut word = last.read_volatile();
        if word & TICKS != tick || word >> TICK_BITS == 0 {
            word = bpf_ktime_get_coarse_ns() >> STEP_BITS << TICK_BITS | tick;
            last.write_volatile(word);
        }
        word >> TICK_BITS << STEP_BITS
    }
}
