//! The half of a conversation where a server answers before it has all of a request's head, which
//! it refuses: 400, 408, 414 and 431 as a rule.
//!
//! It must not read messages, beyond what is there of that head.

use super::{Context, Conversation};
use crate::http::head;
use crate::http::queue::Unseen;
use crate::http::reader::State;
use crate::http::{Coverage, Observation};

impl Conversation {
    /// Whether the response just begun can answer nothing but the head that is being read: no other
    /// request waits, and either side had what the other has said of it.
    pub(super) fn is_head_refused(&self) -> bool {
        let (request, response) = (self.requests.start(), self.responses.start());
        self.requests.state() == State::Head
            && self.requests.is_reading()
            && self.queue.is_idle()
            && request.position < response.acknowledged
            && request.acknowledged <= response.position
    }

    /// Ends the request whose head is being read, with what is there of it.
    pub(super) fn refuse_request<S: FnMut(Observation)>(&mut self, context: &mut Context<'_, S>) {
        let head = self.requests.take_head_so_far();
        self.cut_request(head::start_of_request(&head), Coverage::TRUNCATED, context);
        // The rest of it may come yet, and looks like whatever it likes.
        self.requests.lose_track(false);
        self.hide_requests(self.requests.position(), Unseen::NotUnderstood, false);
        self.requests.doubt(self.responses.start().position);
    }
}
