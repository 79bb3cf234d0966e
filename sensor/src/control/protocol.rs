//! The requests and replies of the control socket: one JSON object a line, each way.
//!
//! It must not know sockets.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::config::ConfigError;
use crate::decide::{Action, Decision, Origin, Scope};
use crate::export::Snapshot;
use crate::schemas::FileError;

/// What a verb asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verb", rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// The agent's figures.
    Status,
    /// Ban these targets.
    Ban(Ban),
    /// Lift the bans on exactly these targets.
    Unban {
        /// The targets.
        targets: Vec<IpNet>,
    },
    /// The bans in force.
    Decisions,
    /// The protected set.
    AllowList,
    /// The sources that have most of something.
    Sources {
        /// Of what.
        by: SourceOrder,
        /// So many at most.
        top: NonZeroU32,
    },
    /// Read the configuration again.
    Reload,
}

/// A ban by hand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ban {
    /// The targets.
    pub targets: Vec<IpNet>,
    /// For how long, in seconds.
    pub seconds: u64,
    /// Why.
    pub reason: String,
    /// Where.
    pub scope: BanScope,
}

/// What a ban covers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BanScope {
    /// Every watched port.
    WatchedPorts,
    /// These watched ports.
    Ports(BTreeSet<u16>),
    /// The whole host.
    Host,
}

/// What the agent answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// Its figures.
    Status(Box<Snapshot>),
    /// What became of each target of a ban or its lifting.
    Outcome(Outcome),
    /// The bans in force.
    Decisions(Vec<DecisionView>),
    /// The protected set.
    AllowList(Vec<AllowedPrefix>),
    /// Sources, the one that has most first.
    Sources(Vec<SourceView>),
    /// The configuration was read again.
    Reloaded(Reloaded),
    /// The request could not be carried out.
    Failed(String),
    /// The same, because the configuration is wrong.
    Misconfigured(String),
}

/// What sources are put in order by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum SourceOrder {
    /// Packets that arrived.
    #[default]
    Packets,
    /// Octets that arrived.
    Bytes,
    /// Connections asked for.
    Connections,
    /// Requests.
    Requests,
    /// Responses of the classes 4xx and 5xx.
    Failures,
    /// Events that were over a limit.
    OverLimit,
}

/// A source on one port, as the kernel counted it since it was first seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceView {
    /// Its address, or the network that counts as one source.
    pub source: IpNet,
    /// The watched port.
    pub port: u16,
    /// Whether it completed a handshake.
    pub established: bool,
    /// Packets that arrived, but for those a ban met.
    pub packets: u64,
    /// Their octets, headers included.
    pub bytes: u64,
    /// Connections asked for.
    pub connections: u64,
    /// Requests.
    pub requests: u64,
    /// Responses it was sent, by class.
    pub responses: BTreeMap<String, u64>,
    /// Events that were over a limit.
    pub over_limit: u64,
}

impl From<anyhow::Error> for Reply {
    fn from(error: anyhow::Error) -> Self {
        let words = format!("{error:#}");
        if error.is::<ConfigError>() || error.is::<FileError>() {
            Self::Misconfigured(words)
        } else {
            Self::Failed(words)
        }
    }
}

impl SourceView {
    /// What it is put in order by.
    #[must_use]
    pub fn rank(&self, by: SourceOrder) -> u64 {
        match by {
            SourceOrder::Packets => self.packets,
            SourceOrder::Bytes => self.bytes,
            SourceOrder::Connections => self.connections,
            SourceOrder::Requests => self.requests,
            SourceOrder::Failures => {
                ["4xx", "5xx"].iter().filter_map(|class| self.responses.get(*class)).sum()
            }
            SourceOrder::OverLimit => self.over_limit,
        }
    }
}

/// What became of each target.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Outcome {
    /// Decisions made.
    pub done: Vec<DecisionView>,
    /// Targets refused, with the reason.
    pub refused: Vec<RefusedTarget>,
}

/// A target that was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedTarget {
    /// The target.
    pub target: IpNet,
    /// Why, in a sentence.
    pub reason: String,
}

/// What reading the configuration again changed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Reloaded {
    /// Whether decisions are enforced now.
    pub enforce: bool,
    /// Keys that changed and need a restart to take effect.
    pub need_restart: Vec<String>,
}

/// A decision as the verbs show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DecisionView {
    /// Its identifier, the `event.id` of its record.
    pub id: String,
    /// `ban` or `unban`.
    pub action: String,
    /// The addresses.
    pub target: IpNet,
    /// `watched_ports`, `host`, or the ports.
    pub scope: String,
    /// Seconds it still holds.
    pub seconds_left: u64,
    /// The rule that asked for it, `operator`, or `restart`.
    pub origin: String,
    /// Why.
    pub reason: String,
    /// Whether it drops packets.
    pub enforced: bool,
    /// Packets that it dropped, or would have if it were enforced; absent where it has no counter
    /// of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub packets: Option<u64>,
    /// Their octets, headers included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
}

/// An entry of the protected set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AllowedPrefix {
    /// The prefix.
    pub prefix: IpNet,
    /// Why it is protected.
    pub reason: String,
}

impl DecisionView {
    /// The decision as it stands at `now`.
    #[must_use]
    pub fn new(decision: &Decision, now: crate::capture::Timestamp) -> Self {
        let left = decision.expires_at().nanoseconds_since(now);
        Self {
            id: decision.id.to_string(),
            action: String::from(match decision.action {
                Action::Ban => "ban",
                Action::Unban => "unban",
            }),
            target: decision.target,
            scope: scope_name(&decision.scope),
            seconds_left: left.div_ceil(1_000_000_000),
            origin: String::from(match decision.origin {
                Origin::Rule(rule) => rule.id,
                Origin::Operator => "operator",
                Origin::Restart => "restart",
            }),
            reason: decision.reason.clone(),
            enforced: decision.enforced,
            packets: None,
            bytes: None,
        }
    }
}

impl From<BanScope> for Scope {
    fn from(scope: BanScope) -> Self {
        match scope {
            BanScope::WatchedPorts => Self::WatchedPorts,
            BanScope::Ports(ports) => Self::Ports(ports),
            BanScope::Host => Self::Host,
        }
    }
}

fn scope_name(scope: &Scope) -> String {
    match scope {
        Scope::WatchedPorts => String::from("watched_ports"),
        Scope::Host => String::from("host"),
        Scope::Ports(ports) => ports.iter().map(u16::to_string).collect::<Vec<_>>().join(","),
    }
}
