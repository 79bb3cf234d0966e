//! Atomic changes of a map value; `core::sync::atomic` has none on this target.
//!
//! It must not know what the word means.
#![expect(unsafe_code, reason = "the instruction has no safe form")]

use core::arch::asm;

/// Reads the word at `place` once, whatever other CPUs do to it.
#[inline(always)]
pub(crate) fn load(place: *const u64) -> u64 {
    // SAFETY: callers pass a pointer into a map value the verifier has seen checked for null; a
    // 64-bit aligned load is single-copy atomic on every target BPF runs on.
    unsafe { place.read_volatile() }
}

/// Replaces the word at `place` by `new` if it still is `expected`; what it was, which is
/// `expected` where it was replaced.
#[inline(always)]
pub(crate) fn replace(place: *mut u64, expected: u64, new: u64) -> u64 {
    let found: u64;
    // SAFETY: as in `load`; the instruction is atomic and touches nothing else. It compares and
    // answers in r0 (Linux 5.12, commit 5ffa25502b5a).
    unsafe {
        asm!(
            "r0 = cmpxchg_64({place} + 0, r0, {new})",
            place = in(reg) place,
            new = in(reg) new,
            inlateout("r0") expected => found,
        );
    }
    found
}

/// Adds to the word at `place`.
#[inline(always)]
pub(crate) fn add(place: *mut u64, amount: u64) {
    // SAFETY: as in `load`; the instruction is atomic and touches nothing else.
    unsafe {
        asm!(
            "lock *(u64 *)({place} + 0) += {amount}",
            place = in(reg) place,
            amount = in(reg) amount,
        );
    }
}
