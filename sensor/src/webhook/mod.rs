//! Turns an exchange into a [`Delivery`]: which provider sent it, under which identifiers, whether
//! it is genuine, and whether it came before.
//!
//! Pure: no clock, no I/O. It must not judge what it sees; that is `detect`'s part.

use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use crate::config::{Endpoint, Provider};
use crate::http::{Exchange, Headers, Request};
use crate::id::event_id;
use crate::time::Timestamp;

mod form;
mod json;
mod knowledge;
mod memory;
mod message;
pub mod payload;
pub(crate) mod redact;
mod remembered;
pub mod signature;
mod stage;
mod table;

pub use crate::http::{Target, host_of};
pub use knowledge::Knowledge;
pub use memory::{Memory, Replay, Why};
pub use message::{Message, NoContent};
pub use payload::Payload;
pub use signature::{Reason, Secret, Signature, Status};
pub use stage::{Past, Webhooks};
pub use table::{HeaderRole, Roles, Table};

/// One webhook request with its response, as the provider understands it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// `event.id`: UUIDv7 made from the packet time and the connection, so a replay repeats it.
    pub id: Uuid,
    /// What was on the wire. The content of the request's body is taken out of it.
    pub exchange: Box<Exchange>,
    /// The provider that the headers tell, or else the one the endpoint names.
    pub provider: Option<Arc<Provider>>,
    /// The configured endpoint the request went to.
    pub endpoint: Option<Arc<Endpoint>>,
    /// The provider's name for what happened. This and the other identifiers are as they may be
    /// shown.
    pub event_type: Option<String>,
    /// The provider's identifier, the same over retries.
    pub delivery_id: Option<String>,
    /// Which attempt this is, from 1, where the provider says so.
    pub attempt: Option<u32>,
    /// The correlation identifier found (X-Request-Id, X-Correlation-Id, traceparent).
    pub request_id: Option<String>,
    /// Whether it is no delivery but proves to the provider who owns the endpoint.
    pub handshake: bool,
    /// What is known of the signature; `None` when the sender is not known to sign.
    pub signature: Option<Signature>,
    /// Whether it came before; `None` when it has no identifier to tell by.
    pub replay: Option<Replay>,
    /// What is known of its payload; `None` where its endpoint asks for no check of it.
    pub payload: Option<Payload>,
    /// What each header is to the providers, for those who decide what may be shown.
    pub roles: Arc<Roles>,
}

impl Delivery {
    /// The status of the response, and how long it took to begin; `None` when none was seen.
    #[must_use]
    pub fn answer(&self) -> Option<(u16, Duration)> {
        answer(self.exchange.request.as_ref()?, &self.exchange)
    }

    /// Whether the request itself says who sent it, and not only the endpoint it went to.
    #[must_use]
    pub fn names_provider(&self) -> bool {
        let (Some(provider), Some(request)) = (&self.provider, &self.exchange.request) else {
            return false;
        };
        let message = Message::new(request, &self.exchange);
        provider.recognise.iter().any(|mark| message.bears(mark))
    }
}

/// When the exchange began: the first octet of its request, or of its response where that is all
/// that was seen.
#[must_use]
pub fn started(exchange: &Exchange) -> Timestamp {
    let request = exchange.request.as_ref().map(|request| request.started);
    let response = || exchange.response.as_ref().map(|response| response.started);
    request.or_else(response).unwrap_or_default()
}

fn delivery_event_id(exchange: &Exchange) -> Uuid {
    let mut seed = *b"delivery............";
    seed[8..16].copy_from_slice(&exchange.flow.id.to_be_bytes());
    seed[16..].copy_from_slice(&exchange.index.to_be_bytes());
    event_id(started(exchange), &seed)
}

/// The status of the response, and how long it took to begin.
fn answer(request: &Request, exchange: &Exchange) -> Option<(u16, Duration)> {
    let response = exchange.response.as_ref()?;
    let took = response.started.nanoseconds_since(request.started);
    Some((response.status, Duration::from_nanos(took)))
}

/// The identifier by which the sender, or a proxy before us, follows the request.
fn request_id(headers: &Headers) -> Option<String> {
    let named = |name| headers.first(name).and_then(message::identifier);
    let sent = named("x-request-id").or_else(|| named("x-correlation-id"));
    sent.map(redact::identifier).or_else(|| headers.first("traceparent").and_then(trace_id))
}

/// The trace-id of a traceparent header (W3C Trace Context, section 3.2.2): 32 hexadecimal digits
/// after the version, not all zero.
fn trace_id(traceparent: &[u8]) -> Option<String> {
    let mut parts = traceparent.trim_ascii().split(|byte| *byte == b'-');
    let (version, trace, parent) = (parts.next()?, parts.next()?, parts.next()?);
    let is_hex = |part: &[u8]| part.iter().all(u8::is_ascii_hexdigit);
    let well_formed = version.len() == 2 && trace.len() == 32 && parent.len() == 16;
    let valid = well_formed && is_hex(trace) && trace.iter().any(|digit| *digit != b'0');
    valid.then(|| String::from_utf8_lossy(trace).into_owned())
}

#[cfg(test)]
pub(crate) mod fixture;
#[cfg(test)]
mod losses;
#[cfg(test)]
mod tests;
