//! The half of a conversation where a body may not come: its sender asked by `Expect: 100-continue`
//! whether to send it, and a final status was the answer (RFC 9110, section 10.1.1).
//!
//! It must not read more than the first line of what comes in its place.

use memchr::memchr;

use super::{Context, Conversation, Interest};
use crate::http::options::MAX_HEAD;
use crate::http::queue::Unseen;
use crate::http::reader::{Input, Mark};
use crate::http::start::{Expected, Role};
use crate::http::{Anomaly, Coverage, Headers, Observation, Version};

/// First octets in the place of such a body, until it is clear whether they are a request line.
#[derive(Debug, Default)]
pub(super) struct Declined {
    pub(super) octets: Vec<u8>,
    /// Of the first of them.
    start: Mark,
}

impl Conversation {
    /// Takes note that a final response to the last request has begun.
    pub(super) fn decline_body(&mut self) {
        if self.orphan.is_none() && self.queue.len() == 1 && self.requests.may_lack_body() {
            self.declined = Some(Box::default());
        }
    }

    /// Reads octets of the client in the place of a body that it may not send.
    ///
    /// A server that does not close the connection reads on in the body or passes over it, and a
    /// client may send either: where a request line stands there, both messages are marked.
    pub(super) fn declined_octets<S: FnMut(Observation)>(
        &mut self,
        mut declined: Box<Declined>,
        input: Input<'_>,
        context: &mut Context<'_, S>,
    ) -> Interest {
        let before = declined.octets.len();
        if before == 0 {
            declined.start = input.mark;
        }
        let room = input.octets.len().min(MAX_HEAD - before);
        declined.octets.extend_from_slice(&input.octets[..room]);
        let Some(is_request) = is_request(&declined.octets, before) else {
            self.declined = Some(declined);
            return Interest::Keep;
        };
        if is_request {
            self.leave_out_body(Coverage::TRUNCATED, context);
            self.requests.doubt(declined.start.acknowledged);
        }
        let kept = Input { octets: &declined.octets[..before], mark: declined.start };
        match self.request_octets(kept, context) {
            Interest::Keep => self.request_octets(input, context),
            Interest::Opaque => Interest::Opaque,
        }
    }

    /// Passes over a gap, up to the position `end`, in the place of a body that may not come;
    /// `false` where there is no such place.
    pub(super) fn declined_gap<S: FnMut(Observation)>(
        &mut self,
        end: u64,
        context: &mut Context<'_, S>,
    ) -> bool {
        if self.declined.take().is_none() {
            return false;
        }
        self.leave_out_body(Coverage::GAP, context);
        self.miss_requests(end, Unseen::LostRequest, false);
        true
    }

    /// Ends the request whose body does not come, as far as can be told.
    fn leave_out_body<S: FnMut(Observation)>(
        &mut self,
        coverage: Coverage,
        context: &mut Context<'_, S>,
    ) {
        self.requests.note(Anomaly::DeclinedBody);
        self.end_request(false, 0, coverage, context);
        self.queue.decline_body();
    }
}

/// Whether a request asks before it sends its body; one of HTTP/1.0 cannot.
pub(super) fn asks_first(version: Version, headers: &Headers) -> bool {
    let is_ask = |value: &[u8]| value.eq_ignore_ascii_case(b"100-continue");
    headers.first("expect").is_some_and(is_ask) && version > Version(1, 0)
}

/// Whether octets, of which so many were looked at, start with a request line; `None` while that is
/// open.
fn is_request(octets: &[u8], scanned: usize) -> Option<bool> {
    let (expected, role) = (Expected::Due, Role::Requests);
    match memchr(b'\n', &octets[scanned..]) {
        Some(end) => Some(expected.takes(role, &octets[..scanned + end])),
        None if octets.len() == MAX_HEAD => Some(false),
        None => (!expected.may_begin(role, octets)).then_some(false),
    }
}
