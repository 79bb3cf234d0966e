//! The way of a packet through the programs: what arrives is walked, judged, counted and sampled;
//! what leaves is counted and sampled.
//!
//! A ban is looked up before anything a sender controls can end the walk. It must not know how
//! anything is done.

use hooksensor_ebpf::abi::{Method, Reason, Settings};
use hooksensor_ebpf::packet::{self, Network, Transport};

use crate::ctx::{self, Frame};
use crate::policy::Banned;
use crate::{maps, observe, policy, sample};

/// A TCP header of which nothing can be read.
const NOTHING_KNOWN: Transport = Transport {
    source_port: 0,
    destination_port: 0,
    sequence: 0,
    acknowledgement: 0,
    flags: 0,
    payload: 0,
};

/// Judges, counts and samples one frame.
#[inline(always)]
pub(crate) fn ingress<F: Frame>(frame: &F) -> Reason {
    let network = match ctx::walk(frame) {
        Ok(network) => network,
        Err(reason) => return observe::arrival(0, reason, frame.length()),
    };
    let length = frame.length_for(network.end);
    let transport = network.transport.and_then(|()| packet::transport(frame, network.offset));
    let Some(settings) = maps::SETTINGS.get(0) else { return Reason::NotWatched };
    match transport {
        Ok(transport) => segment(frame, settings, &network, &transport, length),
        Err(reason) => portless(frame, settings, &network, reason, length),
    }
}

/// A packet whose transport header cannot be read whole. A first fragment too short for it still
/// holds the ports, and takes from its source's allowance like any other packet.
#[inline(always)]
fn portless<F: Frame>(
    frame: &F,
    settings: &Settings,
    network: &Network,
    reason: Reason,
    length: usize,
) -> Reason {
    let judged = policy::portless(settings, network, reason);
    if judged != reason || network.transport.is_err() {
        return observe::arrival(0, judged, length);
    }
    let port = packet::destination_port(frame, network.offset);
    let slot = port.map_or(0, observe::slot);
    if slot == 0 {
        return observe::arrival(0, reason, length);
    }
    let limited = policy::limited(settings, network, &NOTHING_KNOWN, slot, length, Method::None);
    let reason = if limited == Reason::Clean { reason } else { limited };
    observe::arrival(slot, reason, length)
}

/// A TCP segment whose port is known.
#[inline(always)]
fn segment<F: Frame>(
    frame: &F,
    settings: &Settings,
    network: &Network,
    transport: &Transport,
    length: usize,
) -> Reason {
    let slot = observe::slot(transport.destination_port);
    if slot == 0 && settings.host_bans == 0 {
        return observe::arrival(0, Reason::NotWatched, length);
    }
    let banned = policy::banned(settings, &network.source, slot);
    let met = match banned {
        Banned::No => Reason::NotWatched,
        _ => policy::against(settings, network, banned, Reason::DropBanned),
    };
    if slot == 0 || met.drops() {
        return observe::arrival(slot, met, length);
    }
    let method = observe::method(frame, network, transport);
    let reason = match banned {
        Banned::No => policy::limited(settings, network, transport, slot, length, method),
        _ => met,
    };
    if reason.drops() {
        return observe::arrival(slot, reason, length);
    }
    observe::segment(slot, reason, length, transport, method);
    sample::ingress(frame, settings, slot, network, transport, length);
    reason
}

/// Counts and samples one frame that leaves.
#[inline(always)]
pub(crate) fn egress<F: Frame>(frame: &F) {
    let Ok(network) = ctx::walk(frame) else { return };
    if network.transport.is_err() {
        return;
    }
    let Ok(transport) = packet::transport(frame, network.offset) else { return };
    let slot = observe::slot(transport.source_port);
    if slot == 0 {
        return;
    }
    let Some(settings) = maps::SETTINGS.get(0) else { return };
    observe::response(frame, settings, slot, &network, &transport);
    sample::egress(frame, settings, slot, &network, &transport);
}
