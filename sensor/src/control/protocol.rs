//! The requests and replies of the control socket: one JSON object a line, each way.
//!
//! It must not know sockets.

use std::collections::BTreeSet;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::source::SourceView;
use crate::decide::{Action, Decision, Origin, Scope};
use crate::export::Snapshot;

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
    /// The sources the kernel knows.
    Sources {
        /// How many, the busiest first.
        top: u32,
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
    /// The busiest sources.
    Sources(Vec<SourceView>),
    /// The configuration was read again.
    Reloaded(Reloaded),
    /// The request could not be carried out.
    Failed(String),
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
