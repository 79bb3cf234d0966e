//! What time it is.
//!
//! It must not know what the time is for.
#![expect(unsafe_code, reason = "the clocks are helpers of the kernel")]

use aya_ebpf::helpers::generated::{bpf_jiffies64, bpf_ktime_get_coarse_ns, bpf_ktime_get_ns};

use crate::global::Shared;

/// The last tick in which the time was read, and that time.
#[unsafe(link_section = ".bss.clock")]
#[unsafe(no_mangle)]
static LAST: Shared<[u64; 2]> = Shared::new([0; 2]);

/// Precise kernel time, for what a record will say.
#[inline(always)]
pub(crate) fn now() -> u64 {
    // SAFETY: the helper takes no arguments and only reads the clock.
    unsafe { bpf_ktime_get_ns() }
}

/// Kernel time in steps of a tick, for limits and expiries. It is asked for once a tick (Linux 5.11,
/// commit d05512618056); that there is a new one costs a load to see (Linux 5.6, commit
/// 5576b991e9c1).
///
/// The two words are written without a lock. Their order keeps a reader from an old time beside a
/// new tick; two writers at once may leave it, and with it a time of the tick before.
#[inline(always)]
pub(crate) fn coarse_now() -> u64 {
    let last: *mut u64 = LAST.place().cast();
    // SAFETY: both words lie in the variable, and each is read and written by one instruction.
    // The helpers take no arguments and only read the clock.
    unsafe {
        let (tick, time) = (last, last.add(1));
        let current = bpf_jiffies64();
        if tick.read_volatile() == current {
            return time.read_volatile();
        }
        let now = bpf_ktime_get_coarse_ns();
        tick.write_volatile(0);
        time.write_volatile(now);
        tick.write_volatile(current);
        now
    }
}
