//! The way of a packet through the programs: what arrives is walked, judged, counted and sampled;
//! what leaves is counted and sampled.
//!
//! A ban is looked up before anything a sender controls can end the walk. It must not know how
//! anything is done.

use hooksensor_ebpf::abi::{Address, Method, Reason, Settings};
use hooksensor_ebpf::packet::{self, Network, Transport};

use crate::ctx::{self, Frame};
use crate::recent::Moment;
use crate::{global, observe, policy, sample};

/// A TCP header of which nothing can be read.
const NOTHING_KNOWN: Transport = Transport {
    source_port: 0,
    destination_port: 0,
    sequence: 0,
    acknowledgement: 0,
    flags: 0,
    payload: 0,
};

/// A segment to a watched port that no ban drops.
struct Segment {
    transport: Transport,
    slot: u32,
    /// What a ban that covers it, and does not drop it, makes of it.
    met: Option<Reason>,
    /// Octets of its frame.
    length: usize,
}

/// Judges, counts and samples one frame. A plain one that is for no watched port, as most are, or
/// that a ban drops, is done with before anything of it is kept in memory.
#[inline(always)]
pub(crate) fn ingress<F: Frame>(frame: &F) -> Reason {
    let settings = global::settings();
    let mut network;
    let met = match frame.plain().map(|plain| (plain.carries(), plain)) {
        Some((Reason::Clean, plain)) => {
            let length = frame.length_for(plain.end());
            let slot = observe::slot(plain.destination_port());
            let met = meet(settings, &plain.source(), slot, length, || plain.transport());
            network = plain.network();
            met
        }
        Some((reason, plain)) if policy::is_beyond_bans(settings, reason) => {
            return observe::arrival(0, reason, frame.length_for(plain.end()));
        }
        _ => {
            network = Network::UNKNOWN;
            if !frame.walk(&mut network) {
                return observe::arrival(0, network.transport, frame.length());
            }
            meet_walked(frame, settings, ctx::in_memory(&network))
        }
    };
    match met {
        Ok(segment) => take(frame, settings, ctx::in_memory(&network), &segment),
        Err(reason) => reason,
    }
}

#[inline(always)]
fn meet_walked<F: Frame>(
    frame: &F,
    settings: &Settings,
    network: &Network,
) -> Result<Segment, Reason> {
    let length = frame.length_for(network.end);
    match transport(frame, network) {
        Ok(transport) => {
            let slot = observe::slot(transport.destination_port);
            meet(settings, &network.source, slot, length, || transport)
        }
        Err(reason) => Err(portless(frame, settings, network, reason, length)),
    }
}

/// What becomes of a segment by where it comes from and goes to; it is counted when that is all.
#[inline(always)]
fn meet(
    settings: &Settings,
    source: &Address,
    slot: u32,
    length: usize,
    transport: impl FnOnce() -> Transport,
) -> Result<Segment, Reason> {
    if slot == 0 && settings.host_bans == 0 {
        return Err(observe::arrival(0, Reason::NotWatched, length));
    }
    let moment = Moment::now();
    if let Some(counter) = moment.dropped_for(source, slot) {
        observe::met(counter, length);
    } else {
        let banned = policy::banned(settings, source, slot);
        let met = banned.map(|banned| policy::met(settings, source, banned, length));
        match (banned, met) {
            (Some(banned), Some(Reason::DropBanned)) => {
                moment.dropped(source, slot, banned.counter);
            }
            _ if slot == 0 => {
                return Err(observe::arrival(0, met.unwrap_or(Reason::NotWatched), length));
            }
            _ => return Ok(Segment { transport: transport(), slot, met, length }),
        }
    }
    // Its payload stays unread: that would cost a banned source's packet a tenth more.
    observe::segment(slot, Reason::DropBanned, length, &transport(), Method::None);
    Err(Reason::DropBanned)
}

/// The TCP header, or why there is none that can be read.
#[inline(always)]
fn transport<F: Frame>(frame: &F, network: &Network) -> Result<Transport, Reason> {
    match network.transport {
        Reason::Clean => packet::transport(frame, network.offset),
        reason => Err(reason),
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
    let judged = policy::portless(settings, network, reason, length);
    if judged != reason || network.transport != Reason::Clean {
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

/// Takes a segment from what its source is allowed, counts it and copies it up.
#[inline(always)]
fn take<F: Frame>(frame: &F, settings: &Settings, network: &Network, segment: &Segment) -> Reason {
    let Segment { transport, slot, met, length } = segment;
    let (slot, length) = (*slot, *length);
    let method = observe::method(frame, network, transport);
    let reason = match met {
        None => policy::limited(settings, network, transport, slot, length, method),
        Some(met) => *met,
    };
    observe::segment(slot, reason, length, transport, method);
    if !reason.drops() {
        sample::ingress(frame, settings, slot, network, transport, length);
    }
    reason
}

/// Counts and samples one frame that leaves.
#[inline(always)]
pub(crate) fn egress<F: Frame>(frame: &F) {
    let mut network = Network::UNKNOWN;
    if !frame.walk(&mut network) {
        return;
    }
    let network = ctx::in_memory(&network);
    let Ok(transport) = transport(frame, network) else { return };
    let slot = observe::slot(transport.source_port);
    if slot == 0 {
        return;
    }
    let settings = global::settings();
    observe::response(frame, settings, slot, network, &transport);
    sample::egress(frame, settings, slot, network, &transport);
}
