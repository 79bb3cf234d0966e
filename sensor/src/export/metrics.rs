//! A snapshot in the text format of Prometheus.
//!
//! No label carries an address, a path or an identifier: each has a value from a fixed set or from
//! the configuration. It must not know how a figure came about.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use prometheus::process_collector::ProcessCollector;
use prometheus::{Encoder as _, IntCounterVec, IntGaugeVec, Opts, Registry, TextEncoder};

use super::receivers::receivers;
use super::snapshot::{PortFigures, Snapshot};

const PREFIX: &str = "hooksensor";

/// Writes every metric of `snapshot`, and of this process.
///
/// # Errors
///
/// When a metric cannot be registered or written, which a test excludes.
pub fn encode(snapshot: &Snapshot) -> Result<String> {
    let page = Page { registry: Registry::new_custom(Some(PREFIX.to_owned()), None)? };
    agent(&page, snapshot)?;
    packets(&page, snapshot)?;
    messages(&page, snapshot)?;
    records(&page, snapshot)?;
    receivers(&page, snapshot)?;
    let process = Registry::new();
    process.register(Box::new(ProcessCollector::for_self()))?;
    let mut families = page.registry.gather();
    families.extend(process.gather());
    let mut text = Vec::new();
    TextEncoder::new().encode(&families, &mut text)?;
    String::from_utf8(text).context("metrics are text")
}

/// The metrics of one scrape. They are made anew each time, from figures that are kept elsewhere.
pub(super) struct Page {
    pub(super) registry: Registry,
}

pub(super) type Sample<'a> = (Vec<&'a str>, u64);

/// The figures of each watched port, with the port as a label.
struct Ports<'a>(Vec<(String, &'a PortFigures)>);

impl<'a> Ports<'a> {
    fn new(snapshot: &'a Snapshot) -> Self {
        Self(snapshot.kernel.ports.iter().map(|one| (one.port.to_string(), one)).collect())
    }

    fn each(&self) -> impl Iterator<Item = (&str, &PortFigures)> {
        self.0.iter().map(|(name, figures)| (name.as_str(), *figures))
    }

    /// One sample a port and label of `map`.
    fn flat(
        &self,
        map: fn(&PortFigures) -> &BTreeMap<String, u64>,
    ) -> impl Iterator<Item = Sample<'_>> {
        self.each().flat_map(move |(name, figures)| {
            map(figures).iter().map(move |(label, figure)| (vec![name, label.as_str()], *figure))
        })
    }
}

impl Page {
    pub(super) fn counter<'a>(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
        samples: impl IntoIterator<Item = Sample<'a>>,
    ) -> Result<()> {
        let family = IntCounterVec::new(Opts::new(name, help), labels)?;
        for (values, figure) in samples {
            family.get_metric_with_label_values(&values)?.inc_by(figure);
        }
        Ok(self.registry.register(Box::new(family))?)
    }

    pub(super) fn gauge<'a>(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
        samples: impl IntoIterator<Item = Sample<'a>>,
    ) -> Result<()> {
        let family = IntGaugeVec::new(Opts::new(name, help), labels)?;
        for (values, figure) in samples {
            let figure = i64::try_from(figure).unwrap_or(i64::MAX);
            family.get_metric_with_label_values(&values)?.set(figure);
        }
        Ok(self.registry.register(Box::new(family))?)
    }
}

fn agent(page: &Page, snapshot: &Snapshot) -> Result<()> {
    page.gauge(
        "build_info",
        "The version of the agent; always 1.",
        &["version"],
        [(vec![snapshot.version.as_str()], 1)],
    )?;
    page.gauge(
        "enforce",
        "1 while bans and limits drop packets, 0 while they are simulated.",
        &[],
        [(vec![], u64::from(snapshot.enforce))],
    )?;
    page.gauge(
        "interface_info",
        "An interface the programs are attached to, and where they run; always 1.",
        &["interface", "mode"],
        snapshot.interfaces.iter().map(|one| (vec![one.name.as_str(), one.mode.as_str()], 1)),
    )?;
    page.gauge(
        "interface_watched",
        "1 while packets of the interface are seen, 0 when it is gone or taken.",
        &["interface"],
        snapshot
            .interfaces
            .iter()
            .map(|one| (vec![one.name.as_str()], u64::from(one.lost.is_none()))),
    )?;
    page.gauge(
        "sampled_one_in",
        "One connection in this many is copied up now.",
        &[],
        [(vec![], u64::from(snapshot.sampling.one_in))],
    )?;
    page.gauge(
        "sampled_one_in_configured",
        "One connection in this many is copied up while the agent keeps up.",
        &[],
        [(vec![], u64::from(snapshot.sampling.configured))],
    )?;
    decisions(page, snapshot)
}

/// What was found, and what was decided on it.
fn decisions(page: &Page, snapshot: &Snapshot) -> Result<()> {
    page.gauge("bans", "Bans in force or simulated.", &[], [(vec![], snapshot.bans.active)])?;
    page.gauge(
        "protected_prefixes",
        "Prefixes that nothing can ban.",
        &[],
        [(vec![], snapshot.bans.protected)],
    )?;
    page.counter(
        "findings_total",
        "Findings told, by rule.",
        &["rule"],
        by_name(&snapshot.records.findings),
    )?;
    page.counter(
        "decisions_total",
        "Decisions made, by action.",
        &["action"],
        by_name(&snapshot.bans.decisions),
    )?;
    page.counter(
        "bans_refused_total",
        "Bans that were asked for and refused, by cause.",
        &["cause"],
        by_name(&snapshot.bans.refused),
    )
}

fn packets(page: &Page, snapshot: &Snapshot) -> Result<()> {
    let ports = Ports::new(snapshot);
    page.counter(
        "packets_total",
        "TCP packets of watched ports.",
        &["port", "direction"],
        ports.each().flat_map(|(name, one)| {
            [
                (vec![name, "ingress"], one.ingress_packets),
                (vec![name, "egress"], one.egress_packets),
            ]
        }),
    )?;
    page.counter(
        "packet_bytes_total",
        "Octets of the packets of watched ports, headers included.",
        &["port", "direction"],
        ports.each().flat_map(|(name, one)| {
            [(vec![name, "ingress"], one.ingress_bytes), (vec![name, "egress"], one.egress_bytes)]
        }),
    )?;
    page.counter(
        "verdicts_total",
        "Packets that arrived at watched ports, by what became of them.",
        &["port", "reason"],
        ports.flat(|one| &one.verdicts),
    )?;
    page.counter(
        "other_packets_total",
        "Packets that were not for a watched port or could not be read, by reason.",
        &["reason"],
        by_name(&snapshot.kernel.elsewhere),
    )
}

fn messages(page: &Page, snapshot: &Snapshot) -> Result<()> {
    let ports = Ports::new(snapshot);
    page.counter(
        "connections_total",
        "Connections asked for.",
        &["port"],
        ports.each().map(|(name, one)| (vec![name], one.connections)),
    )?;
    page.counter(
        "requests_total",
        "Request lines seen by the kernel, by class of method.",
        &["port", "method"],
        ports.flat(|one| &one.requests),
    )?;
    page.counter(
        "responses_total",
        "Status lines seen by the kernel, by class.",
        &["port", "class"],
        ports.flat(|one| &one.responses),
    )?;
    page.counter(
        "samples_total",
        "Records copied up from the kernel.",
        &["port"],
        ports.each().map(|(name, one)| (vec![name], one.samples)),
    )?;
    page.counter(
        "samples_lost_total",
        "Records that were not copied up, by cause.",
        &["port", "cause"],
        ports.flat(|one| &one.samples_lost),
    )?;
    page.counter(
        "skipped_segments_total",
        "Segments copied up without their payload, which nobody needs.",
        &["port"],
        ports.each().map(|(name, one)| (vec![name], one.skipped)),
    )?;
    page.counter(
        "skipped_bytes_total",
        "Octets of payload left out because nobody needs them.",
        &["port"],
        ports.each().map(|(name, one)| (vec![name], one.skipped_bytes)),
    )?;
    page.counter(
        "sources_refused_total",
        "Sources that passed unlimited because their state found no room.",
        &["port"],
        ports.each().map(|(name, one)| (vec![name], one.sources_refused)),
    )
}

fn records(page: &Page, snapshot: &Snapshot) -> Result<()> {
    page.gauge(
        "open_connections",
        "Connections followed now.",
        &[],
        [(vec![], snapshot.streams.open_connections)],
    )?;
    page.counter(
        "stream_events_total",
        "What reassembly and parsing met, by event.",
        &["event"],
        by_name(&snapshot.streams.totals),
    )?;
    page.counter(
        "exchanges_total",
        "Exchanges put out, by coverage: full, or the gravest cause why not.",
        &["coverage"],
        by_name(&snapshot.streams.coverage),
    )?;
    coverage(page, snapshot)?;
    page.counter(
        "records_total",
        "Records made, by dataset.",
        &["dataset"],
        by_name(&snapshot.records.made),
    )?;
    page.counter(
        "records_written_total",
        "Records written, by sink.",
        &["sink"],
        by_name(&snapshot.records.written),
    )?;
    page.counter(
        "records_lost_total",
        "Records lost, by cause.",
        &["cause"],
        by_name(&snapshot.records.lost),
    )?;
    page.counter(
        "state_saves_total",
        "Times the state was saved for the next run, by outcome.",
        &["outcome"],
        by_name(&snapshot.state_saves),
    )
}

/// What records requests gave, and by how much that differs from what the kernel counted.
fn coverage(page: &Page, snapshot: &Snapshot) -> Result<()> {
    let streams = &snapshot.streams;
    let endpoints: Vec<_> =
        streams.endpoints.iter().map(|one| (one.port.to_string(), one)).collect();
    page.counter(
        "endpoint_requests_total",
        "Requests that gave a record, by the endpoint they went to and by coverage.",
        &["port", "endpoint", "coverage"],
        endpoints.iter().flat_map(|(port, one)| {
            one.requests.iter().map(move |(part, count)| {
                (vec![port.as_str(), one.endpoint.as_str(), part.as_str()], *count)
            })
        }),
    )?;
    page.counter(
        "signatures_total",
        "Requests of senders that are known to sign, by endpoint and by the signature's status.",
        &["port", "endpoint", "status"],
        endpoints.iter().flat_map(|(port, one)| {
            one.signatures.iter().map(move |(status, count)| {
                (vec![port.as_str(), one.endpoint.as_str(), status.as_str()], *count)
            })
        }),
    )?;
    let ports: Vec<_> = snapshot.coverage.iter().map(|one| (one.port.to_string(), one)).collect();
    page.gauge(
        "requests_unrecorded",
        "Requests the kernel counted that gave no record: not copied, not understood or under way.",
        &["port"],
        ports.iter().map(|(name, one)| (vec![name.as_str()], one.unrecorded)),
    )?;
    page.gauge(
        "requests_uncounted",
        "Requests that gave a record and the kernel did not count: not at the start of a segment.",
        &["port"],
        ports.iter().map(|(name, one)| (vec![name.as_str()], one.uncounted)),
    )
}

fn by_name(figures: &BTreeMap<String, u64>) -> impl Iterator<Item = Sample<'_>> {
    figures.iter().map(|(name, figure)| (vec![name.as_str()], *figure))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::{AnswerFigures, KernelFigures, PortCoverage, ReceiverFigures, named};
    use crate::kernel::Totals;
    use hooksensor_ebpf::abi::Counters;

    fn receiver() -> ReceiverFigures {
        ReceiverFigures {
            endpoint: String::from("orders"),
            provider: String::from("github"),
            events: BTreeMap::from([(String::from("push"), named([("served", 3), ("late", 1)]))]),
            answers: AnswerFigures { within: vec![(50, 2)], count: 3, milliseconds: 12_060 },
            stopped: true,
        }
    }

    #[test]
    fn every_figure_has_its_line() {
        let mut counters = Counters::ZERO;
        counters.reasons[3] = 7;
        counters.responses[4] = 2;
        let totals = Totals { ports: vec![(8080, counters)], rest: Counters::ZERO };
        let snapshot = Snapshot {
            version: String::from("1.2.3"),
            kernel: KernelFigures::from(&totals),
            coverage: vec![PortCoverage { port: 8080, unrecorded: 0, uncounted: 5 }],
            receivers: vec![receiver()],
            ..Snapshot::default()
        };
        let text = encode(&snapshot).unwrap();
        for line in [
            r#"hooksensor_build_info{version="1.2.3"} 1"#,
            r#"hooksensor_packets_total{direction="ingress",port="8080"} 7"#,
            r#"hooksensor_verdicts_total{port="8080",reason="drop_banned"} 7"#,
            r#"hooksensor_responses_total{class="4xx",port="8080"} 2"#,
            r#"hooksensor_requests_unrecorded{port="8080"} 0"#,
            r#"hooksensor_requests_uncounted{port="8080"} 5"#,
            "hooksensor_enforce 0",
            r#"hooksensor_deliveries_total{endpoint="orders",event_type="push",outcome="served",provider="github"} 3"#,
            r#"hooksensor_deliveries_late_total{endpoint="orders",event_type="push",provider="github"} 1"#,
            r#"hooksensor_deliveries_stopped{endpoint="orders",provider="github"} 1"#,
            r#"hooksensor_answer_seconds_bucket{endpoint="orders",provider="github",le="0.05"} 2"#,
            r#"hooksensor_answer_seconds_bucket{endpoint="orders",provider="github",le="+Inf"} 3"#,
            r#"hooksensor_answer_seconds_sum{endpoint="orders",provider="github"} 12.06"#,
        ] {
            assert!(text.lines().any(|other| other == line), "{line} is not in:\n{text}");
        }
        assert!(text.contains("\nprocess_resident_memory_bytes "), "{text}");
    }
}
