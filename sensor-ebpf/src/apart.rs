//! Functions the verifier looks at once, by themselves, whichever way leads to them.
//!
//! Followed from each way through the headers their branches would multiply, and the programs
//! would pass the limit of a million instructions. A kernel looks apart at a function with external
//! linkage only, and knows a pointer as one to a whole value, or null (Linux 5.12, commit
//! e5069b9c23b3). It must not decide anything.
#![expect(unsafe_code, reason = "such a function takes pointers")]

use aya_ebpf::bindings::{__sk_buff, xdp_md};
use aya_ebpf::programs::{TcContext, XdpContext};
use hooksensor_ebpf::abi::Sample;
use hooksensor_ebpf::packet::{self, Load, Network};

use crate::ctx::{Frame, SocketBuffer, XdpBuffer};
use crate::sample;

#[unsafe(no_mangle)]
#[inline(never)]
pub(crate) extern "C" fn hooksensor_walk_buffer(context: *mut xdp_md, out: *mut Network) -> u32 {
    walk(&XdpBuffer::new(XdpContext::new(context)), out)
}

#[unsafe(no_mangle)]
#[inline(never)]
pub(crate) extern "C" fn hooksensor_walk_socket(context: *mut __sk_buff, out: *mut Network) -> u32 {
    walk(&SocketBuffer::new(TcContext::new(context)), out)
}

#[unsafe(no_mangle)]
#[inline(never)]
pub(crate) extern "C" fn hooksensor_copy_buffer(
    context: *mut xdp_md,
    head: *const Sample,
    slot: u32,
    payload: u32,
) -> u32 {
    copy(&XdpBuffer::new(XdpContext::new(context)), head, slot, payload)
}

#[unsafe(no_mangle)]
#[inline(never)]
pub(crate) extern "C" fn hooksensor_copy_socket(
    context: *mut __sk_buff,
    head: *const Sample,
    slot: u32,
    payload: u32,
) -> u32 {
    copy(&SocketBuffer::new(TcContext::new(context)), head, slot, payload)
}

/// 1 when `out` holds the packet's addresses; otherwise its `transport` says why it does not.
#[inline(always)]
fn walk<L: Load>(frame: &L, out: *mut Network) -> u32 {
    // SAFETY: the callers pass a reference, of which the verifier tests here that it is not null.
    let Some(out) = (unsafe { out.as_mut() }) else { return 0 };
    match packet::network(frame) {
        Ok(network) => {
            *out = network;
            1
        }
        Err(reason) => {
            out.transport = reason;
            0
        }
    }
}

#[inline(always)]
fn copy<F: Frame>(frame: &F, head: *const Sample, slot: u32, payload: u32) -> u32 {
    // SAFETY: as above.
    let Some(head) = (unsafe { head.as_ref() }) else { return 0 };
    sample::parts(frame, slot, head, payload as usize);
    1
}
