//! A client that sends deliveries at a given rate and measures each.
//!
//! It must not know who watches.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use crate::curl::signature;

/// Time after which a delivery counts as failed: a lost packet is sent again long before.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Longest response that is read; the test server's are far shorter.
const MAX_RESPONSE: usize = 16 << 10;

/// A run of deliveries.
#[derive(Clone, Debug)]
pub struct Load {
    /// Where to.
    pub target: SocketAddr,
    /// The request target.
    pub path: String,
    /// Deliveries a second, over all connections.
    pub rate: u32,
    /// Deliveries in all.
    pub count: u64,
    /// Connections that share them.
    pub connections: u64,
    /// Whether a connection carries more than one delivery.
    pub keep_alive: bool,
    /// Octets of each payload.
    pub body_bytes: usize,
    /// Starts every `X-GitHub-Delivery`; the delivery's number follows.
    pub prefix: String,
}

/// What became of a run.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// `X-GitHub-Delivery` of every delivery that was tried.
    pub ids: Vec<String>,
    /// What went wrong with the others, at most one of each connection.
    pub errors: Vec<String>,
    /// Of each answered delivery, sorted: from its first octet to the last of the response.
    pub latencies: Vec<Duration>,
}

/// Counts of a run that others may read while it lasts.
#[derive(Debug, Default)]
pub struct Progress {
    /// Deliveries that were tried.
    pub sent: AtomicU64,
    /// Those that got a response.
    pub answered: AtomicU64,
    /// Ends the run when set.
    pub stop: AtomicBool,
}

impl Load {
    /// Sends everything; blocks until the last response. It must run inside the client's
    /// namespace.
    ///
    /// # Panics
    /// Never: a worker does not panic.
    #[must_use]
    pub fn run(&self, progress: &Progress) -> Report {
        let started = Instant::now();
        let mut report = Report::default();
        thread::scope(|scope| {
            let workers: Vec<_> = (0..self.connections)
                .map(|worker| scope.spawn(move || self.work(worker, started, progress)))
                .collect();
            for worker in workers {
                let part = worker.join().expect("a worker of the load client does not panic");
                report.ids.extend(part.ids);
                report.errors.extend(part.errors);
                report.latencies.extend(part.latencies);
            }
        });
        report.latencies.sort_unstable();
        report
    }

    /// Every `connections`th delivery, each at its time: a slow response does not shift those
    /// after it.
    fn work(&self, worker: u64, started: Instant, progress: &Progress) -> Report {
        let mut report = Report::default();
        let mut connection = None;
        for number in (worker..self.count).step_by(usize::try_from(self.connections).unwrap_or(1)) {
            let due = Duration::from_nanos(number * 1_000_000_000 / u64::from(self.rate));
            thread::sleep(due.saturating_sub(started.elapsed()));
            if progress.stop.load(Ordering::Relaxed) {
                break;
            }
            let begun = Instant::now();
            report.ids.push(self.id(number));
            progress.sent.fetch_add(1, Ordering::Relaxed);
            match self.deliver(number, &mut connection) {
                Ok(()) => {
                    progress.answered.fetch_add(1, Ordering::Relaxed);
                    report.latencies.push(begun.elapsed());
                }
                Err(error) => {
                    connection = None;
                    report.errors = vec![format!("{error:#}")];
                }
            }
        }
        report
    }

    fn deliver(&self, number: u64, connection: &mut Option<TcpStream>) -> Result<()> {
        let mut stream = match connection.take() {
            Some(stream) => stream,
            None => connect(self.target)?,
        };
        stream.write_all(&self.request(number)).context("cannot send a request")?;
        read_response(&mut stream)?;
        if self.keep_alive {
            *connection = Some(stream);
        }
        Ok(())
    }

    fn id(&self, number: u64) -> String {
        format!("{}{number}", self.prefix)
    }

    fn request(&self, number: u64) -> Vec<u8> {
        let body = format!("{{\"number\":{number},\"text\":\"{}\"}}", "x".repeat(self.body_bytes));
        let connection = if self.keep_alive { "keep-alive" } else { "close" };
        let signature = signature(body.as_bytes());
        format!(
            "POST {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: GitHub-Hookshot/044aadd\r\n\
             Content-Type: application/json\r\nX-GitHub-Event: push\r\n\
             X-GitHub-Delivery: {}\r\nX-Hub-Signature-256: {signature}\r\n\
             Content-Length: {}\r\nConnection: {connection}\r\n\r\n{body}",
            self.path,
            self.target,
            self.id(number),
            body.len(),
        )
        .into_bytes()
    }
}

impl Report {
    /// The latency that `percent` of the answered deliveries did not exceed.
    #[must_use]
    pub fn latency(&self, percent: usize) -> Duration {
        let index = (self.latencies.len() * percent).div_ceil(100).saturating_sub(1);
        self.latencies.get(index).copied().unwrap_or_default()
    }
}

fn connect(target: SocketAddr) -> Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&target, TIMEOUT).context("cannot connect")?;
    stream.set_read_timeout(Some(TIMEOUT)).context("cannot set a timeout")?;
    stream.set_nodelay(true).context("cannot switch off Nagle's algorithm")?;
    Ok(stream)
}

/// Reads one response with a Content-Length, or without a body, to its end.
fn read_response(stream: &mut TcpStream) -> Result<()> {
    let mut response = Vec::new();
    let mut buffer = [0; 2048];
    while response.len() < MAX_RESPONSE {
        let count = match stream.read(&mut buffer) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            read => read.context("no response")?,
        };
        if count == 0 {
            bail!("the connection ended after {} octets of a response", response.len());
        }
        response.extend(&buffer[..count]);
        if is_complete(&response) {
            return Ok(());
        }
    }
    bail!("a response of more than {MAX_RESPONSE} octets")
}

fn is_complete(response: &[u8]) -> bool {
    let text = String::from_utf8_lossy(response);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: "));
    length.map_or(Ok(0), str::parse).is_ok_and(|length| body.len() >= length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_response_is_complete_with_its_body() {
        for (response, expected) in [
            ("", false),
            ("HTTP/1.1 200 OK\r\n", false),
            ("HTTP/1.1 204 No Content\r\n\r\n", true),
            ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n2", false),
            ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n20", true),
        ] {
            assert_eq!(is_complete(response.as_bytes()), expected, "{response:?}");
        }
    }

    #[test]
    fn latencies_are_ranked() {
        let latencies = (1..=100).map(Duration::from_millis).collect();
        let report = Report { latencies, ..Report::default() };
        for (percent, expected) in [(50, 50), (99, 99), (100, 100), (0, 1)] {
            assert_eq!(report.latency(percent), Duration::from_millis(expected), "{percent} %");
        }
        assert_eq!(Report::default().latency(99), Duration::ZERO);
    }
}
