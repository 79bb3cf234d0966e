//! Turns an exchange into a [`Delivery`]: which provider sent it, and under which identifiers.
//!
//! Pure: no clock, no I/O. It must not judge what it sees; that is `detect`'s part.

use uuid::Uuid;

use crate::capture::Timestamp;
use crate::config::Endpoint;
use crate::http::{Exchange, Headers, Request};
use crate::id::event_id;

mod provider;
mod providers;
mod target;

use provider::Provider;
pub use provider::{HeaderRole, header_role};
pub use target::{Target, host_of};

/// One webhook request with its response, as the provider understands it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// `event.id`: UUIDv7 made from the packet time and the connection, so a replay repeats it.
    pub id: Uuid,
    /// What was on the wire.
    pub exchange: Box<Exchange>,
    /// The provider's name in the provider table.
    pub provider: Option<&'static str>,
    /// The configured endpoint the request went to.
    pub endpoint: Option<String>,
    /// The provider's name for what happened.
    pub event_type: Option<String>,
    /// The provider's identifier, the same over retries.
    pub delivery_id: Option<String>,
    /// Which attempt this is, from 1, where the provider says so.
    pub attempt: Option<u32>,
    /// The correlation identifier found (X-Request-Id, X-Correlation-Id, traceparent).
    pub request_id: Option<String>,
    /// What is known of the signature.
    pub signature: Signature,
}

/// What is known of a delivery's signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signature {
    /// The provider signs, and the signature was not there.
    Missing,
    /// A signature was there and no secret is configured to check it.
    Unchecked,
    /// The sender is not known to sign.
    NotApplicable,
}

/// Says what `exchange` was: which provider sent it, under which identifiers, to which of the
/// `endpoints`.
#[must_use]
pub fn deliver(exchange: Box<Exchange>, endpoints: &[Endpoint]) -> Delivery {
    let id = delivery_event_id(&exchange);
    let request = exchange.request.as_ref();
    let headers = request.map(|request| &request.headers);
    let told = headers.and_then(|headers| Some((Provider::of(headers)?, headers)));
    Delivery {
        id,
        provider: told.map(|(provider, _)| provider.name),
        endpoint: request.and_then(|request| endpoint(request, &exchange, endpoints)),
        event_type: told.and_then(|(provider, headers)| provider.event_type(headers)),
        delivery_id: told.and_then(|(provider, headers)| provider.delivery_id(headers)),
        attempt: told.and_then(|(provider, headers)| provider.attempt(headers)),
        request_id: headers.and_then(request_id),
        signature: told
            .map_or(Signature::NotApplicable, |(provider, headers)| provider.signature(headers)),
        exchange,
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

/// The name of the endpoint with the longest prefix of the request's path.
fn endpoint(request: &Request, exchange: &Exchange, endpoints: &[Endpoint]) -> Option<String> {
    let path = Target::parse(&request.method, &request.target).path?;
    let port = exchange.flow.destination.port();
    endpoints
        .iter()
        .filter(|endpoint| endpoint.port == port)
        .filter(|endpoint| path.starts_with(endpoint.path_prefix.as_bytes()))
        .max_by_key(|endpoint| endpoint.path_prefix.len())
        .map(|endpoint| endpoint.name.clone())
}

/// The identifier by which the sender, or a proxy before us, follows the request.
fn request_id(headers: &Headers) -> Option<String> {
    let named = |name| headers.first(name).and_then(provider::identifier);
    named("x-request-id")
        .or_else(|| named("x-correlation-id"))
        .or_else(|| headers.first("traceparent").and_then(trace_id))
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
mod tests;
