//! Runs the stages over a capture: the same records, findings and decisions as live traffic.
//!
//! It must not know files or terminals: octets come in through a reader, lines go out through a
//! function.

use std::collections::BTreeMap;
use std::io::Read;
use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;

use hooksensor_ebpf::abi::Limit;
use hooksensor_ebpf::limit::{self, Outcome};
use lru::LruCache;

use super::figures;
use super::stages::{Basis, Output, Stages};
use crate::capture::decode::{Decoder, Skipped};
use crate::capture::pcap::{Error, Reader};
use crate::capture::{Segment, TcpFlags};
use crate::config::Config;
use crate::decide::{ChokePoint, Policy, Protected, Refusal};
use crate::detect::{Finding, OverLimit, Watch};
use crate::enforce;
use crate::export::StreamFigures;
use crate::http::PortFilter;
use crate::record::{self, Observer};
use crate::time::Timestamp;
use crate::webhook::Knowledge;

/// The kernel repeats a notice about a source after this long (nanoseconds).
const NOTICE_INTERVAL: u64 = 100_000_000;

/// Time of packets between two looks for deliveries that should have come (nanoseconds).
const WATCH_INTERVAL: u64 = 60_000_000_000;

/// Seed of the connection table: a capture cannot adapt to it, and nothing depends on it.
const SEED: u64 = 0;

/// What a replay saw.
#[derive(Debug, Clone, Default)]
pub struct Summary {
    /// Frames read.
    pub frames: u64,
    /// Frames that held no TCP segment, by reason.
    pub skipped: BTreeMap<&'static str, u64>,
    /// Frames whose fragments are in the segment of a later one.
    pub joined: u64,
    /// Frames of which the capture does not say when they were seen; they have the time of one
    /// before them.
    pub untimed: u64,
    /// Delivery records.
    pub deliveries: u64,
    /// Findings.
    pub findings: u64,
    /// Decisions that would have been made.
    pub decisions: u64,
    /// What reassembly and parsing counted.
    pub streams: StreamFigures,
}

/// A replay over one or several captures, in order.
pub struct Replay {
    stages: Stages,
    watched: Timestamp,
    after: After,
}

/// What comes after the stages, apart from them so that their callback can borrow it.
struct After {
    judges: Option<Judges>,
    observer: Arc<Observer>,
    summary: Summary,
}

/// What the kernel and the desk do live; only where a configuration says how.
struct Judges {
    choke_point: ChokePoint,
    ports: PortFilter,
    limit: Limit,
    sources: LruCache<(IpAddr, u16), Spell>,
}

/// What the kernel keeps of a source.
#[derive(Default)]
struct Spell {
    arrival: u64,
    noticed: u64,
    /// The acknowledgement number that completes the handshake under way.
    expected: Option<u32>,
    established: bool,
}

impl Replay {
    /// A replay of `ports`. With a configuration it also finds and decides as that says;
    /// `knowledge` is made of the same.
    #[must_use]
    pub fn new(config: Option<&Config>, knowledge: Knowledge, ports: PortFilter) -> Self {
        let observer = Arc::new(Observer {
            hostname: String::new(),
            version: env!("CARGO_PKG_VERSION"),
            interfaces: BTreeMap::new(),
        });
        let judges = config.map(|config| Judges::new(config, ports.clone()));
        let default = Config::default();
        let stages = Stages::new(Basis {
            config: config.unwrap_or(&default),
            knowledge: Arc::new(knowledge),
            ports,
            observer: Arc::clone(&observer),
            seed: SEED,
        });
        let watched = Timestamp::default();
        Self { stages, watched, after: After { judges, observer, summary: Summary::default() } }
    }

    /// Runs over one capture; each line goes to `out`.
    ///
    /// # Errors
    ///
    /// When the capture is damaged or cut short. Everything before that has been put out, and the
    /// replay can go on with another capture.
    pub fn capture(&mut self, source: impl Read, out: &mut impl FnMut(&[u8])) -> Result<(), Error> {
        let mut reader = Reader::new(source)?;
        let read = self.frames(&mut reader, out);
        self.after.summary.untimed += reader.untimed();
        read
    }

    fn frames(
        &mut self,
        reader: &mut Reader<impl Read>,
        out: &mut impl FnMut(&[u8]),
    ) -> Result<(), Error> {
        let mut decoder = Decoder::default();
        while let Some(frame) = reader.next_frame()? {
            self.after.summary.frames += 1;
            match &decoder.segment(&frame) {
                Ok(segment) => self.segment(segment, out),
                Err(skipped) => *self.after.summary.skipped(*skipped) += 1,
            }
            self.after.summary.join(decoder.take_joined());
        }
        Ok(())
    }

    /// Puts out what is unfinished, and says what was seen.
    pub fn finish(mut self, out: &mut impl FnMut(&[u8])) -> Summary {
        let Self { stages, after, .. } = &mut self;
        stages.finish(&mut |output| after.put(output, out));
        after.summary.streams = figures::streams(stages);
        self.after.summary
    }

    fn segment(&mut self, segment: &Segment<'_>, out: &mut impl FnMut(&[u8])) {
        let Self { stages, watched, after } = self;
        if segment.time.nanoseconds_since(*watched) >= WATCH_INTERVAL {
            *watched = segment.time;
            stages.watch(segment.time, Watch::Full, &mut |output| after.put(output, out));
        }
        stages.segment(segment, &mut |output| after.put(output, out));
        if let Some(notice) = after.judges.as_mut().and_then(|judges| judges.meter(segment)) {
            stages.over_limit(notice, &mut |output| after.put(output, out));
        }
    }
}

impl Summary {
    fn skipped(&mut self, reason: Skipped) -> &mut u64 {
        self.skipped.entry(reason.name()).or_default()
    }

    /// Takes note that fragments which were skipped have found their place.
    fn join(&mut self, fragments: u64) {
        if fragments > 0 {
            self.joined += fragments;
            *self.skipped(Skipped::Fragment) -= fragments;
            self.skipped.retain(|_, count| *count > 0);
        }
    }
}

impl After {
    fn put(&mut self, output: Output<'_>, out: &mut impl FnMut(&[u8])) {
        match output {
            Output::Delivery(line) => {
                self.summary.deliveries += 1;
                out(line);
            }
            Output::Connection(line) => out(line),
            // A capture holds what it holds.
            Output::Skip(_) => {}
            Output::Finding(finding) => self.decide(&finding, out),
        }
    }

    fn decide(&mut self, finding: &Finding, out: &mut impl FnMut(&[u8])) {
        let Some(judges) = &mut self.judges else { return };
        judges.choke_point.expire(finding.time);
        let verdict = judges.choke_point.finding(finding, finding.time);
        if matches!(verdict, Err(Refusal::Already(_))) {
            return;
        }
        self.summary.findings += 1;
        let mut line = Vec::new();
        record::write_line(&record::finding(finding, &self.observer), &mut line);
        out(&line);
        if let Ok(decision) = verdict {
            judges.choke_point.commit(&decision);
            self.summary.decisions += 1;
            line.clear();
            record::write_line(&record::decision(&decision, &self.observer), &mut line);
            out(&line);
        }
    }
}

impl Judges {
    fn new(config: &Config, ports: PortFilter) -> Self {
        // Whatever the file says of enforcement: a replay drops nothing.
        let policy =
            Policy { enforce: false, ports: config.ports.clone(), ban: config.ban.clone() };
        let most = usize::try_from(config.kernel.max_sources).unwrap_or(usize::MAX);
        Self {
            choke_point: ChokePoint::new(policy, Protected::new(enforce::configured(config))),
            ports,
            limit: limit::limit(config.limit.packets_per_second, config.limit.burst),
            sources: LruCache::new(NonZeroUsize::new(most).unwrap_or(NonZeroUsize::MIN)),
        }
    }

    /// Remembers what completes the handshake that `segment` answers, as the kernel does.
    fn answered(&mut self, segment: &Segment<'_>) {
        let (client, port) = (segment.destination.ip(), segment.source.port());
        if segment.flags.has(TcpFlags::SYN | TcpFlags::ACK)
            && self.ports.has(port)
            && let Some(state) = self.sources.get_mut(&(client, port))
        {
            state.expected = Some(segment.sequence.wrapping_add(1));
        }
    }

    /// The kernel's limiter, over packets to the read ports.
    fn meter(&mut self, segment: &Segment<'_>) -> Option<OverLimit> {
        self.answered(segment);
        let port = segment.destination.port();
        if self.limit.interval == 0 || !self.ports.has(port) {
            return None;
        }
        let source = segment.source.ip();
        let now = segment.time.0;
        let state = self.sources.get_or_insert_mut((source, port), Spell::default);
        state.established |= state.expected == Some(segment.acknowledgement);
        match limit::judge(self.limit, state.arrival, now) {
            Outcome::Conforming(next) => {
                state.arrival = next;
                None
            }
            Outcome::Over if now.saturating_sub(state.noticed) >= NOTICE_INTERVAL => {
                state.noticed = now;
                let established = state.established;
                Some(OverLimit { source, port, established, time: segment.time })
            }
            Outcome::Over => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;
    use crate::tcp::wire::Wire;

    /// Whether the source of `wire` is told to be established, where one packet is too many.
    fn check(wire: &Wire, expected: bool) {
        let limit = config::Limit { packets_per_second: 1, burst: 1, ..config::Limit::default() };
        let mut judges = Judges::new(&Config { limit, ..Config::default() }, PortFilter::Any);
        let notices: Vec<_> =
            wire.segments().filter_map(|segment| judges.meter(&segment)).collect();
        let [notice] = &notices[..] else { panic!("{notices:?}") };
        assert_eq!((notice.port, notice.established), (80, expected));
    }

    #[test]
    fn only_who_received_the_answer_to_a_syn_is_established() {
        let open = Wire::open().client("a");
        check(&open, true);
        check(&Wire::midstream().client("a").client("b"), false);
        let mut guessed = open;
        guessed.packets[2].acknowledgement ^= 1;
        check(&guessed, false);
    }
}
