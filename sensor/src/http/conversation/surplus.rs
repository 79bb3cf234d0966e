//! The half of a conversation that names what a server sends beyond what it was asked for.
//!
//! It must not read messages.

use super::Conversation;
use crate::http::body::note;
use crate::http::{Anomaly, Coverage, Exchange};

impl Conversation {
    /// Says on a response that answers no request, where none waits, why that is: whoever answers
    /// has read a request, which then is missing; unless all that the server had received was seen,
    /// and begins none.
    pub(super) fn mark_unasked(&self, orphan: &mut Exchange) {
        let received = self.responses.start().acknowledged;
        let held = self.preface.as_ref().map_or(0, |preface| preface.octets.len());
        if !self.is_seen() || received > self.requests.position() + held as u64 {
            orphan.coverage.add(Coverage::GAP);
        } else if held > 0 {
            note(&mut orphan.anomalies, Anomaly::UnrecognisedRequest);
        } else {
            note(&mut orphan.anomalies, Anomaly::UnaskedResponse);
        }
    }

    /// Names octets of the server that are no response: on the exchange that is under way, else on
    /// the next one that is answered, for the one before is put out already. Where segments are
    /// missing they may be part of anything.
    pub(super) fn mark_surplus(&mut self) {
        let is_seen = self.is_seen();
        // It may as well be part of the answer to a request that was lost.
        let is_lost = self.queue.has_losses() && self.queue.may_lack_requests();
        match self.queue.front_mut() {
            Some(_) if is_lost => {}
            Some(front) => note(&mut front.exchange.anomalies, Anomaly::UnrecognisedResponse),
            None if is_seen => self.responses.note(Anomaly::UnrecognisedResponse),
            None => {}
        }
    }
}
