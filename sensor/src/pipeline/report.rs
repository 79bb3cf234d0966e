//! The desk's figures, gathered from everything it holds.
//!
//! It must not know who asks.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::num::NonZeroU32;

use anyhow::Result;
use ipnet::IpNet;

use super::desk::Desk;
use crate::control::{SourceOrder, SourceView};
use crate::export::{
    BanFigures, InterfaceFigures, KernelFigures, PortCoverage, RESPONSE_CLASSES, RecordFigures,
    SamplingFigures, Snapshot, named,
};
use crate::kernel::Source;

impl Desk {
    /// Everything there is to say at this moment.
    pub(super) fn snapshot(&self) -> Result<Snapshot> {
        // Before what the kernel counts, which is ahead: what comes in between was counted first.
        let streams = self.shards.streams();
        let kernel = KernelFigures::from(&self.enforcer.totals()?);
        let before = |port| self.counted_before.get(&port).copied().unwrap_or(0);
        let of_port = |one| PortCoverage::of(one, before(one.port), &streams.endpoints);
        let coverage = kernel.ports.iter().map(of_port).collect();
        let saves = self.state.figures();
        let (receivers, receivers_untracked) = self.common.receivers();
        Ok(Snapshot {
            state: String::from("running"),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            uptime_seconds: self.started.elapsed().as_secs(),
            enforce: self.config.enforce,
            interfaces: self.attachments.iter().map(InterfaceFigures::from).collect(),
            sampling: SamplingFigures {
                one_in: self.sampling.one_in(),
                configured: self.config.kernel.sample_one_in,
            },
            kernel,
            streams,
            coverage,
            records: self.record_figures(),
            state_saves: named([("saved", saves.saved()), ("failed", saves.failed())]),
            receivers,
            receivers_untracked,
            bans: BanFigures {
                active: figure(self.choke_point.active().len()),
                protected: figure(self.choke_point.protected().entries().len()),
                decisions: named(self.figures.decisions.iter().map(|(name, n)| (*name, *n))),
                refused: named(self.figures.refused.iter().map(|(name, n)| (*name, *n))),
            },
        })
    }

    /// The sources that have most of something, first those that have most.
    pub(super) fn sources(&mut self, by: SourceOrder, top: NonZeroU32) -> Result<Vec<SourceView>> {
        let kernel = self.enforcer.kernel();
        let slots: BTreeMap<u32, u16> = kernel.slots()?.into_iter().collect();
        let limit = &self.config.limit;
        let mut views: Vec<_> = kernel
            .sources()?
            .into_iter()
            .filter_map(|source| {
                let port = *slots.get(&source.slot)?;
                let bits = if source.address.is_ipv4() { limit.source_v4 } else { limit.source_v6 };
                let network = IpNet::new(source.address, bits).ok()?;
                Some(view(&source, network, port))
            })
            .collect();
        views.sort_by_key(|one| (Reverse(one.rank(by)), one.source, one.port));
        views.truncate(usize::try_from(top.get())?);
        Ok(views)
    }

    fn record_figures(&self) -> RecordFigures {
        let decisions = self.figures.decisions.values().sum();
        let findings = &self.figures.findings;
        let writer = self.lines.figures();
        let (sinks, is_held_up) = (writer.sinks(), writer.is_held_up());
        let mut lost = named([
            ("writer_behind", writer.behind()),
            ("desk_behind", self.shards.findings_lost()),
        ]);
        for (name, figures) in &sinks {
            lost.insert(format!("{name}_failed"), figures.lost);
        }
        RecordFigures {
            made: named([
                ("delivery", self.shards.deliveries()),
                ("finding", findings.values().sum()),
                ("decision", decisions),
            ]),
            findings: named(findings.iter().map(|(rule, count)| (*rule, *count))),
            written: named(sinks.iter().map(|(name, one)| (*name, one.taken - one.lost))),
            lost,
            failing: sinks
                .iter()
                .filter(|one| one.1.failing || is_held_up)
                .map(|one| one.0.to_string())
                .collect(),
        }
    }
}

fn view(source: &Source, network: IpNet, port: u16) -> SourceView {
    let counts = &source.state.counts;
    SourceView {
        source: network,
        port,
        established: source.established,
        packets: counts.packets,
        bytes: counts.bytes,
        connections: counts.connections,
        requests: counts.requests,
        responses: named(RESPONSE_CLASSES.into_iter().zip(counts.responses)),
        over_limit: source.state.over_limit,
    }
}

fn figure(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
