//! The exact counters: every packet, whatever becomes of it, and the heads of requests and
//! responses.
//!
//! It must not decide anything.
#![expect(unsafe_code, reason = "a counter is behind a pointer")]

use aya_log_ebpf::warn;
use hooksensor_ebpf::abi::{Address, Counters, Reason};
use hooksensor_ebpf::head;
use hooksensor_ebpf::packet::{Network, Transport};

use crate::ctx::{self, Frame};
use crate::{atomic, maps};

const SYN: u8 = 0x02;
const ACK: u8 = 0x10;

/// Nanoseconds between two lines in the log about the same trouble.
const LOG_INTERVAL: u64 = 10_000_000_000;

/// The slot of a port, 0 when it is not watched.
#[inline(always)]
pub(crate) fn slot(port: u16) -> u32 {
    maps::PORTS.get(u32::from(port)).copied().unwrap_or(0)
}

/// The address a source is limited under: IPv4 whole, IPv6 by its /64, which one host may fill.
#[inline(always)]
pub(crate) fn grouped(source: &Address) -> Address {
    if source.as_v4().is_some() {
        *source
    } else {
        let words = source.words();
        Address::v6([words[0], words[1], 0, 0])
    }
}

/// Counts a packet whose head nobody needs.
#[inline(always)]
pub(crate) fn arrival<F: Frame>(slot: u32, reason: Reason, frame: &F) -> Reason {
    if let Some(counters) = counters(slot) {
        counters.reasons[reason as usize] += 1;
        counters.ingress_bytes += frame.length() as u64;
    }
    reason
}

/// Counts a segment to a watched port, its SYN and its request line.
#[inline(always)]
pub(crate) fn request<F: Frame>(
    slot: u32,
    reason: Reason,
    frame: &F,
    network: &Network,
    transport: &Transport,
) {
    let Some(counters) = counters(slot) else { return };
    counters.reasons[reason as usize] += 1;
    counters.ingress_bytes += frame.length() as u64;
    if transport.flags & (SYN | ACK) == SYN {
        counters.connections += 1;
    }
    if transport.payload + head::LENGTH <= network.end
        && let Some(octets) = frame.octets(transport.payload)
        && head::is_request(&octets)
    {
        counters.requests += 1;
    }
}

/// Counts a packet that leaves a watched port, and its status line.
#[inline(always)]
pub(crate) fn response<F: Frame>(slot: u32, frame: &F, network: &Network, transport: &Transport) {
    let Some(counters) = counters(slot) else { return };
    counters.egress_packets += 1;
    counters.egress_bytes += frame.length() as u64;
    if transport.payload + head::LENGTH <= network.end
        && let Some(octets) = frame.octets(transport.payload)
        && let Some(class) = head::status_class(&octets)
        && let Some(count) = counters.responses.get_mut(ctx::opaque(usize::from(class)))
    {
        *count += 1;
    }
}

/// Counts a source that could not be given a state, and says so now and then.
#[inline(always)]
pub(crate) fn source_refused(slot: u32) {
    if let Some(counters) = counters(slot) {
        counters.sources_refused += 1;
    }
    let Some(last) = maps::LAST_LOGGED.get_ptr_mut(0) else { return };
    let (now, seen) = (ctx::now(), atomic::load(last));
    if now.saturating_sub(seen) >= LOG_INTERVAL && atomic::replace(last, seen, now) {
        log_refusal(slot);
    }
}

/// Counts a record that was copied up.
#[inline(always)]
pub(crate) fn sampled(slot: u32) {
    if let Some(counters) = counters(slot) {
        counters.samples += 1;
    }
}

/// Counts a packet of a connection that is not sampled.
#[inline(always)]
pub(crate) fn not_sampled(slot: u32) {
    if let Some(counters) = counters(slot) {
        counters.not_sampled += 1;
    }
}

/// Counts a record that found the ring full.
#[inline(always)]
pub(crate) fn ring_full(slot: u32) {
    if let Some(counters) = counters(slot) {
        counters.ring_full += 1;
    }
}

/// Counts a record whose octets could not be read.
#[inline(always)]
pub(crate) fn unreadable(slot: u32) {
    if let Some(counters) = counters(slot) {
        counters.unreadable += 1;
    }
}

#[inline(always)]
fn counters(slot: u32) -> Option<&'static mut Counters> {
    // SAFETY: the value is this CPU's own, and the programs run with preemption off, so nothing
    // else on this CPU holds a reference to it.
    maps::COUNTERS.get_ptr_mut(slot).map(|counters| unsafe { &mut *counters })
}

#[inline(never)]
fn log_refusal(slot: u32) {
    warn!((), "no room for the state of a source on port slot {}: it passes unlimited", slot);
}
