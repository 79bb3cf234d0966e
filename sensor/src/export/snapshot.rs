//! The agent's state in figures: what `status` prints and `/metrics` serves, from one source.
//!
//! It must not know how either is written.

use std::collections::BTreeMap;

use hooksensor_ebpf::abi::{Counters, Method, Reason};
use serde::{Deserialize, Serialize};

use super::coverage::PortCoverage;
use crate::kernel::{Attachment, Totals};

/// Everything the agent can say of itself at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Snapshot {
    /// `running`.
    pub state: String,
    /// The agent's version.
    pub version: String,
    /// Seconds since it started.
    pub uptime_seconds: u64,
    /// Whether bans and limits drop; otherwise they are simulated.
    pub enforce: bool,
    /// The interfaces it is attached to.
    pub interfaces: Vec<InterfaceFigures>,
    /// How many connections are copied up.
    pub sampling: SamplingFigures,
    /// What the kernel programs count.
    pub kernel: KernelFigures,
    /// What the reassembly of connections and exchanges counts.
    pub streams: StreamFigures,
    /// Of each watched port, how far the kernel's count of requests and the records agree.
    pub coverage: Vec<PortCoverage>,
    /// What became of records.
    pub records: RecordFigures,
    /// Times the state was saved for the next run, by outcome.
    pub state_saves: BTreeMap<String, u64>,
    /// Bans and decisions.
    pub bans: BanFigures,
    /// How each endpoint serves each provider.
    pub receivers: Vec<ReceiverFigures>,
    /// Deliveries to more receivers than are followed.
    pub receivers_untracked: u64,
}

/// How one endpoint serves one provider.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ReceiverFigures {
    /// The endpoint's name.
    pub endpoint: String,
    /// The provider's name.
    pub provider: String,
    /// Of each event type, what became of its deliveries: `served`, `refused`, `broken`, `silent`,
    /// and of these `late` and `retries`.
    pub events: BTreeMap<String, BTreeMap<String, u64>>,
    /// Answers by how long they took.
    pub answers: AnswerFigures,
    /// Whether deliveries have stopped that should come.
    pub stopped: bool,
}

/// Answers by how long they took.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct AnswerFigures {
    /// Milliseconds, and the answers that took at most so long.
    pub within: Vec<(u64, u64)>,
    /// All answers.
    pub count: u64,
    /// Milliseconds of all of them together.
    pub milliseconds: u64,
}

/// One interface.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct InterfaceFigures {
    /// Its name.
    pub name: String,
    /// Where the ingress program runs: `native`, `generic` or `tc`.
    pub mode: String,
    /// Why it does not run in a better place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// Whether it replaced the program of an earlier agent.
    pub replaced: bool,
    /// Why nothing is seen there any more, where that is so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lost: Option<String>,
    /// The name it has now, where it got another one while it is watched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renamed: Option<String>,
}

/// How many connections are copied up, beside those of sources that always are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SamplingFigures {
    /// One connection in this many, now.
    pub one_in: u32,
    /// One in this many while the agent keeps up.
    pub configured: u32,
}

/// The kernel's counters.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct KernelFigures {
    /// Of each watched port.
    pub ports: Vec<PortFigures>,
    /// Packets that were not for a watched port or could not be read, by reason.
    pub elsewhere: BTreeMap<String, u64>,
}

/// The kernel's counters of one watched port.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PortFigures {
    /// The port.
    pub port: u16,
    /// Packets that arrived.
    pub ingress_packets: u64,
    /// Octets that arrived.
    pub ingress_bytes: u64,
    /// Packets that left.
    pub egress_packets: u64,
    /// Octets that left.
    pub egress_bytes: u64,
    /// Connections asked for.
    pub connections: u64,
    /// Request lines by class of method: `get` (and HEAD), `post`, `put` (and PATCH), `delete` and
    /// `other`.
    pub requests: BTreeMap<String, u64>,
    /// Status lines by class: `1xx` to `5xx` and `other`.
    pub responses: BTreeMap<String, u64>,
    /// Packets that arrived, by what became of them.
    pub verdicts: BTreeMap<String, u64>,
    /// Records copied up to the agent.
    pub samples: u64,
    /// Packets and records that were not, by cause.
    pub samples_lost: BTreeMap<String, u64>,
    /// Segments that were copied up without their payload, which nobody needs.
    pub skipped: u64,
    /// Octets of payload that were left out.
    pub skipped_bytes: u64,
    /// Sources that could not be given a limiter.
    pub sources_refused: u64,
}

/// What reassembly counts.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct StreamFigures {
    /// Connections followed now.
    pub open_connections: u64,
    /// Totals since the start, by name.
    pub totals: BTreeMap<String, u64>,
    /// Exchanges put out, by coverage: `full`, or the gravest cause why not.
    pub coverage: BTreeMap<String, u64>,
    /// Requests that gave a record, by port and endpoint.
    pub endpoints: Vec<EndpointCoverage>,
    /// When the shard last looked for work, in seconds before the snapshot.
    pub idle_seconds: u64,
}

/// The requests of an endpoint that gave a record.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct EndpointCoverage {
    /// The port.
    pub port: u16,
    /// The endpoint's configured name; empty for requests to none.
    pub endpoint: String,
    /// By coverage: `full`, or the gravest cause why not.
    pub requests: BTreeMap<String, u64>,
    /// Those whose sender is known to sign, by the status of their signature.
    pub signatures: BTreeMap<String, u64>,
}

/// What became of records.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RecordFigures {
    /// Records made, by dataset.
    pub made: BTreeMap<String, u64>,
    /// Findings told, by rule.
    pub findings: BTreeMap<String, u64>,
    /// Records written, by sink.
    pub written: BTreeMap<String, u64>,
    /// Records lost, by cause.
    pub lost: BTreeMap<String, u64>,
    /// Sinks that did not take the last records they were given.
    pub failing: Vec<String>,
}

/// Bans and decisions.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct BanFigures {
    /// Bans in force, or in force if decisions were not simulated.
    pub active: u64,
    /// Prefixes that nothing can ban.
    pub protected: u64,
    /// Decisions made, by action.
    pub decisions: BTreeMap<String, u64>,
    /// Bans refused, by cause.
    pub refused: BTreeMap<String, u64>,
}

impl From<&Attachment> for InterfaceFigures {
    fn from(attachment: &Attachment) -> Self {
        Self {
            name: attachment.interface.clone(),
            mode: attachment.mode.name().to_owned(),
            why: attachment.why.clone(),
            replaced: attachment.replaced,
            lost: attachment.lost.clone(),
            renamed: attachment.renamed.clone(),
        }
    }
}

impl From<&Totals> for KernelFigures {
    fn from(totals: &Totals) -> Self {
        Self {
            ports: totals
                .ports
                .iter()
                .map(|(port, counters)| port_figures(*port, counters))
                .collect(),
            elsewhere: reasons(&totals.rest),
        }
    }
}

/// Names of the classes that the kernel counts responses in.
pub(crate) const RESPONSE_CLASSES: [&str; 6] = ["other", "1xx", "2xx", "3xx", "4xx", "5xx"];

fn port_figures(port: u16, counters: &Counters) -> PortFigures {
    PortFigures {
        port,
        ingress_packets: counters.reasons.iter().sum(),
        ingress_bytes: counters.ingress_bytes,
        egress_packets: counters.egress_packets,
        egress_bytes: counters.egress_bytes,
        connections: counters.connections,
        requests: named(Method::NAMES.into_iter().zip(counters.requests)),
        responses: named(RESPONSE_CLASSES.into_iter().zip(counters.responses)),
        verdicts: reasons(counters),
        samples: counters.samples,
        samples_lost: named([
            ("not_sampled", counters.not_sampled),
            ("ring_full", counters.ring_full),
            ("unreadable", counters.unreadable),
        ]),
        skipped: counters.skipped,
        skipped_bytes: counters.skipped_bytes,
        sources_refused: counters.sources_refused,
    }
}

fn reasons(counters: &Counters) -> BTreeMap<String, u64> {
    named(Reason::ALL.into_iter().map(Reason::name).zip(counters.reasons))
}

/// Figures by name.
pub(crate) fn named<'a>(
    figures: impl IntoIterator<Item = (&'a str, u64)>,
) -> BTreeMap<String, u64> {
    figures.into_iter().map(|(name, figure)| (name.to_owned(), figure)).collect()
}
