//! The half of a conversation where a response declares a body that does not come: it answers a
//! HEAD that was not seen (RFC 9110, section 9.3.2).
//!
//! It must not read what comes in its place.

use super::{Context, Conversation};
use crate::http::reader::Input;
use crate::http::{Coverage, Observation};

/// What a status line starts with, and a body at the start of a segment hardly ever.
const STATUS_LINE: &[u8] = b"HTTP/1.";

impl Conversation {
    /// Ends a response to a request that may be lost where the next one stands in place of its
    /// body, if the server had received more of the client by then.
    pub(super) fn end_bodiless_response<S: FnMut(Observation)>(
        &mut self,
        input: Input<'_>,
        context: &mut Context<'_, S>,
    ) {
        let has_listened = input.mark.acknowledged > self.responses.start().acknowledged;
        if self.orphan.is_some()
            && !self.is_seen()
            && self.responses.awaits_body()
            && has_listened
            && input.octets.starts_with(STATUS_LINE)
        {
            self.end_response(true, 0, Coverage::FULL, context);
        }
    }
}
