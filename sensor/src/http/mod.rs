//! Turns the byte streams of a connection into [`Exchange`]s, and says who the client was.
//!
//! Pure: no clock, no I/O. It must not know webhooks or where its input came from.

mod allowance;
mod body;
mod chunked;
mod conversation;
mod counters;
mod cutter;
mod engine;
mod entries;
mod exchange;
mod head;
mod headers;
mod identity;
mod lenient;
mod name;
mod octet_set;
mod opaque;
mod options;
mod owed;
mod places;
mod policies;
mod proxy;
mod queue;
mod reader;
mod spelling;
mod start;
mod start_line;
mod target;
#[cfg(test)]
mod tests;
mod tls;

pub use allowance::Allowance;
pub use counters::Counters;
pub use engine::Engine;
pub use exchange::{
    Anomaly, Body, Coverage, Exchange, Flow, Gravest, Observation, Request, Response, Skip, Version,
};
pub use headers::Headers;
pub use identity::TrustedProxies;
pub(crate) use name::is_same_name;
pub use opaque::{Opaque, Protocol};
pub use options::{BodyPolicy, Limits, Options, PortFilter};
pub use places::Places;
pub use policies::BodyPolicies;
pub use spelling::{canonical_path, unescape};
pub(crate) use start_line::is_token as is_tchar;
pub use target::{Target, host_of};
pub use tls::ClientHello;
