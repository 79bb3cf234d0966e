//! What a decision says: whom it covers, where, for how long, and on whose word.
//!
//! It must not know how a decision is reached.

use std::collections::BTreeSet;
use std::time::Duration;

use ipnet::IpNet;
use uuid::Uuid;

use crate::capture::Timestamp;
use crate::detect::Rule;

/// What a ban covers on this host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// Every watched port; the default, so that a ban cannot cut SSH.
    WatchedPorts,
    /// These watched ports.
    Ports(BTreeSet<u16>),
    /// Every packet from the source, whatever its port.
    Host,
}

impl Scope {
    /// What either covers.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        match (self, other) {
            (Self::Host, _) | (_, Self::Host) => Self::Host,
            (Self::WatchedPorts, _) | (_, Self::WatchedPorts) => Self::WatchedPorts,
            (Self::Ports(ours), Self::Ports(theirs)) => Self::Ports(ours | theirs),
        }
    }
}

/// Who asked for a decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A rule found something.
    Rule(Rule),
    /// An operator, by command.
    Operator,
    /// It was in force when the agent started, and who asked for it is not known any more.
    Restart,
}

/// What is done about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Drop the source's packets.
    Ban,
    /// Lift a ban before its time.
    Unban,
}

/// A decision as it was granted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// UUIDv7 from the time of the decision.
    pub id: Uuid,
    /// When it was made.
    pub time: Timestamp,
    /// What it does.
    pub action: Action,
    /// The addresses it covers.
    pub target: IpNet,
    /// What it covers on this host.
    pub scope: Scope,
    /// How long it holds from `time`.
    pub duration: Duration,
    /// Who asked for it.
    pub origin: Origin,
    /// Why, in a sentence.
    pub reason: String,
    /// `event.id` of each exchange that caused it.
    pub evidence: Vec<Uuid>,
    /// Whether the kernel drops (true) or only counts what it would have dropped (false).
    pub enforced: bool,
}

impl Decision {
    /// The action as records and counters name it: in simulation a ban is one that would have been.
    #[must_use]
    pub const fn action_name(&self) -> &'static str {
        match (self.action, self.enforced) {
            (Action::Ban, true) => "ban",
            (Action::Ban, false) => "would_ban",
            (Action::Unban, _) => "unban",
        }
    }

    /// When it ends by itself.
    #[must_use]
    pub fn expires_at(&self) -> Timestamp {
        let nanoseconds = u64::try_from(self.duration.as_nanos()).unwrap_or(u64::MAX);
        Timestamp(self.time.0.saturating_add(nanoseconds))
    }
}
