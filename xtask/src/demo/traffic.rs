//! The honest senders of the demo.
//!
//! It must not know the agent.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;
use harness::curl::Delivery;
use harness::load::{self, Load, Progress};
use harness::namespace::Namespace;
use harness::network::{Client, SERVER_V4, SERVER_V6};

/// The port behind which the demo's server listens.
pub(super) const PORT: u16 = 8080;

/// Between two deliveries with curl.
const CURL_EVERY: Duration = Duration::from_millis(250);

/// Deliveries a second of the steady sender.
const STEADY_RATE: u32 = 100;

/// What curl sends in turn: path, whether in chunks. Few enough are rejected that the sender is
/// not banned for them.
const TURNS: [(&str, bool); 8] = [
    ("/hooks/github", false),
    ("/hooks/github", true),
    ("/hooks/empty", false),
    ("/hooks/github", false),
    ("/hooks/unauthorized", false),
    ("/hooks/github", true),
    ("/hooks/empty", false),
    ("/hooks/gone", false),
];

/// What became of everything the honest senders sent.
#[derive(Debug, Default)]
pub(super) struct Honest {
    /// Identifiers of all deliveries.
    pub(super) sent: BTreeSet<String>,
    /// Deliveries that got a response.
    pub(super) answered: u64,
    /// The latency that 99 of 100 deliveries of the steady sender did not exceed.
    pub(super) latency: Duration,
    /// What went wrong with the others.
    pub(super) errors: Vec<String>,
}

/// The server as seen from the clients.
pub(super) fn server(address: impl Into<IpAddr>) -> SocketAddr {
    SocketAddr::new(address.into(), PORT)
}

/// Sends until `progress.stop`: with curl over IPv6 from one client, and at a steady rate over
/// IPv4 from another.
pub(super) fn send(by_hand: &Client, steady: &Client, progress: &Progress) -> Result<Honest> {
    thread::scope(|scope| {
        let curl = scope.spawn(|| curl(&by_hand.namespace, progress));
        let report = steady.namespace.run(|| steady_load().run(progress));
        let mut honest = curl.join().expect("the curl loop does not panic");
        honest.add(report?);
        Ok(honest)
    })
}

impl Honest {
    fn add(&mut self, steady: load::Report) {
        self.answered += steady.latencies.len() as u64;
        self.latency = steady.latency(99);
        self.sent.extend(steady.ids);
        self.errors.extend(steady.errors);
    }
}

fn steady_load() -> Load {
    Load {
        target: server(SERVER_V4),
        path: "/hooks/github".to_owned(),
        rate: STEADY_RATE,
        count: u64::MAX,
        connections: 2,
        keep_alive: true,
        body_bytes: 400,
        prefix: "steady-".to_owned(),
    }
}

fn curl(namespace: &Namespace, progress: &Progress) -> Honest {
    let mut honest = Honest::default();
    let mut due = Instant::now();
    for (number, (path, chunked)) in TURNS.iter().cycle().enumerate() {
        if progress.stop.load(Ordering::Relaxed) {
            break;
        }
        let id = format!("curl-{number}");
        let body = format!("{{\"ref\":\"refs/heads/main\",\"number\":{number}}}");
        let delivery = Delivery::new(server(SERVER_V6), path, &id, &body);
        let delivery = if *chunked { delivery.chunked() } else { delivery };
        honest.sent.insert(id);
        progress.sent.fetch_add(1, Ordering::Relaxed);
        match delivery.send(namespace) {
            Ok(_) => {
                honest.answered += 1;
                progress.answered.fetch_add(1, Ordering::Relaxed);
            }
            Err(error) => honest.errors.push(format!("{error:#}")),
        }
        due += CURL_EVERY;
        thread::sleep(due.saturating_duration_since(Instant::now()));
    }
    honest
}
