//! Owns one HTTP connection: which side asks, and the exchanges under way on it.
//!
//! It must not know other connections.

mod bodiless;
mod declined;
mod preface;
mod refused;
mod requests;
mod responses;
mod standing;
mod surplus;
mod tunnel;

use std::net::{IpAddr, SocketAddr};

use super::allowance::Allowance;
use super::body::note;
use super::counters::Counters;
use super::opaque;
use super::queue::{Doubt, Queue, Unseen};
use super::reader::{Input, Reader, State};
use super::start::Role;
use super::start_line;
use super::{
    Anomaly, BodyPolicies, Coverage, Exchange, Flow, Observation, PortFilter, TrustedProxies,
};
use crate::capture::Timestamp;
use crate::tcp::{CloseReason, Opening, Side};
use declined::Declined;
use preface::Preface;
use standing::Standing;

/// What a conversation needs of its engine while it takes an event.
pub(super) struct Context<'a, S> {
    pub(super) ports: &'a PortFilter,
    pub(super) proxies: &'a TrustedProxies,
    pub(super) bodies: &'a BodyPolicies,
    pub(super) allowance: &'a Allowance,
    pub(super) counters: &'a mut Counters,
    pub(super) sink: &'a mut S,
}

/// Whether a connection is worth following.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Interest {
    Keep,
    /// It does not speak HTTP, or no longer does.
    Opaque,
}

/// One HTTP connection.
#[derive(Debug)]
pub(super) struct Conversation {
    opening: Opening,
    /// The side that asks, once known.
    client: Option<Side>,
    flow_id: u64,
    standing: Standing,
    next_index: u32,
    requests: Reader,
    responses: Reader,
    queue: Queue,
    /// First octets of the client, while a proxy's header may stand there.
    preface: Option<Preface>,
    /// What stands in the place of a body, while that may not come.
    declined: Option<Box<Declined>>,
    /// The client that a proxy's header named.
    proxied: Option<IpAddr>,
    /// A response under way that answers no known request.
    orphan: Option<Box<Exchange>>,
    /// Of the first interim response before the final one that is due.
    interim: Option<Timestamp>,
}

impl Conversation {
    pub(super) fn new(opening: Opening) -> Self {
        let state = if opening.initiator.is_some() { State::Head } else { State::Search };
        Self {
            opening,
            client: None,
            flow_id: 0,
            standing: Standing::default(),
            next_index: 0,
            requests: Reader::new(Role::Requests, state),
            responses: Reader::new(Role::Responses, state),
            queue: opening.initiator.map_or_else(Queue::picked_up, |_| Queue::default()),
            preface: opening.initiator.map(|_| Preface::default()),
            declined: None,
            proxied: None,
            orphan: None,
            interim: None,
        }
    }

    /// Octets of memory that heads take: incomplete ones, and those of exchanges under way.
    pub(super) fn buffered(&self) -> usize {
        let preface = self.preface.as_ref().map_or(0, |preface| preface.octets.capacity());
        let declined = self.declined.as_ref().map_or(0, |declined| declined.octets.capacity());
        let incomplete = self.requests.buffered() + self.responses.buffered() + preface + declined;
        let orphan = self.orphan.as_ref().map_or(0, |orphan| orphan.head_octets());
        incomplete + self.queue.octets() + orphan
    }

    /// Whether no octet is missing so far.
    fn is_seen(&self) -> bool {
        self.opening.initiator.is_some() && !self.queue.has_losses()
    }

    /// Takes note that the next octets of a side may not be those its peer received.
    pub(super) fn dispute(&mut self, side: Side) {
        match self.client.or(self.opening.initiator) {
            Some(client) if side == client => self.requests.note(Anomaly::ConflictingSegments),
            Some(_) => self.responses.note(Anomaly::ConflictingSegments),
            None => {}
        }
    }

    /// Takes note that octets from `position` on, which were taken, may not be those the peer
    /// received. What was put out already stays as it is; the octets are counted.
    pub(super) fn contradict(&mut self, side: Side, position: u64) {
        let Some(client) = self.client else { return };
        let reader = if side == client { &mut self.requests } else { &mut self.responses };
        if reader.is_reading() && reader.start().position <= position {
            reader.note(Anomaly::ConflictingSegments);
        } else if side == client
            && let Some(pending) = self.queue.sent_at(position)
        {
            note(&mut pending.exchange.anomalies, Anomaly::ConflictingSegments);
        }
    }

    /// Takes the next octets of a side.
    pub(super) fn data<S: FnMut(Observation)>(
        &mut self,
        side: Side,
        input: Input<'_>,
        context: &mut Context<'_, S>,
    ) -> Interest {
        let Some(client) = self.client.or_else(|| self.find_client(side, input, context.ports))
        else {
            context.counters.unrecognised_octets += input.octets.len() as u64;
            self.requests.doubt(input.mark.acknowledged);
            self.responses.doubt(input.mark.acknowledged);
            return Interest::Keep;
        };
        let is_client = side == client;
        let peer = if is_client { &mut self.responses } else { &mut self.requests };
        // Whoever has not received all of a message does not answer it.
        if input.mark.acknowledged < peer.position() {
            peer.doubt_further(input.mark.position + input.octets.len() as u64);
        }
        if is_client {
            self.client_octets(input, context)
        } else {
            self.response_octets(input, context)
        }
    }

    /// What of each side's stream nobody needs from here on, said once.
    pub(super) fn skips(&mut self) -> [Option<(Side, u64)>; 2] {
        let Some(client) = self.client else { return [None; 2] };
        [
            self.requests.skip().map(|until| (client, until)),
            self.responses.skip().map(|until| (client.peer(), until)),
        ]
    }

    /// Passes over octets of a side that were left out for want of need; where there is need, they
    /// are missing.
    pub(super) fn skipped<S: FnMut(Observation)>(
        &mut self,
        side: Side,
        position: u64,
        length: u64,
        context: &mut Context<'_, S>,
    ) {
        match self.client {
            Some(client)
                if side == client && self.requests.only_counts() && self.declined.is_none() =>
            {
                self.request_skipped(length, position + length, context);
                self.requests.move_to(position + length);
            }
            Some(client) if side != client && self.responses.only_counts() => {
                self.response_skipped(length, context);
                self.responses.move_to(position + length);
            }
            _ => self.gap(side, position, length, context),
        }
    }

    /// Passes over octets of a side that were not captured.
    pub(super) fn gap<S: FnMut(Observation)>(
        &mut self,
        side: Side,
        position: u64,
        length: u64,
        context: &mut Context<'_, S>,
    ) {
        let end = position + length;
        let client =
            self.client.or_else(|| self.settle_client(self.opening.initiator, context.ports));
        match client {
            Some(client) if side == client => {
                let preface = self.preface.take().unwrap_or_default();
                if let Some(protocol) = opaque::cut_short(&preface.octets) {
                    self.announce(protocol, context);
                }
                self.request_gap(length, end, context);
                self.requests.move_to(end);
                self.responses.doubt_further(end);
            }
            Some(_) => {
                self.response_gap(length, context);
                self.responses.move_to(end);
                self.requests.doubt_further(end);
            }
            None => {
                self.queue.hide_requests(position..end, position, Unseen::LostWithin, false);
                self.queue.hide_responses(Doubt::Lost);
                self.requests.doubt(end);
                self.responses.doubt(end);
            }
        }
    }

    /// Ends the stream of a side.
    pub(super) fn finished<S: FnMut(Observation)>(
        &mut self,
        side: Side,
        context: &mut Context<'_, S>,
    ) {
        match self.client {
            Some(client) if side == client => self.requests_end(context),
            Some(_) => self.responses_end(true, Coverage::FULL, context),
            None => {}
        }
    }

    /// Ends the connection and puts out what is left of it.
    pub(super) fn closed<S: FnMut(Observation)>(
        &mut self,
        reason: CloseReason,
        context: &mut Context<'_, S>,
    ) {
        let orderly = reason == CloseReason::Finished;
        let unanswered = match reason {
            CloseReason::Finished | CloseReason::Reset | CloseReason::Reused => Coverage::FULL,
            CloseReason::Idle | CloseReason::Evicted | CloseReason::Drained => Coverage::TRUNCATED,
        };
        self.requests_end(context);
        self.responses_end(orderly, unanswered, context);
        self.announce_cut(context);
    }

    /// The side that asks: who opened the connection; where that was not seen, by what `side`
    /// sends, else by port. What a side says is its own choice and never overrules who it is.
    fn find_client(&mut self, side: Side, input: Input<'_>, ports: &PortFilter) -> Option<Side> {
        let client = self.opening.initiator.or_else(|| client_by_line(side, input.octets));
        self.settle_client(client, ports)
    }

    /// Takes `client`, or what the ports say, for the side that asks from now on.
    fn settle_client(&mut self, client: Option<Side>, ports: &PortFilter) -> Option<Side> {
        let client = client.or_else(|| self.client_by_port(ports))?;
        self.client = Some(client);
        self.flow_id =
            flow_id(self.address(client), self.address(client.peer()), self.opening.time);
        Some(client)
    }

    fn client_by_port(&self, ports: &PortFilter) -> Option<Side> {
        if *ports == PortFilter::Any {
            return None;
        }
        match [Side::Low, Side::High].map(|side| ports.has(self.address(side).port())) {
            [true, false] => Some(Side::High),
            [false, true] => Some(Side::Low),
            _ => None,
        }
    }

    fn address(&self, side: Side) -> SocketAddr {
        self.opening.addresses[side.index()]
    }

    /// The connection as records name it, once it is known who asks.
    fn flow(&self) -> Option<Flow> {
        let client = self.client?;
        let Opening { vlan, interface, .. } = self.opening;
        let (source, destination) = (self.address(client), self.address(client.peer()));
        Some(Flow { id: self.flow_id, source, destination, vlan, interface })
    }

    /// An exchange without request and response.
    fn exchange(&mut self, proxies: &TrustedProxies) -> Box<Exchange> {
        let flow = self.flow().expect("messages are read once the client is known");
        let source = flow.source.ip();
        let mut coverage = Coverage::FULL;
        let index = self.next_index;
        self.next_index += 1;
        if self.queue.is_picked_up() || (self.opening.initiator.is_none() && index == 0) {
            coverage.add(Coverage::MIDSTREAM);
        }
        if self.opening.sampling > 1 {
            coverage.add(Coverage::SAMPLED);
        }
        Box::new(Exchange {
            flow,
            index,
            client: self.proxied.filter(|_| proxies.has(source)).unwrap_or(source),
            request: None,
            response: None,
            coverage,
            anomalies: Vec::new(),
        })
    }

    /// Puts out the exchanges at the front that are complete.
    fn emit_complete<S: FnMut(Observation)>(&mut self, context: &mut Context<'_, S>) {
        let response_open =
            matches!(self.responses.state(), State::Body(_)) && self.orphan.is_none();
        let complete = self.queue.front_mut().is_some_and(|front| {
            front.request_done && front.exchange.response.is_some() && !response_open
        });
        if complete {
            let front = self.queue.pop_front().expect("the front was just looked at");
            emit(front.exchange, context);
        }
    }
}

/// The side that asks, where the first line that `side` sends tells.
fn client_by_line(side: Side, octets: &[u8]) -> Option<Side> {
    let line = octets.split(|octet| *octet == b'\n').next().unwrap_or_default();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if start_line::request_line(line).is_some() {
        Some(side)
    } else {
        start_line::status_line(line).map(|_| side.peer())
    }
}

/// Says that octets are missing before an exchange; of the first of a connection that was picked
/// up, that is said.
fn miss_before(exchange: &mut Exchange) {
    if !exchange.coverage.has(Coverage::MIDSTREAM) {
        exchange.coverage.add(Coverage::GAP);
    }
}

/// Whether there is nothing but the ends of empty lines.
fn is_empty(octets: &[u8]) -> bool {
    octets.iter().all(|octet| matches!(octet, b'\r' | b'\n'))
}

/// Counts an exchange and hands it on.
fn emit<S: FnMut(Observation)>(exchange: Box<Exchange>, context: &mut Context<'_, S>) {
    context.counters.count(&exchange);
    (context.sink)(Observation::Exchange(exchange));
}

/// FNV-1a over both endpoints and the time of the first packet: stable over versions and machines,
/// and short enough to be written out in full here.
fn flow_id(client: SocketAddr, server: SocketAddr, opened: Timestamp) -> u64 {
    const OFFSET_BASIS: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0000_0100_0000_01b3;
    let absorb = |hash: u64, octets: &[u8]| {
        octets.iter().fold(hash, |hash, octet| (hash ^ u64::from(*octet)).wrapping_mul(PRIME))
    };
    let hash = [client, server].iter().fold(OFFSET_BASIS, |hash, endpoint| {
        let hash = match endpoint.ip() {
            IpAddr::V4(address) => absorb(hash, &address.octets()),
            IpAddr::V6(address) => absorb(hash, &address.octets()),
        };
        absorb(hash, &endpoint.port().to_be_bytes())
    });
    absorb(hash, &opened.0.to_be_bytes())
}
