//! The half of a conversation that tells whether it is HTTP, where no port was named that says so.
//!
//! It must not read messages.

use super::{Context, Conversation, Interest};
use crate::http::head::ResponseHead;
use crate::http::options::{MAX_HEAD, MAX_PIPELINED};
use crate::http::{Observation, PortFilter, Version};

/// Octets of a client that began with what is no request that are read before its server speaks: it
/// has then refused any head, and what is kept of them stays as small as one.
const PATIENCE: u64 = MAX_HEAD as u64;

/// What speaks for HTTP on a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Standing {
    /// Nothing, or the form of a request line.
    #[default]
    Unproven,
    /// Nothing, and the client began with what is no request: the first octets of its server
    /// decide.
    Odd,
    /// A method in common use, or a response.
    Http,
}

impl Conversation {
    /// Takes note that what stands in place of a request is none.
    pub(super) fn meet_no_request(&mut self, ports: &PortFilter) {
        let said_nothing_else = self.next_index == 0 && self.opening.initiator.is_some();
        if *ports == PortFilter::Any && said_nothing_else && self.standing == Standing::Unproven {
            self.standing = Standing::Odd;
        }
    }

    /// Takes note that a method in common use asks for something. Behind octets that are no request
    /// it may be part of anything.
    pub(super) fn meet_known_method(&mut self) {
        if self.standing == Standing::Unproven {
            self.standing = Standing::Http;
        }
    }

    /// Takes note of a response; `false` where it proves nothing: no server of HTTP/1 spoke first,
    /// or what it said first is missing.
    pub(super) fn meet_response(&mut self, head: &ResponseHead) -> bool {
        let Version(major, _) = head.version;
        let is_proof =
            self.standing != Standing::Odd || (major == 1 && !self.responses.is_after_gap());
        if is_proof {
            self.standing = Standing::Http;
        }
        is_proof
    }

    /// Whether nobody has spoken for HTTP for so long that nobody is waited for any more.
    pub(super) fn is_out_of_patience(&self) -> bool {
        self.standing == Standing::Odd
            && (self.requests.position() > PATIENCE || self.queue.len() == MAX_PIPELINED)
    }

    /// Gives up on what turned out not to be HTTP, with the requests that were taken for some.
    pub(super) fn take_back<S: FnMut(Observation)>(
        &mut self,
        context: &mut Context<'_, S>,
    ) -> Interest {
        while self.queue.pop_front().is_some() {
            context.counters.take_back();
        }
        Interest::Opaque
    }
}
