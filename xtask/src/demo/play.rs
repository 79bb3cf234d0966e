//! The demo's story: deliveries, a flood that is only counted, the switch, a flood that is
//! dropped.
//!
//! It must not know how anything is drawn.

use std::net::TcpStream;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use harness::agent::{AS_BY_DEFAULT, Agent, Settings};
use harness::eventually;
use harness::flood::{self, Flood};
use harness::load::Progress;
use harness::network::{Client, Network, SERVER_V4};
use harness::server::Server;

use super::figures::Figures;
use super::screen::Screen;
use super::summary::{Limit, Summary};
use super::traffic::{self, PORT};

/// What a source may send, in packets: far above an honest sender, far below a flood.
const LIMIT: Limit = Limit { rate: 2_000, burst: 2_000, ban_after: Duration::from_secs(1) };

/// The flood that passes in simulation: what two cores still answer beside everything else.
const SIMULATED_RATE: u64 = 20_000;

/// The flood that is dropped. A slower machine sends what it can.
const ENFORCED_RATE: u64 = 400_000;

/// How often the screen is refreshed.
const REFRESH: Duration = Duration::from_millis(250);

/// How long a figure may take to arrive after what it counts.
const SETTLE: Duration = Duration::from_secs(5);

/// Everything the acts work with.
struct Stage<'a> {
    agent: &'a Agent<'a>,
    progress: &'a Progress,
    interrupted: &'a AtomicBool,
    screen: Screen,
}

/// A flood and what the kernel counted while it went on.
pub(super) struct Flooded {
    pub(super) report: flood::Report,
    pub(super) counted: Figures,
    /// From the first packet of the flood until its effect showed in the counters.
    pub(super) noticed: Duration,
}

/// Plays the whole story, about half a minute.
pub(super) fn play(binary: &Path, interrupted: &AtomicBool) -> Result<Summary> {
    let network = Network::new(4)?;
    let _server = Server::start(&network.server, PORT)?;
    let mut settings = Settings::new(network.interfaces(), PORT);
    settings.shards = AS_BY_DEFAULT;
    settings.limit = Some((LIMIT.rate, LIMIT.burst));
    settings.ban = "over_limit_for = \"1s\"\nduration = \"10m\"".to_owned();
    let agent = Agent::start(binary, &network.server, &settings)?;
    let [by_hand, steady, first, second] = &network.clients[..] else {
        bail!("the network has another number of clients than was asked for")
    };
    let progress = Progress::default();
    thread::scope(|scope| {
        let sending = scope.spawn(|| traffic::send(by_hand, steady, &progress));
        let end = EndOfSending(&progress);
        let mut stage =
            Stage { agent: &agent, progress: &progress, interrupted, screen: Screen::new() };
        let floods = stage.acts(&settings, first, second)?;
        drop(end);
        let honest = sending.join().expect("the senders do not panic")?;
        Summary::collect(&agent, &honest, floods, LIMIT)
    })
}

impl Stage<'_> {
    fn acts(
        &mut self,
        settings: &Settings,
        first: &Client,
        second: &Client,
    ) -> Result<[Flooded; 2]> {
        self.watch("deliveries, some with curl, some rejected by the server", 6)?;
        let simulated = self.flood("a flood in simulation: counted, not dropped", first, 5)?;
        self.enforce(settings)?;
        self.watch("switched to enforcement: enforce = true, hooksensor reload", 4)?;
        let enforced = self.flood("a flood from another source, enforced: dropped", second, 10)?;
        self.watch("after the flood", 3)?;
        Ok([simulated, enforced])
    }

    fn enforce(&self, settings: &Settings) -> Result<()> {
        self.agent.configure(&Settings { enforce: true, ..settings.clone() })?;
        self.agent.done(&["reload"])?;
        eventually(SETTLE, "the agent enforces", || {
            let status = self.agent.status().ok()?;
            status["enforce"].as_bool()?.then_some(())
        })
    }

    fn flood(&mut self, act: &'static str, client: &Client, seconds: u64) -> Result<Flooded> {
        let enforced = self.agent.status()?["enforce"] == true;
        let rate = if enforced { ENFORCED_RATE } else { SIMULATED_RATE };
        // A source that never completed a handshake would be held to its limit, and not banned.
        let target = traffic::server(SERVER_V4);
        client.namespace.run(|| TcpStream::connect_timeout(&target, SETTLE))??;
        let flood = Flood::new(client, target, rate);
        let before = self.figures()?;
        let stop = AtomicBool::new(false);
        let (report, noticed) = thread::scope(|scope| {
            let run = || client.namespace.run(|| flood.run(u64::MAX, &stop));
            let flooding = scope.spawn(run);
            let noticed = self.notice(before, enforced);
            let watched = self.watch(act, seconds);
            stop.store(true, Ordering::Relaxed);
            let report = flooding.join().expect("the flood does not panic")??;
            watched?;
            anyhow::Ok((report, noticed?))
        })?;
        let counted = self.settled(before, report.sent)?;
        let noticed = noticed.saturating_duration_since(report.started);
        Ok(Flooded { report, counted, noticed })
    }

    /// When the first drop, or the first packet that would have been dropped, was counted. It
    /// looks without pause, as the answer is a time.
    fn notice(&self, before: Figures, enforced: bool) -> Result<Instant> {
        let end = Instant::now() + SETTLE;
        while Instant::now() < end {
            let counted = self.figures()? - before;
            let over = if enforced { counted.dropped } else { counted.would_drop };
            if over > 0 {
                return Ok(Instant::now());
            }
        }
        bail!("no packet of the flood was over the limit within {SETTLE:?}")
    }

    /// What was counted since `before`, once it holds all `sent` packets of a flood.
    fn settled(&self, before: Figures, sent: u64) -> Result<Figures> {
        eventually(SETTLE, "the kernel has counted the whole flood", || {
            let counted = self.figures().ok()? - before;
            (counted.packets >= sent).then_some(counted)
        })
    }

    fn watch(&mut self, act: &'static str, seconds: u64) -> Result<()> {
        let end = Instant::now() + Duration::from_secs(seconds);
        while Instant::now() < end {
            if self.interrupted.load(Ordering::Relaxed) {
                bail!("interrupted");
            }
            self.screen.show(act, self.agent, self.progress)?;
            thread::sleep(REFRESH);
        }
        Ok(())
    }

    fn figures(&self) -> Result<Figures> {
        Ok(Figures::from(&self.agent.metrics()?))
    }
}

/// Ends the senders when it goes, also when an act fails: their threads are waited for.
struct EndOfSending<'a>(&'a Progress);

impl Drop for EndOfSending<'_> {
    fn drop(&mut self) {
        self.0.stop.store(true, Ordering::Relaxed);
    }
}
