//! The programs the kernel runs: what each hook hands in, and what each reason hands back.
//!
//! It must not know packets.

use aya_ebpf::bindings::{TC_ACT_SHOT, TC_ACT_UNSPEC, xdp_action};
use aya_ebpf::macros::{classifier, xdp};
use aya_ebpf::programs::{TcContext, XdpContext};
use aya_log_ebpf::info;
use hooksensor_ebpf::abi::VERSION;

use crate::ctx::{SocketBuffer, XdpBuffer};
use crate::paths;

/// Judges and samples what arrives, before the stack sees it.
#[xdp(frags)]
pub(crate) fn hooksensor_ingress(context: XdpContext) -> u32 {
    if paths::ingress(&XdpBuffer::new(context)).drops() {
        xdp_action::XDP_DROP
    } else {
        xdp_action::XDP_PASS
    }
}

/// The same where another program has the XDP hook: what passes goes on to the next classifier.
#[classifier]
pub(crate) fn hooksensor_stack(context: TcContext) -> i32 {
    if paths::ingress(&SocketBuffer::new(context)).drops() { TC_ACT_SHOT } else { TC_ACT_UNSPEC }
}

/// Counts and samples what leaves; it lets everything go on to the next classifier.
#[classifier]
pub(crate) fn hooksensor_egress(context: TcContext) -> i32 {
    paths::egress(&SocketBuffer::new(context));
    TC_ACT_UNSPEC
}

/// Says through the log which programs these are. The agent runs it once when it has loaded them.
#[xdp]
#[expect(clippy::needless_pass_by_value, reason = "the hook hands its context over by value")]
pub(crate) fn hooksensor_hello(context: XdpContext) -> u32 {
    info!(&context, "kernel programs loaded, ABI version {}", VERSION);
    xdp_action::XDP_PASS
}

/// Drops whatever it is given: what the least a program can do costs, for the benchmark to compare
/// with. The agent does not load it.
#[xdp]
pub(crate) fn hooksensor_bare(_context: XdpContext) -> u32 {
    xdp_action::XDP_DROP
}

/// A missed check must end at the verifier, never in undefined behaviour: it rejects this loop.
#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

// The kernel reads the programs' licence from this section; nothing else has the name.
#[expect(unsafe_code, reason = "a named section is the only way to state a licence")]
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
