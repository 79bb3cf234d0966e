//! The exact counters: every packet, whatever becomes of it, and the heads of requests and
//! responses.
//!
//! It must not decide anything.
#![expect(unsafe_code, reason = "a counter is behind a pointer")]

use aya_log_ebpf::warn;
use hooksensor_ebpf::abi::{Counters, Method, Reason, Settings, SourceKey};
use hooksensor_ebpf::head;
use hooksensor_ebpf::packet::{Network, Transport};

use crate::ctx::{self, Frame};
use crate::source::Source;
use crate::{atomic, clock, maps};

const SYN: u8 = 0x02;
const ACK: u8 = 0x10;

/// Nanoseconds between two lines in the log about the same trouble.
const LOG_INTERVAL: u64 = 10_000_000_000;

/// The slot of a port, 0 when it is not watched.
#[inline(always)]
pub(crate) fn slot(port: u16) -> u32 {
    maps::PORTS.get(u32::from(port)).copied().unwrap_or(0)
}

/// Whether a segment asks for a connection.
#[inline(always)]
pub(crate) const fn opens(transport: &Transport) -> bool {
    transport.flags & (SYN | ACK) == SYN
}

/// What a segment asks for, if it starts with a request line, which may have ends of lines before
/// it.
#[inline(always)]
pub(crate) fn method<F: Frame>(frame: &F, network: &Network, transport: &Transport) -> Method {
    let mut start = transport.payload;
    for _ in 0..frame.turns(1 + head::BLANK_STEPS) {
        if start + head::SHORTEST > network.end {
            return tiny_method(frame, network.end, start);
        }
        let Some(first) = frame.number(start) else { return Method::None };
        let blank = head::blank(first);
        if blank == 0 {
            return request_line(frame, network.end, start, first);
        }
        // One way behind them is followed, not one for each number of them.
        start = frame.forget(start + blank);
    }
    Method::None
}

/// What a segment asks for that has at least the octets of `first`, from `start` on.
#[inline(always)]
fn request_line<F: Frame>(frame: &F, end: usize, start: usize, first: u32) -> Method {
    if start + head::METHOD_LENGTH > end {
        return head::cut_method(first);
    }
    match frame.number(start + head::SHORTEST) {
        Some(rest) => head::method(first, rest),
        None => Method::None,
    }
}

/// What less than four octets from `start` on may ask for, which may have ends of lines among them.
#[inline(always)]
fn tiny_method<F: Frame>(frame: &F, end: usize, start: usize) -> Method {
    let octet = |at: usize| match frame.octets::<1>(start + at) {
        Some([octet]) if start + at < end => u32::from(octet),
        _ => 0,
    };
    if start >= end {
        return Method::None;
    }
    let first = octet(0) << 24 | octet(1) << 16 | octet(2) << 8;
    head::tiny_method(first << (8 * head::blank(first)))
}

/// Counts a packet whose head nobody needs.
#[inline(always)]
pub(crate) fn arrival(slot: u32, reason: Reason, length: usize) -> Reason {
    if let Some(counters) = counters(slot) {
        counters.ingress_bytes += length as u64;
        if let Some(count) = counters.reasons.get_mut(ctx::opaque(reason as usize)) {
            *count += 1;
        }
    }
    reason
}

/// Counts a packet that a ban met, by the ban's counter.
#[inline(always)]
pub(crate) fn met(counter: u32, length: usize) {
    // SAFETY: as in `counters`.
    if let Some(count) = maps::BAN_COUNTS.get_ptr_mut(counter).map(|count| unsafe { &mut *count }) {
        count.packets += 1;
        count.bytes += length as u64;
    }
}

/// Counts a segment to a watched port, its SYN and its request line.
#[inline(always)]
pub(crate) fn segment(
    slot: u32,
    reason: Reason,
    length: usize,
    transport: &Transport,
    method: Method,
) {
    let Some(counters) = counters(slot) else { return };
    counters.ingress_bytes += length as u64;
    if let Some(count) = counters.reasons.get_mut(ctx::opaque(reason as usize)) {
        *count += 1;
    }
    if opens(transport) {
        counters.connections += 1;
    }
    if let Some(count) = counters.requests.get_mut(ctx::opaque(method as usize)) {
        *count += 1;
    }
}

/// Counts a packet that leaves a watched port, and its status line.
#[inline(always)]
pub(crate) fn response<F: Frame>(
    frame: &F,
    settings: &Settings,
    slot: u32,
    network: &Network,
    transport: &Transport,
) {
    let Some(counters) = counters(slot) else { return };
    // What leaves as one is cut up later, each part with the headers of the whole.
    let packets = frame.packets().max(1);
    counters.egress_packets += packets;
    counters.egress_bytes += frame.length() as u64 + (packets - 1) * transport.payload as u64;
    let key = SourceKey { address: settings.source_of(&network.destination), slot };
    if transport.flags & (SYN | ACK) == SYN | ACK {
        Source::answered(&key, transport.sequence);
    }
    if transport.payload + head::LENGTH <= network.end
        && let Some(octets) = frame.octets(transport.payload)
        && let Some(class) = head::status_class(&octets)
    {
        let class = ctx::opaque(usize::from(class));
        if let Some(count) = counters.responses.get_mut(class) {
            *count += 1;
        }
        if let Some(source) = Source::find(&key) {
            source.responded(class, clock::coarse_now());
        }
    }
}

/// Counts a source that could not be given a state, and says so now and then.
#[inline(always)]
pub(crate) fn source_refused(slot: u32) {
    if let Some(counters) = counters(slot) {
        counters.sources_refused += 1;
    }
    let Some(last) = maps::LAST_LOGGED.get_ptr_mut(0) else { return };
    let (now, seen) = (clock::now(), atomic::load(last));
    if now.saturating_sub(seen) >= LOG_INTERVAL && atomic::replace(last, seen, now) == seen {
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

/// Counts a segment whose payload was left out.
#[inline(always)]
pub(crate) fn skipped(slot: u32, octets: u32) {
    if let Some(counters) = counters(slot) {
        counters.skipped += 1;
        counters.skipped_bytes += u64::from(octets);
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
