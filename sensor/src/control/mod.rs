//! How other processes speak to the agent: a unix socket for the verbs, HTTP on loopback for
//! Prometheus.
//!
//! Requests are handed to the desk and its answers passed back. It must not know how a request is
//! carried out.

mod accept;
mod client;
mod http;
mod protocol;
mod server;

pub use client::{ClientError, ask};
pub use http::serve as serve_http;
pub use protocol::{
    AllowedPrefix, Ban, BanScope, DecisionView, Outcome, RefusedTarget, Reloaded, Reply, Request,
    SourceOrder, SourceView,
};
pub use server::{Question, SocketGuard, bind, put, serve};
