//! Sends frames as fast as a link takes them, and knows exactly how many it took.
//!
//! It must not know what becomes of them.

use std::io::IoSlice;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, MultiHeaders, sendmmsg};

use crate::link::Link;
use crate::network::{CLIENT_INTERFACE, Client, SERVER_MAC};
use crate::packet::Packet;

/// Frames handed to the kernel in one call: enough that the call itself costs little.
const BATCH: usize = 64;

/// The first of the [`BATCH`] source ports a flood rotates through.
const FIRST_PORT: u16 = 20_000;

/// A flood from one client's address.
#[derive(Debug)]
pub struct Flood {
    frames: Vec<Vec<u8>>,
    rate: u64,
}

/// What a flood did.
#[derive(Clone, Copy, Debug)]
pub struct Report {
    /// Frames the link took.
    pub sent: u64,
    /// Times the link was full; the frame was offered again.
    pub refused: u64,
    /// When the first frame went out.
    pub started: Instant,
    /// From the first frame to the last.
    pub lasted: Duration,
}

impl Flood {
    /// TCP segments of no connection from `client` to `target`, at most `rate` a second.
    #[must_use]
    pub fn new(client: &Client, target: SocketAddr, rate: u64) -> Self {
        let frames = (FIRST_PORT..).take(BATCH).map(|port| {
            let source = SocketAddr::new(client.address_like(target.ip()), port);
            Packet::tcp(source, target).macs(client.mac, SERVER_MAC).frame()
        });
        Self { frames: frames.collect(), rate }
    }

    /// Sends until `frames` are sent or `stop` is set. It must run inside the client's namespace.
    ///
    /// # Errors
    /// When the interface cannot be opened or goes away.
    pub fn run(&self, frames: u64, stop: &AtomicBool) -> Result<Report> {
        let link = Link::open(CLIENT_INTERFACE)?;
        let slices: Vec<[IoSlice<'_>; 1]> =
            self.frames.iter().map(|frame| [IoSlice::new(frame)]).collect();
        let mut headers = MultiHeaders::<()>::preallocate(BATCH, None);
        let started = Instant::now();
        let mut report = Report { sent: 0, refused: 0, started, lasted: Duration::ZERO };
        while report.sent < frames && !stop.load(Ordering::Relaxed) {
            let count = usize::try_from(frames - report.sent).unwrap_or(BATCH).min(BATCH);
            let addresses = [None; BATCH];
            let flags = MsgFlags::empty();
            let batch = &slices[..count];
            match sendmmsg(link.descriptor(), &mut headers, batch, addresses, [], flags) {
                Ok(results) => report.sent += results.count() as u64,
                Err(Errno::ENOBUFS | Errno::EAGAIN) => report.refused += 1,
                Err(error) => return Err(error).context("cannot send on the client's interface"),
            }
            self.keep_pace(started, report.sent);
        }
        report.lasted = started.elapsed();
        Ok(report)
    }

    fn keep_pace(&self, started: Instant, sent: u64) {
        let due = Duration::from_nanos(sent.saturating_mul(1_000_000_000) / self.rate);
        // Sleeping would overshoot by far more than a batch lasts.
        while started.elapsed() < due {
            thread::yield_now();
        }
    }
}

impl Report {
    /// Frames a second.
    #[must_use]
    pub fn rate(&self) -> u64 {
        let nanoseconds = self.lasted.as_nanos().max(1);
        u64::try_from(u128::from(self.sent) * 1_000_000_000 / nanoseconds).unwrap_or(u64::MAX)
    }
}
