//! Replays of exchanges that were never sent, for what takes days or public addresses.
//!
//! It must not know what is found in them.

use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::agent::binary;
use crate::conversation::conversation;
use crate::network::SERVER_V4;
use crate::pcap::pcap;

/// Packets of a conversation before its answer.
const BEFORE_ANSWER: usize = 4;

static COUNT: AtomicU32 = AtomicU32::new(0);

/// One exchange on a connection of its own.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// When it begins, in seconds since 1970.
    pub second: u64,
    /// Seconds until its answer.
    pub took: u64,
    /// Who sends it.
    pub client: IpAddr,
    /// The server's port.
    pub port: u16,
    /// The request, in one segment.
    pub request: String,
    /// The response, in one segment.
    pub response: String,
}

/// A file in a folder of its own, which goes with it.
#[derive(Debug)]
pub struct Scratch {
    folder: PathBuf,
}

impl Scratch {
    /// An empty folder.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn new() -> Result<Self> {
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("hs-{}-replay-{number}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        fs::create_dir(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        Ok(Self { folder })
    }

    /// Writes a file.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, name: &str, octets: &[u8]) -> Result<PathBuf> {
        let path = self.folder.join(name);
        fs::write(&path, octets).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // An error while unwinding has nowhere to go.
        fs::remove_dir_all(&self.folder).ok();
    }
}

/// A capture of `exchanges`.
#[must_use]
pub fn capture(exchanges: &[Exchange]) -> Vec<u8> {
    let mut frames = Vec::new();
    for (one, port) in exchanges.iter().zip((10_000..60_000).cycle()) {
        let client = SocketAddr::new(one.client, port);
        let server = SocketAddr::new(SERVER_V4.into(), one.port);
        let packets = conversation(client, server, &one.request, &one.response);
        for (number, (_, packet)) in packets.iter().enumerate() {
            let later = if number < BEFORE_ANSWER { 0 } else { one.took };
            frames.push((one.second + later, packet.frame()));
        }
    }
    frames.sort_by_key(|(second, _)| *second);
    let timed = |(second, frame): &(u64, Vec<u8>)| (Duration::from_secs(*second), frame.clone());
    let timed: Vec<_> = frames.iter().map(timed).collect();
    pcap(timed.iter().map(|(time, frame)| (*time, frame.as_slice())))
}

/// The records of a replay of `exchanges` with a configuration that watches `ports` and has
/// `tables`.
///
/// # Errors
/// When the replay fails, with what it said.
pub fn replay(exchanges: &[Exchange], ports: &[u16], tables: &str) -> Result<Vec<Value>> {
    let scratch = Scratch::new()?;
    let config = format!("interfaces = [\"eth0\"]\nports = {ports:?}\n{tables}");
    let mut command = Command::new(binary()?);
    command.arg("replay").arg(scratch.write("capture.pcap", &capture(exchanges))?);
    command.arg("--config").arg(scratch.write("hooksensor.toml", config.as_bytes())?);
    let output = command.output().context("cannot start the replay")?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).context("records are text")?;
    text.lines().map(|line| serde_json::from_str(line).context("a record is not JSON")).collect()
}
