//! Turns the byte streams of a connection into [`Exchange`]s, and says who the client was.
//!
//! Pure: no clock, no I/O. It must not know webhooks or where its input came from.

mod exchange;

pub use exchange::{
    Anomaly, Body, Coverage, Exchange, Flow, Headers, Observation, Request, Response, Version,
};
