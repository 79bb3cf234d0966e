//! The desk's figures, gathered from everything it holds.
//!
//! It must not know who asks.

use anyhow::Result;

use super::desk::Desk;
use crate::export::{BanFigures, InterfaceFigures, KernelFigures, RecordFigures, Snapshot, named};

impl Desk {
    /// Everything there is to say at this moment.
    pub(super) fn snapshot(&self) -> Result<Snapshot> {
        let totals = self.enforcer.totals()?;
        Ok(Snapshot {
            state: String::from("running"),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            uptime_seconds: self.started.elapsed().as_secs(),
            enforce: self.config.enforce,
            interfaces: self.attachments.iter().map(InterfaceFigures::from).collect(),
            kernel: KernelFigures::from(&totals),
            streams: self.shard_figures.streams(),
            records: self.record_figures(),
            state_saves: named([("saved", self.saves.saved()), ("failed", self.saves.failed())]),
            bans: BanFigures {
                active: figure(self.choke_point.active().len()),
                protected: figure(self.choke_point.protected().entries().len()),
                decisions: named(self.figures.decisions.iter().map(|(name, n)| (*name, *n))),
                refused: named(self.figures.refused.iter().map(|(name, n)| (*name, *n))),
            },
        })
    }

    fn record_figures(&self) -> RecordFigures {
        let decisions = self.figures.decisions.values().sum();
        let writer = self.lines.figures();
        let sinks = writer.sinks();
        let mut lost = named([
            ("writer_behind", writer.behind()),
            ("desk_behind", self.shard_figures.findings_lost()),
        ]);
        for (name, figures) in &sinks {
            lost.insert(format!("{name}_failed"), figures.lost);
        }
        RecordFigures {
            made: named([
                ("delivery", self.shard_figures.deliveries()),
                ("finding", self.figures.findings),
                ("decision", decisions),
            ]),
            written: named(sinks.iter().map(|(name, one)| (*name, one.taken - one.lost))),
            lost,
        }
    }
}

fn figure(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
