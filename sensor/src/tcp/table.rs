//! Owns every connection: finds the one a segment belongs to, and forgets those that are done.
//!
//! It must not know what a connection does with its segments.

use std::collections::HashMap;
use std::time::Duration;

use crate::capture::{Segment, TcpFlags, Timestamp};

use super::flow::{Flow, Sink};
use super::key::{Key, Seed};
use super::lists::{LISTS, List, Lists};
use super::recent::{Owner, Recent};
use super::successor::Relation;
use super::{CloseReason, ConnectionId, Counters, Event, EventKind, Place, Side};

/// How long octets that the receiver has acknowledged are waited for: packets of one connection
/// come out of order from several receive queues or rings by milliseconds, not by more.
const REORDER_WINDOW: Duration = Duration::from_millis(500);
/// How long octets that nobody acknowledged are waited for: the sender will send them again, and
/// backs off to about this before most hosts give up (RFC 6298).
const RETRANSMISSION_WINDOW: Duration = Duration::from_secs(30);
/// How long data is still expected after a reset: a forged one is followed by what the peers had to
/// say to each other, within a round trip or two.
const RESET_LINGER: Duration = Duration::from_secs(1);
/// How long an ended connection is remembered, for packets that come late.
const CLOSED_LINGER: Duration = Duration::from_secs(15);
/// How long a connection is kept that not both sides are known to hold open. A server that has sent
/// FIN waits for the other one for a minute (`net.ipv4.tcp_fin_timeout`), a half-closed request is
/// answered sooner, and made-up segments are worth no more.
const ONE_SIDED_IDLE: Duration = Duration::from_secs(120);
/// How long a lone SYN is remembered: Linux gives up after its last retry at 63 s, most earlier.
const HALF_OPEN_IDLE: Duration = Duration::from_secs(30);

/// What the table may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Connections remembered at once.
    pub connections: usize,
    /// Octets of memory for data that waits, over all connections.
    pub held_octets: usize,
    /// How long a silent connection is kept that both sides hold open.
    pub idle: Duration,
}

impl Default for Limits {
    /// Room for twice the open connections of a busy host, at about 250 octets each, 32 MiB of data
    /// out of order, and more patience than a host has with a peer that does not answer: it asks
    /// after two hours of silence at the latest (RFC 9293, section 3.8.4; `tcp(7)`), which is heard
    /// here too, and gives up eleven minutes later.
    fn default() -> Self {
        Self { connections: 200_000, held_octets: 32 << 20, idle: Duration::from_hours(3) }
    }
}

impl Limits {
    /// How long a connection stays in a list.
    fn patience(&self, list: List) -> Duration {
        match list {
            List::Closed => CLOSED_LINGER,
            List::HalfOpen => HALF_OPEN_IDLE,
            List::Resetting => RESET_LINGER,
            List::OneSided => self.idle.min(ONE_SIDED_IDLE),
            List::Open => self.idle,
            List::Stalled => REORDER_WINDOW,
        }
    }
}

/// Every connection under way, and those that ended a moment ago.
#[derive(Debug)]
pub struct Table {
    limits: Limits,
    /// Nanoseconds after which a connection leaves a list, by the number of the list.
    patience: [u64; LISTS],
    flows: Vec<Flow>,
    free: Vec<u32>,
    index: HashMap<Key, u32, Seed>,
    lists: Lists,
    held: usize,
    recent: Recent,
    clock: Timestamp,
    counters: Counters,
}

/// Puts the name of a connection on its events, and keeps copies of what is handed on.
struct Named<'a, S> {
    owner: Owner,
    recent: &'a mut Recent,
    sink: &'a mut S,
}

impl<S: FnMut(Event<'_>)> Sink for Named<'_, S> {
    fn event(&mut self, time: Timestamp, kind: EventKind<'_>) {
        if let EventKind::Data { side, position, octets, .. } = kind {
            self.recent.keep(self.owner, side, position, octets);
        }
        (self.sink)(Event { connection: ConnectionId(self.owner.slot), time, kind });
    }

    fn differing(&self, side: Side, position: u64, again: &[u8]) -> u64 {
        self.recent.differing(self.owner, side, position, again)
    }
}

impl Table {
    /// Octets of memory that a connection takes while nothing of it has to wait, without its place
    /// in the index.
    #[cfg(test)]
    pub(crate) const CONNECTION_SIZE: usize = size_of::<Flow>();

    /// An empty table; `seed` keeps peers from choosing addresses that collide.
    #[must_use]
    pub fn new(limits: Limits, seed: u64) -> Self {
        Self {
            limits,
            patience: List::ALL.map(|list| nanoseconds(limits.patience(list))),
            flows: Vec::new(),
            free: Vec::new(),
            index: HashMap::with_hasher(Seed(seed)),
            lists: Lists::new(),
            held: 0,
            recent: Recent::default(),
            clock: Timestamp::default(),
            counters: Counters::default(),
        }
    }

    /// Takes a segment in; `sink` receives what follows from it, in order.
    pub fn segment(&mut self, segment: &Segment<'_>, sink: &mut impl FnMut(Event<'_>)) {
        self.counters.segments += 1;
        self.tick(segment.time, sink);
        let (key, sender) = Key::new(segment.source, segment.destination);
        let Some(slot) = self.find(key, sender, segment, sink) else { return };
        if self.flows[slot as usize].closed {
            self.counters.late_segments += 1;
            return;
        }
        self.with(slot, sink, |flow, counters, sink| {
            flow.accept(sender, segment, counters, sink);
        });
        self.settle(slot, sink);
    }

    /// Lets time pass: gives up what was waited for too long, forgets what was silent too long.
    pub fn tick(&mut self, now: Timestamp, sink: &mut impl FnMut(Event<'_>)) {
        if self.clock.nanoseconds_since(now) > nanoseconds(RETRANSMISSION_WINDOW) {
            self.set_back(now);
        }
        self.clock = self.clock.max(now);
        while let Some(slot) = self.due(List::Stalled) {
            self.unblock(slot, sink);
        }
        while let Some(slot) = self.due(List::Resetting) {
            self.close(slot, CloseReason::Reset, sink);
        }
        for list in [List::Open, List::OneSided, List::HalfOpen] {
            while let Some(slot) = self.due(list) {
                self.close(slot, CloseReason::Idle, sink);
                self.forget(slot);
            }
        }
        while let Some(slot) = self.due(List::Closed) {
            self.forget(slot);
        }
    }

    /// Ends every connection, those first that waited longest.
    pub fn finish(&mut self, sink: &mut impl FnMut(Event<'_>)) {
        for list in [List::Resetting, List::Stalled, List::Open, List::OneSided, List::HalfOpen] {
            while let Some(slot) = self.lists.first(list) {
                self.close(slot, CloseReason::Drained, sink);
                self.forget(slot);
            }
        }
        while let Some(slot) = self.lists.first(List::Closed) {
            self.forget(slot);
        }
    }

    /// Ends the connection that has been silent longest of those worth least; `false` when none is
    /// open.
    pub fn evict(&mut self, sink: &mut impl FnMut(Event<'_>)) -> bool {
        let slot = [List::HalfOpen, List::Resetting, List::OneSided, List::Open, List::Stalled]
            .into_iter()
            .find_map(|list| self.lists.first(list));
        let Some(slot) = slot else { return false };
        self.close(slot, CloseReason::Evicted, sink);
        self.forget(slot);
        true
    }

    /// Connections that have not ended.
    #[must_use]
    pub fn open_connections(&self) -> usize {
        self.index.len() - self.lists.length(List::Closed)
    }

    /// Where a position in a stream of an open connection is on the wire, once that is known.
    #[must_use]
    pub fn place(&self, connection: ConnectionId, side: Side, position: u64) -> Option<Place> {
        let flow = self.flows.get(connection.0 as usize).filter(|flow| !flow.closed)?;
        let sequence = flow.sequence(side, position)?;
        let addresses = flow.key.endpoints();
        let (source, destination) = (addresses[side.index()], addresses[side.peer().index()]);
        Some(Place { source, destination, sequence })
    }

    /// Totals so far.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Goes on from `now` after the clock was set back by more than segments come out of order, so
    /// that no connection is taken for one that has waited since.
    fn set_back(&mut self, now: Timestamp) {
        self.counters.clock_setbacks += 1;
        self.clock = now;
        for flow in &mut self.flows {
            flow.set_back(now);
        }
    }

    /// The longest waiting slot of `list`, if its time is up.
    fn due(&self, list: List) -> Option<u32> {
        let slot = self.lists.first(list)?;
        let flow = &self.flows[slot as usize];
        let since = if list == List::Stalled { flow.waiting_since } else { flow.active };
        (self.clock.nanoseconds_since(since) >= self.patience[list as usize]).then_some(slot)
    }

    /// The connection that `segment` belongs to, taken in where it is new; `None` where there is
    /// none, which is counted.
    fn find(
        &mut self,
        key: Key,
        sender: Side,
        segment: &Segment<'_>,
        sink: &mut impl FnMut(Event<'_>),
    ) -> Option<u32> {
        if let Some(slot) = self.index.get(&key).copied() {
            match self.flows[slot as usize].relate(sender, segment) {
                Relation::Own => return Some(slot),
                Relation::Doubtful => {
                    self.counters.doubtful_segments += 1;
                    return None;
                }
                Relation::Next(syn) => {
                    self.close(slot, CloseReason::Reused, sink);
                    self.forget(slot);
                    if let Some(syn) = syn {
                        return Some(self.begin(key, sender.peer(), &syn, sink));
                    }
                }
            }
        }
        if !starts_connection(segment) {
            self.counters.stray_segments += 1;
            return None;
        }
        self.make_room(sink);
        Some(self.open(Flow::new(key, sender, segment)))
    }

    /// Takes in a connection whose SYN was kept until it was answered.
    fn begin(
        &mut self,
        key: Key,
        sender: Side,
        syn: &Segment<'_>,
        sink: &mut impl FnMut(Event<'_>),
    ) -> u32 {
        let slot = self.open(Flow::new(key, sender, syn));
        self.with(slot, sink, |flow, counters, sink| flow.accept(sender, syn, counters, sink));
        slot
    }

    fn open(&mut self, flow: Flow) -> u32 {
        self.counters.opened += 1;
        self.counters.midstream += u64::from(flow.is_midstream());
        let key = flow.key;
        let slot = if let Some(slot) = self.free.pop() {
            self.flows[slot as usize] = flow;
            slot
        } else {
            self.flows.push(flow);
            u32::try_from(self.flows.len() - 1).expect("the limit on connections is below 2^32")
        };
        self.index.insert(key, slot);
        self.lists.insert(slot, List::HalfOpen);
        slot
    }

    fn make_room(&mut self, sink: &mut impl FnMut(Event<'_>)) {
        while self.index.len() >= self.limits.connections.max(1) {
            match self.lists.first(List::Closed) {
                Some(slot) => self.forget(slot),
                None => {
                    self.evict(sink);
                }
            }
        }
    }

    /// Keeps what a connection holds within limits, and puts it where it now belongs.
    fn settle(&mut self, slot: u32, sink: &mut impl FnMut(Event<'_>)) {
        while self.flows[slot as usize].is_over_limit() {
            self.counters.buffer_overflows += 1;
            self.give_up(slot, sink);
        }
        let flow = &self.flows[slot as usize];
        // The stalled leave by the time they have waited, so only progress gives them a new place.
        let progress = flow.waiting_since == flow.active;
        self.list(slot, progress, sink);
        while self.held > self.limits.held_octets {
            let Some(slot) = self.lists.first(List::Stalled) else { return };
            self.counters.buffer_overflows += 1;
            self.give_up(slot, sink);
            self.list(slot, false, sink);
        }
    }

    /// Decides on a connection that has waited for the reorder window.
    fn unblock(&mut self, slot: u32, sink: &mut impl FnMut(Event<'_>)) {
        let flow = &self.flows[slot as usize];
        let silent = self.clock.nanoseconds_since(flow.active);
        let hopeless = silent >= nanoseconds(RETRANSMISSION_WINDOW);
        if flow.is_lost() || hopeless {
            self.give_up(slot, sink);
        }
        // What came as long ago behind another hole has waited as long: a stream with a hundred
        // holes must not take a hundred windows.
        while self.has_waited(slot) {
            self.give_up(slot, sink);
        }
        self.flows[slot as usize].waiting_since = self.clock;
        self.list(slot, true, sink);
    }

    /// Whether what comes next on a connection has waited for the reorder window for octets that
    /// nobody will send again.
    fn has_waited(&self, slot: u32) -> bool {
        let flow = &self.flows[slot as usize];
        let window = nanoseconds(REORDER_WINDOW);
        let is_over = |since| self.clock.nanoseconds_since(since) >= window;
        flow.is_lost() && flow.held_since().is_some_and(is_over)
    }

    /// Puts a connection at the end of the list it belongs to, or ends it. One that is stalled
    /// already keeps its place there, unless it is to be `renewed`.
    fn list(&mut self, slot: u32, renewed: bool, sink: &mut impl FnMut(Event<'_>)) {
        let list = match &self.flows[slot as usize] {
            flow if flow.is_finished() => return self.close(slot, CloseReason::Finished, sink),
            flow if flow.resetting => List::Resetting,
            flow if flow.is_waiting() => List::Stalled,
            flow if flow.is_half_open() => List::HalfOpen,
            flow if flow.is_established() => List::Open,
            _ => List::OneSided,
        };
        if renewed || list != List::Stalled {
            self.lists.touch(slot, list);
        }
    }

    fn give_up(&mut self, slot: u32, sink: &mut impl FnMut(Event<'_>)) {
        let clock = self.clock;
        self.with(slot, sink, |flow, counters, sink| flow.give_up(clock, counters, sink));
    }

    /// Hands on what is left of a connection and marks it ended.
    fn close(&mut self, slot: u32, reason: CloseReason, sink: &mut impl FnMut(Event<'_>)) {
        if self.flows[slot as usize].closed {
            return;
        }
        let clock = self.clock;
        self.with(slot, sink, |flow, counters, sink| flow.flush(clock, counters, sink));
        let flow = &mut self.flows[slot as usize];
        flow.closed = true;
        let reason = match reason {
            _ if flow.is_finished() => CloseReason::Finished,
            _ if flow.resetting => CloseReason::Reset,
            reason => reason,
        };
        if flow.is_announced() {
            let kind = EventKind::Closed(reason);
            sink(Event { connection: ConnectionId(slot), time: clock, kind });
        }
        *self.counters.closed(reason) += 1;
        self.lists.touch(slot, List::Closed);
    }

    fn forget(&mut self, slot: u32) {
        self.lists.remove(slot);
        self.index.remove(&self.flows[slot as usize].key);
        self.free.push(slot);
    }

    /// Runs `step` on a connection, naming it in its events and keeping count of what it holds.
    fn with<S: FnMut(Event<'_>), R>(
        &mut self,
        slot: u32,
        sink: &mut S,
        step: impl FnOnce(&mut Flow, &mut Counters, &mut Named<'_, S>) -> R,
    ) -> R {
        let flow = &mut self.flows[slot as usize];
        let before = flow.held_size();
        let owner = Owner { slot, opened: flow.opened.0 };
        let mut named = Named { owner, recent: &mut self.recent, sink };
        let result = step(flow, &mut self.counters, &mut named);
        self.held = self.held - before + flow.held_size();
        result
    }
}

/// A pure acknowledgement or a reset is no reason to remember a connection.
fn starts_connection(segment: &Segment<'_>) -> bool {
    let reset = segment.flags.has(TcpFlags::RST);
    !reset && (segment.flags.has(TcpFlags::SYN) || segment.payload_length > 0)
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
