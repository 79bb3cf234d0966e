//! The half of a conversation before its first message: a proxy's header, or another protocol.
//!
//! It must not read messages.

use super::{Context, Conversation, Interest};
use crate::http::opaque::{self, Opaque, Protocol};
use crate::http::proxy;
use crate::http::reader::{Input, Mark};
use crate::http::{Observation, PortFilter, start_line};

/// First octets of a client that are kept until it is clear what they start.
#[derive(Debug, Default)]
pub(super) struct Preface {
    pub(super) octets: Vec<u8>,
    /// Of the first octet behind a proxy's header, as far as one is known to be there.
    start: Mark,
}

impl Conversation {
    /// Reads octets of the client, after the header of a proxy if there is one.
    pub(super) fn client_octets<S: FnMut(Observation)>(
        &mut self,
        mut input: Input<'_>,
        context: &mut Context<'_, S>,
    ) -> Interest {
        let Some(mut preface) = self.preface.take() else {
            return self.request_octets(input, context);
        };
        let before = preface.octets.len();
        if before == 0 && start_line::is_known_method(first_word(input.octets)) {
            return self.request_octets(input, context);
        }
        preface.octets.extend_from_slice(input.octets);
        let start = proxy::start(&preface.octets);
        let header = if let proxy::Start::Header(length, _) = start { length } else { 0 };
        if before <= header {
            let position = input.mark.position + (header - before) as u64;
            preface.start = Mark { position, ..input.mark };
        }
        match start {
            proxy::Start::Partial => return self.wait(preface),
            proxy::Start::Header(_, client) => self.proxied = client,
            proxy::Start::Other => {}
        }
        match opaque::start(&preface.octets[header..]) {
            opaque::Start::Partial => self.wait(preface),
            opaque::Start::Known(protocol) => {
                context.counters.opaque_octets += preface.octets.len() as u64;
                self.announce(protocol, context);
                Interest::Opaque
            }
            opaque::Start::Other => {
                input.take(header.saturating_sub(before));
                let kept = &preface.octets[header.min(before)..before];
                let kept = Input { octets: kept, mark: preface.start };
                match self.request_octets(kept, context) {
                    Interest::Keep => self.request_octets(input, context),
                    Interest::Opaque => Interest::Opaque,
                }
            }
        }
    }

    /// Keeps first octets until there are enough to tell what they start.
    fn wait(&mut self, preface: Preface) -> Interest {
        self.preface = Some(preface);
        Interest::Keep
    }

    /// Puts out that the connection speaks something else.
    pub(super) fn announce<S: FnMut(Observation)>(
        &self,
        protocol: Protocol,
        context: &mut Context<'_, S>,
    ) {
        let Some(flow) = self.flow() else { return };
        let started = self.opening.time;
        (context.sink)(Observation::Opaque(Box::new(Opaque { flow, started, protocol })));
    }

    /// Puts out what the connection speaks, where its first octets end before they say all.
    pub(super) fn announce_cut<S: FnMut(Observation)>(&mut self, context: &mut Context<'_, S>) {
        let preface = self.preface.take().unwrap_or_default();
        if let Some(protocol) = opaque::cut_short(&preface.octets) {
            self.announce(protocol, context);
        } else if self.spoke_no_http(context.ports) {
            self.announce(Protocol::Unknown, context);
        }
    }

    /// Whether the client said something from the start on, on a port that is read by its number,
    /// and none of it was a request.
    fn spoke_no_http(&self, ports: &PortFilter) -> bool {
        let is_whole = self.opening.initiator.is_some() && self.client == self.opening.initiator;
        *ports != PortFilter::Any
            && is_whole
            && self.next_index == 0
            && self.requests.position() > 0
    }
}

/// What stands before the first space, as far as methods go that are looked for.
fn first_word(octets: &[u8]) -> &[u8] {
    const LONGEST: usize = 10;
    let end = octets.iter().take(LONGEST).position(|octet| *octet == b' ');
    &octets[..end.unwrap_or_default()]
}
