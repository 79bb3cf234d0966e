//! Two hosts and a link, a flood on one end and threads pinned to the other core at the other.
//!
//! It must not know who drops the frames.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use harness::namespace::{Namespace, ip};
use harness::network::{CLIENT_INTERFACE, Network, SERVER_MAC, SERVER_V4};
use harness::packet::{Packet, flag};
use harness::program::{Link, Program};
use harness::server::Server;
use nix::net::if_::if_nametoindex;
use nix::unistd::Pid;

use crate::pace::Pace;
use crate::receivers::Receiver;
use crate::{cores, link};

/// The port that is flooded.
pub(crate) const PORT: u16 = 8080;

/// Where the flood says it comes from: an address of the client's network that nobody has.
pub(crate) const FLOODING: &str = "10.77.1.77";

/// The server's end of the link.
pub(crate) const LINK: &str = "link1";

/// A link of the client that nothing uses, see [`hold`].
const SPARE: [&str; 2] = ["spare0", "spare1"];

/// Time for the pace to be found before anything is measured, and the time that is.
const WARM: Duration = Duration::from_millis(400);
const MEASURED: Duration = Duration::from_millis(800);

/// Frames of one call into the kernel: a few milliseconds of them, so that the flood finds its
/// pace, and ends soon after it is told to.
const FRAMES: u32 = 8_000;

/// Where the frame says how long its sender pauses: the last octet of the sender's hardware
/// address, which no checksum covers.
const PAUSE: usize = 11;

/// The hosts, ready for a flood.
pub(crate) struct Stage {
    pub(crate) network: Network,
    _server: Server,
    frame: Vec<u8>,
    sending: Program,
    _held: Link,
    receiving: Vec<Pid>,
}

/// What was received in the time that was measured.
pub(crate) struct Received {
    frames: u64,
    /// Nanoseconds that the receiving thread had the processor.
    busy: u64,
    /// Packets that reached the transport layer.
    delivered: u64,
    lasted: Duration,
}

impl Received {
    /// Frames a second.
    pub(crate) fn a_second(&self) -> f64 {
        per_second(self.frames, self.lasted)
    }

    /// Frames in each second that the receiving thread had the processor.
    pub(crate) fn a_busy_second(&self) -> f64 {
        per_second(self.frames, Duration::from_nanos(self.busy))
    }

    /// Who drops must have dropped, but for what a limit lets pass.
    pub(crate) fn check(&self, receiver: Receiver) -> Result<()> {
        let passed = self.delivered > self.frames / 20;
        ensure!(
            passed == (receiver == Receiver::NoFilter),
            "{}: {} of {} frames were delivered",
            receiver.name(),
            self.delivered,
            self.frames
        );
        Ok(())
    }
}

impl Stage {
    pub(crate) fn build() -> Result<Self> {
        let network = Network::new(1)?;
        let (client, server) = (&network.clients[0], network.server.name());
        let source = format!("{FLOODING}:1000").parse()?;
        let packet = Packet::tcp(source, (SERVER_V4, PORT).into()).flags(flag::ACK);
        let frame = packet.macs(client.mac, SERVER_MAC).frame();
        // What answers the flood needs a neighbour to go to.
        let mac = client.mac.map(|octet| format!("{octet:02x}")).join(":");
        ip(["-netns", server, "neigh", "add", FLOODING, "lladdr", &mac, "dev", LINK])?;
        link::spread(&network)?;
        let receiving = link::poll_in_threads(&network)?;
        let index = client.namespace.run(|| if_nametoindex(CLIENT_INTERFACE))??;
        let web_server = cores::before_the_flood(|| Server::start(&network.server, PORT))??;
        let sending = Program::sending(index, PAUSE)?;
        let held = hold(&sending, &client.namespace)?;
        Ok(Self { network, _server: web_server, frame, sending, _held: held, receiving })
    }

    /// Floods as fast as the receiver can just not take, and measures what it takes.
    pub(crate) fn flood(&self) -> Result<Received> {
        self.while_sending(true, || {
            thread::sleep(WARM);
            let (before, started) = (self.count()?, Instant::now());
            thread::sleep(MEASURED);
            let (after, lasted) = (self.count()?, started.elapsed());
            Ok(Received {
                frames: after.frames - before.frames,
                busy: after.busy - before.busy,
                delivered: after.delivered - before.delivered,
                lasted,
            })
        })
    }

    /// Does `work` during a flood at full speed.
    pub(crate) fn during<T>(&self, work: impl FnOnce() -> Result<T>) -> Result<T> {
        self.while_sending(false, work)
    }

    fn while_sending<T>(&self, paced: bool, work: impl FnOnce() -> Result<T>) -> Result<T> {
        let stop = AtomicBool::new(false);
        thread::scope(|scope| {
            let sending = scope.spawn(|| self.send(paced, &stop));
            let done = work();
            stop.store(true, Ordering::Relaxed);
            let sent = sending.join().map_err(|_| anyhow::anyhow!("the flood panicked"))?;
            sent.and(done)
        })
    }

    fn send(&self, paced: bool, stop: &AtomicBool) -> Result<()> {
        self.network.clients[0].namespace.run(|| {
            cores::pin(Pid::from_raw(0), cores::SENDING)?;
            let (mut frame, mut pace) = (self.frame.clone(), Pace::new()?);
            while !stop.load(Ordering::Relaxed) {
                frame[PAUSE] = if paced { pace.pause() } else { 0 };
                self.sending.act(&frame, FRAMES)?;
                pace.sent(FRAMES.into())?;
            }
            Ok(())
        })?
    }

    /// What was received since the link was made.
    fn count(&self) -> Result<Received> {
        let mut list = Command::new("ethtool");
        let output = self.network.server.output(list.args(["-S", LINK]))?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let figures: BTreeMap<_, _> =
            text.lines().filter_map(|line| line.split_once(':')).collect();
        let found = figures.iter().find(|(name, _)| name.trim() == "rx_queue_0_xdp_packets");
        let frames = found.context("ethtool counts what a veth receives")?.1.trim().parse()?;
        let threads = self.receiving.iter();
        let busy = threads.map(|thread| cores::processor_time(*thread)).sum::<Result<_>>()?;
        Ok(Received { frames, busy, delivered: self.delivered()?, lasted: Duration::ZERO })
    }

    fn delivered(&self) -> Result<u64> {
        let path = "/proc/thread-self/net/snmp";
        let text = self.network.server.run(|| fs::read_to_string(path))?;
        let text = text.with_context(|| format!("cannot read {path}"))?;
        let mut rows = text.lines().filter_map(|line| line.strip_prefix("Ip: "));
        let (names, values) = (rows.next().unwrap_or_default(), rows.next().unwrap_or_default());
        let mut both = names.split(' ').zip(values.split(' '));
        let delivered = both.find(|(name, _)| *name == "InDelivers");
        Ok(delivered.context("the kernel counts what is delivered")?.1.parse()?)
    }
}

/// Attaches the sending program where nothing arrives. A call that runs a program which is attached
/// nowhere enters it into the kernel's dispatcher and takes it out again, and waits for every
/// processor each time (`bpf_prog_test_run_xdp` in `net/bpf/test_run.c`): the flood would rest nine
/// tenths of the time.
fn hold(sending: &Program, client: &Namespace) -> Result<Link> {
    let [one, other] = SPARE;
    ip(["-netns", client.name(), "link", "add", one, "type", "veth", "peer", "name", other])?;
    client.run(|| sending.attach(if_nametoindex(one)?))?
}

fn per_second(frames: u64, time: Duration) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a rate needs no more digits")]
    let frames = frames as f64;
    frames / time.as_secs_f64()
}
