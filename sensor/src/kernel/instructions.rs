//! Asks the verifier about single instructions, which no helper stands for.
//!
//! It must not know what they are used for.
#![expect(unsafe_code, reason = "bpf(2) has no safe wrapper for loading bare instructions")]

use nix::libc::c_long;

use super::again::{is_cut_short, until_judged};
use super::call::obtain;

const BPF_PROG_LOAD: c_long = 5;
const BPF_PROG_TYPE_SOCKET_FILTER: u32 = 1;

/// The part of `union bpf_attr` that loading a program uses (bpf.h).
#[repr(C)]
#[derive(Default)]
struct Attributes {
    kind: u32,
    count: u32,
    instructions: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log: u64,
    kernel_version: u32,
    flags: u32,
}

/// An instruction: operation, registers (source high, destination low), offset, number.
const fn instruction(operation: u8, registers: u8, offset: i16, number: i32) -> [u8; 8] {
    let [a, b] = offset.to_ne_bytes();
    let [c, d, e, f] = number.to_ne_bytes();
    [operation, registers, a, b, c, d, e, f]
}

/// `r0 = 0; r1 = 0; *(r10 - 8) = r0; r0 = cmpxchg_64(r10 - 8, r0, r1); r0 = 0; exit`
/// (instruction-set.rst).
const COMPARE_AND_SWAP: [[u8; 8]; 6] = [
    instruction(0xb7, 0x00, 0, 0),
    instruction(0xb7, 0x01, 0, 0),
    instruction(0x7b, 0x0a, -8, 0),
    instruction(0xdb, 0x1a, -8, 0xf1),
    instruction(0xb7, 0x00, 0, 0),
    instruction(0x95, 0x00, 0, 0),
];

/// Whether programs may replace a word if it still is the one they saw (Linux 5.12, commit
/// 5ffa25502b5a).
pub(super) fn has_compare_and_swap() -> bool {
    accepts(&COMPARE_AND_SWAP)
}

/// Whether the kernel takes a program of these instructions, which is dropped at once.
fn accepts(instructions: &[[u8; 8]]) -> bool {
    let mut attributes = Attributes {
        kind: BPF_PROG_TYPE_SOCKET_FILTER,
        count: u32::try_from(instructions.len()).unwrap_or(u32::MAX),
        instructions: instructions.as_ptr().addr() as u64,
        license: c"GPL".as_ptr().addr() as u64,
        ..Attributes::default()
    };
    // SAFETY: the attributes are those the command reads, which gives a descriptor; they live
    // through the call, as do the instructions and the licence they point to. The kernel writes
    // nothing.
    let load = || unsafe { obtain(BPF_PROG_LOAD, &mut attributes) };
    until_judged(load, is_cut_short).is_ok()
}
