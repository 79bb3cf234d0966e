//! The half of a conversation where HTTP ends and what follows is another protocol's: behind a
//! CONNECT that succeeded (RFC 9110, section 9.3.6), or a switch of protocols (section 7.8).
//!
//! It must not read what follows.

use super::{Context, Conversation};
use crate::http::reader::State;
use crate::http::{Coverage, Exchange, Observation};

impl Conversation {
    /// Ends both streams of messages; `tunnelled` says that all that follows the request of the
    /// last exchange belongs to the other protocol, whatever it looks like.
    pub(super) fn leave_http<S: FnMut(Observation)>(
        &mut self,
        tunnelled: bool,
        context: &mut Context<'_, S>,
    ) {
        if tunnelled {
            self.take_back_tunnelled(context);
        }
        self.requests_end(context);
        self.responses_end(true, Coverage::FULL, context);
    }

    /// Takes back what was taken for requests behind the one that was answered, and counts its
    /// octets.
    fn take_back_tunnelled<S: FnMut(Observation)>(&mut self, context: &mut Context<'_, S>) {
        let is_answered = self.queue.front_mut().is_some_and(|p| p.exchange.response.is_some());
        let kept = usize::from(is_answered);
        let mut start = None;
        while self.queue.len() > kept {
            let Some(pending) = self.queue.pop_back() else { break };
            start = Some(pending.start.position);
            context.counters.take_back();
        }
        if start.is_some() || self.requests.state() == State::Head {
            let start = start.unwrap_or(self.requests.message_end());
            context.counters.opaque_octets += self.requests.position() - start;
            self.requests.lose_track(true);
        }
    }
}

/// Whether a request asks for another protocol on its connection.
pub(super) fn asks_for_another_protocol(exchange: &Exchange) -> bool {
    exchange.request.as_ref().is_some_and(|request| {
        request.method == b"CONNECT"[..] || request.headers.first("upgrade").is_some()
    })
}
