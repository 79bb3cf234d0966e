//! Owns every connection's conversation, and is what the rest of the program sees of this stage.
//!
//! It must not know how octets are put in order or messages are read.

use crate::capture::{Segment, Timestamp};
use crate::tcp::{self, ConnectionId, Event, EventKind, Place, Side, Table};

use super::allowance::Allowance;
use super::conversation::{Context, Conversation, Interest};
use super::counters::Counters;
use super::reader::{Input, Mark};
use super::{BodyPolicies, Observation, Options, PortFilter, Skip, TrustedProxies};

/// Turns segments into observations.
///
/// Time comes in with the segments; the same segments give the same observations.
#[derive(Debug)]
pub struct Engine {
    table: Table,
    conversations: Conversations,
}

/// The conversations of the table's connections.
#[derive(Debug)]
struct Conversations {
    slots: Vec<Slot>,
    ports: PortFilter,
    bodies: BodyPolicies,
    allowance: Allowance,
    proxies: TrustedProxies,
    /// Octets of memory that heads of messages and exchanges under way take, and may take.
    buffered: usize,
    buffer_limit: usize,
    counters: Counters,
    /// What was found not to be needed since it was last said: a stream and a position in it.
    skips: Vec<(ConnectionId, Side, u64)>,
}

#[derive(Debug, Default)]
enum Slot {
    #[default]
    Free,
    /// Not HTTP, or no longer.
    Opaque,
    Http(Box<Conversation>),
}

impl Engine {
    /// Octets of memory that an open connection takes while nothing of it has to wait, without its
    /// place in the index.
    #[cfg(test)]
    pub(super) const CONNECTION_SIZE: usize =
        Table::CONNECTION_SIZE + size_of::<Slot>() + size_of::<Conversation>();

    /// An engine that has seen nothing.
    #[must_use]
    pub fn new(options: Options) -> Self {
        let Options { ports, limits, contents, bodies, proxies, seed } = options;
        Self {
            table: Table::new(limits.tcp, seed),
            conversations: Conversations {
                slots: Vec::new(),
                ports,
                bodies,
                allowance: contents.share(),
                proxies,
                buffered: 0,
                buffer_limit: limits.head_octets,
                counters: Counters::default(),
                skips: Vec::new(),
            },
        }
    }

    /// Takes a segment in; `sink` receives what was thereby completed, in that order.
    pub fn segment(&mut self, segment: &Segment<'_>, sink: &mut impl FnMut(Observation)) {
        let Self { table, conversations } = self;
        if !conversations.is_read(segment) {
            conversations.counters.unwatched_segments += 1;
            return;
        }
        table.segment(segment, &mut |event| conversations.event(event, sink));
        self.say_skips(sink);
        self.shed(sink);
    }

    /// Puts out what need not be captured of connections.
    fn say_skips(&mut self, sink: &mut impl FnMut(Observation)) {
        for (connection, side, position) in self.conversations.skips.drain(..) {
            if let Some(place) = self.table.place(connection, side, position) {
                let Place { source, destination, sequence } = place;
                sink(Observation::Skip(Skip { source, destination, until: sequence }));
            }
        }
    }

    /// Lets time pass where no segment does: what was silent for too long is put out.
    pub fn tick(&mut self, now: Timestamp, sink: &mut impl FnMut(Observation)) {
        let Self { table, conversations } = self;
        table.tick(now, &mut |event| conversations.event(event, sink));
        self.say_skips(sink);
    }

    /// Puts out everything that is not complete, at the end of a capture or of the program.
    pub fn finish(&mut self, sink: &mut impl FnMut(Observation)) {
        let Self { table, conversations } = self;
        table.finish(&mut |event| conversations.event(event, sink));
    }

    /// Reads other ports from now on. Connections under way keep what was understood of them.
    pub fn set_ports(&mut self, ports: PortFilter) {
        self.conversations.ports = ports;
    }

    /// Keeps of the bodies of requests that begin from now on what these policies say.
    pub fn set_bodies(&mut self, bodies: BodyPolicies) {
        self.conversations.bodies = bodies;
    }

    /// Connections that have not ended.
    #[must_use]
    pub fn open_flows(&self) -> usize {
        self.table.open_connections()
    }

    /// Octets of memory that heads of messages and exchanges under way take.
    #[must_use]
    pub fn buffered(&self) -> usize {
        self.conversations.buffered
    }

    /// Totals of messages and exchanges.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.conversations.counters
    }

    /// Totals of segments and connections.
    #[must_use]
    pub fn tcp_counters(&self) -> &tcp::Counters {
        self.table.counters()
    }

    /// Ends the connections silent longest while heads take too much memory.
    fn shed(&mut self, sink: &mut impl FnMut(Observation)) {
        let Self { table, conversations } = self;
        while conversations.buffered > conversations.buffer_limit {
            conversations.counters.head_evictions += 1;
            if !table.evict(&mut |event| conversations.event(event, sink)) {
                return;
            }
        }
    }
}

impl Conversations {
    fn is_read(&self, segment: &Segment<'_>) -> bool {
        self.ports.has(segment.destination.port()) || self.ports.has(segment.source.port())
    }

    fn event<S: FnMut(Observation)>(&mut self, event: Event<'_>, sink: &mut S) {
        let index = event.connection.0 as usize;
        if let EventKind::Opened(opening) = event.kind {
            if index >= self.slots.len() {
                self.slots.resize_with(index + 1, Slot::default);
            }
            self.slots[index] = Slot::Http(Box::new(Conversation::new(opening)));
            return;
        }
        let Some(slot) = self.slots.get_mut(index) else { return };
        let conversation = match slot {
            Slot::Http(conversation) => conversation,
            Slot::Opaque | Slot::Free => {
                self.counters.opaque_octets += octets_of(&event);
                return;
            }
        };
        let before = conversation.buffered();
        let mut context = Context {
            ports: &self.ports,
            proxies: &self.proxies,
            bodies: &self.bodies,
            allowance: &self.allowance,
            counters: &mut self.counters,
            sink,
        };
        let interest = step(conversation, event, &mut context);
        self.counters.unkept_contents = self.allowance.refused();
        self.buffered -= before;
        let closed = matches!(event.kind, EventKind::Closed(_));
        match (interest, closed) {
            (Interest::Keep, false) => {
                self.buffered += conversation.buffered();
                let skips = conversation.skips().into_iter().flatten();
                self.skips.extend(skips.map(|(side, until)| (event.connection, side, until)));
            }
            (_, true) => {
                // Another connection may have its name before the skips are said.
                self.skips.retain(|(connection, ..)| *connection != event.connection);
                *slot = Slot::Free;
            }
            (Interest::Opaque, false) => {
                self.counters.opaque_connections += 1;
                *slot = Slot::Opaque;
            }
        }
    }
}

fn octets_of(event: &Event<'_>) -> u64 {
    match event.kind {
        EventKind::Data { octets, .. } => octets.len() as u64,
        _ => 0,
    }
}

fn step<S: FnMut(Observation)>(
    conversation: &mut Conversation,
    event: Event<'_>,
    context: &mut Context<'_, S>,
) -> Interest {
    match event.kind {
        EventKind::Data { side, position, acknowledged, octets, disputed } => {
            if disputed {
                conversation.dispute(side);
            }
            let mark = Mark { position, acknowledged, time: event.time };
            return conversation.data(side, Input { octets, mark }, context);
        }
        EventKind::Gap { side, position, length } => {
            conversation.gap(side, position, length, context);
        }
        EventKind::Skipped { side, position, length } => {
            conversation.skipped(side, position, length, context);
        }
        EventKind::Contradicted { side, position } => conversation.contradict(side, position),
        EventKind::Finished { side } => conversation.finished(side, context),
        EventKind::Closed(reason) => conversation.closed(reason, context),
        EventKind::Opened(_) => {}
    }
    Interest::Keep
}
