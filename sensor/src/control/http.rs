//! `/metrics` and `/healthz` over HTTP.
//!
//! It must not know how the figures came about.

use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::Sender;
use tokio::time::timeout;

use super::accept;
use super::protocol::{Reply, Request};
use super::server::{Question, put};
use crate::export::{Snapshot, encode};

/// A shard that has not looked for work for so many seconds is stuck; it looks several times a
/// second when there is none.
const STUCK: u64 = 5;

type Desk = Sender<Question>;

/// Connections at once; more wait their turn. A monitoring system has one, but every local user may
/// connect, and those who ask nothing must not keep it out. Each costs a task and a descriptor, of
/// which a process has 1024 where nobody gave it more: half of them are left to the agent.
const CONNECTIONS: usize = 512;

/// How long one who has connected may take to ask. Whoever is on loopback asks at once.
const PATIENCE: Duration = Duration::from_secs(1);

/// How long a connection lasts at most. A page takes milliseconds.
const LONGEST: Duration = Duration::from_secs(10);

/// Octets that a connection may have us hold. A scrape's head has hundreds, and the length of a
/// page does not matter: it is written piece by piece.
const BUFFER_BYTES: usize = 16 << 10;

/// Serves until the task is dropped.
pub async fn serve(listener: TcpListener, desk: Desk) {
    let pages = Router::new()
        .route("/metrics", get(metrics))
        .route("/healthz", get(health))
        .with_state(desk);
    accept::each(listener, "metrics", CONNECTIONS, |stream| converse(stream, pages.clone())).await;
}

async fn converse(stream: TcpStream, pages: Router) {
    let service = TowerToHyperService::new(pages);
    let mut protocol = http1::Builder::new();
    // A page ends its connection: between two scrapes it would only take another's place.
    protocol.timer(TokioTimer::new()).header_read_timeout(PATIENCE).keep_alive(false);
    protocol.max_buf_size(BUFFER_BYTES);
    let connection = protocol.serve_connection(TokioIo::new(stream), service);
    match timeout(LONGEST, connection).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "a connection for metrics broke off"),
        Err(_) => tracing::debug!("a connection for metrics was open for too long"),
    }
}

async fn metrics(State(desk): State<Desk>) -> Response {
    let page = snapshot(&desk).await.and_then(|figures| {
        encode(&figures).map_err(|error| format!("cannot write the metrics: {error:#}"))
    });
    match page {
        Ok(text) => ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response(),
        Err(message) => unavailable(message),
    }
}

async fn health(State(desk): State<Desk>) -> Response {
    match snapshot(&desk).await {
        Ok(figures) => ailment(&figures).map_or_else(|| "ok\n".into_response(), unavailable),
        Err(message) => unavailable(message),
    }
}

/// What keeps the agent from doing its work, if anything does.
fn ailment(figures: &Snapshot) -> Option<String> {
    let idle = figures.streams.idle_seconds;
    if idle >= STUCK {
        return Some(format!("the pipeline has not looked for work for {idle} s"));
    }
    if let Some(sink) = figures.records.failing.first() {
        return Some(format!("records are not written to the {sink}; the log has the reason"));
    }
    let one = figures.interfaces.iter().find(|one| one.lost.is_some())?;
    Some(format!("{} is not watched: {}", one.name, one.lost.as_deref()?))
}

async fn snapshot(desk: &Desk) -> Result<Snapshot, String> {
    match put(Request::Status, desk).await {
        Reply::Status(snapshot) => Ok(*snapshot),
        Reply::Failed(message) => Err(message),
        _ => Err(String::from("the desk answered another question")),
    }
}

fn unavailable(message: String) -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, message + "\n").into_response()
}
