//! Turns an exchange into a [`Delivery`]: which provider sent it, and under which identifiers.
//!
//! Pure: no clock, no I/O. It must not judge what it sees; that is `detect`'s part.

use uuid::Uuid;

use crate::http::Exchange;

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
    /// The correlation identifier found (X-Request-Id, traceparent, …).
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
