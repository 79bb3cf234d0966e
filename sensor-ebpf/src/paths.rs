//! The way of a packet through the programs: what arrives is walked, judged, counted and sampled;
//! what leaves is counted and sampled.
//!
//! It must not know how any of these is done.

use hooksensor_ebpf::abi::Reason;
use hooksensor_ebpf::packet::{self, Network, Transport};

use crate::ctx::{self, Frame};
use crate::{maps, observe, policy, sample};

/// Judges, counts and samples one frame.
#[inline(always)]
pub(crate) fn ingress<F: Frame>(frame: &F) -> Reason {
    let network = match ctx::walk(frame) {
        Ok(network) => network,
        Err(reason) => return observe::arrival(0, reason, frame),
    };
    let transport = network.transport.and_then(|()| packet::transport(frame, network.offset));
    match transport {
        Ok(transport) => segment(frame, &network, &transport),
        Err(reason) => observe::arrival(0, policy::portless(&network, reason), frame),
    }
}

/// A TCP segment whose port is known.
#[inline(always)]
fn segment<F: Frame>(frame: &F, network: &Network, transport: &Transport) -> Reason {
    let slot = observe::slot(transport.destination_port);
    let Some(settings) = maps::SETTINGS.get(0) else { return Reason::NotWatched };
    if slot == 0 && settings.host_bans == 0 {
        return observe::arrival(0, Reason::NotWatched, frame);
    }
    let reason = policy::judge(settings, &network.source, slot);
    if slot == 0 {
        let reason = if matches!(reason, Reason::Clean) { Reason::NotWatched } else { reason };
        return observe::arrival(0, reason, frame);
    }
    observe::request(slot, reason, frame, network, transport);
    if !matches!(reason, Reason::DropBanned | Reason::DropLimited) {
        sample::ingress(frame, settings, slot, network, transport);
    }
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
    observe::response(slot, frame, &network, &transport);
    if let Some(settings) = maps::SETTINGS.get(0) {
        sample::egress(frame, settings, slot, &network, &transport);
    }
}
