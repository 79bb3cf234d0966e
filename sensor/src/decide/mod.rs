//! The choke point: every ban, by rule or by operator, is granted or refused here.
//!
//! Pure: no clock, no I/O. It must not know how a decision is carried out.

mod decision;
mod protected;
mod refusal;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use ipnet::{IpNet, Ipv6Net};

pub use decision::{Action, Decision, Origin, Scope};
pub use protected::{Protected, Why};
pub use refusal::Refusal;

use crate::capture::Timestamp;
use crate::config;
use crate::detect::{Consequence, Finding};
use crate::id::event_id;

const MINUTE: Duration = Duration::from_secs(60);

/// A ban someone asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The addresses.
    pub target: IpNet,
    /// Where.
    pub scope: Scope,
    /// For how long.
    pub duration: Duration,
    /// Why, in a sentence.
    pub reason: String,
}

/// Grants and refuses bans, and knows which are in force.
#[derive(Debug)]
pub struct ChokePoint {
    policy: Policy,
    protected: Protected,
    active: BTreeMap<IpNet, Decision>,
    /// Times of the automatic bans of the last minute.
    recent: VecDeque<Timestamp>,
}

/// What the configuration says about bans.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Whether decisions drop packets.
    pub enforce: bool,
    /// The watched ports.
    pub ports: BTreeSet<u16>,
    /// Durations, widths and the budget.
    pub ban: config::Ban,
}

impl From<&config::Config> for Policy {
    fn from(config: &config::Config) -> Self {
        Self { enforce: config.enforce, ports: config.ports.clone(), ban: config.ban.clone() }
    }
}

impl ChokePoint {
    /// A choke point with nothing in force.
    #[must_use]
    pub fn new(policy: Policy, protected: Protected) -> Self {
        Self { policy, protected, active: BTreeMap::new(), recent: VecDeque::new() }
    }

    /// Takes on a new policy; what is in force stays.
    pub fn set_policy(&mut self, policy: Policy) {
        for decision in self.active.values_mut() {
            decision.enforced = policy.enforce;
        }
        self.policy = policy;
    }

    /// Takes on a new protected set; gives back the bans that touch it now and must be lifted.
    #[must_use = "bans on protected addresses must be lifted"]
    pub fn protect(&mut self, protected: Protected) -> Vec<IpNet> {
        self.protected = protected;
        self.active
            .keys()
            .filter(|target| self.protected.touched_by(target).is_some())
            .copied()
            .collect()
    }

    /// The protected set.
    #[must_use]
    pub fn protected(&self) -> &Protected {
        &self.protected
    }

    /// Takes note of a ban that was in force when the agent started.
    pub fn adopt(&mut self, target: IpNet, scope: Scope, duration: Duration, now: Timestamp) {
        let request =
            Request { target, scope, duration, reason: String::from("in force at the start") };
        let decision = self.decision(Action::Ban, request, Origin::Restart, Vec::new(), now);
        self.active.insert(target, decision);
    }

    /// Judges a ban an operator asks for. A ban on the same addresses is replaced.
    ///
    /// # Errors
    ///
    /// The reason why it is not granted.
    pub fn ban(&mut self, request: Request, now: Timestamp) -> Result<Decision, Refusal> {
        self.check(&request)?;
        Ok(self.grant(request, Origin::Operator, Vec::new(), now))
    }

    /// Judges the ban a finding calls for.
    ///
    /// # Errors
    ///
    /// The reason why it is not granted.
    pub fn finding(&mut self, finding: &Finding, now: Timestamp) -> Result<Decision, Refusal> {
        if finding.rule.consequence == Consequence::Alert {
            return Err(Refusal::AlertOnly);
        }
        let request = Request {
            target: one_host(finding.source),
            scope: Scope::WatchedPorts,
            duration: self.policy.ban.duration,
            reason: finding.reason.clone(),
        };
        self.check(&request)?;
        self.check_novelty(&request, now)?;
        self.check_budget(now)?;
        self.recent.push_back(now);
        Ok(self.grant(request, Origin::Rule(finding.rule), finding.evidence.clone(), now))
    }

    /// Lifts a ban; `None` when there is none on exactly these addresses.
    pub fn unban(&mut self, target: &IpNet, reason: &str, now: Timestamp) -> Option<Decision> {
        let lifted = self.active.remove(target)?;
        let request = Request {
            target: *target,
            scope: lifted.scope,
            duration: Duration::ZERO,
            reason: reason.to_owned(),
        };
        Some(self.decision(Action::Unban, request, Origin::Operator, Vec::new(), now))
    }

    /// Forgets a ban that could not be carried out.
    pub fn forget(&mut self, target: &IpNet) {
        self.active.remove(target);
    }

    /// Forgets what has expired and gives it back; the kernel ignores it already.
    pub fn expire(&mut self, now: Timestamp) -> Vec<IpNet> {
        self.active
            .extract_if(.., |_, decision| decision.expires_at() <= now)
            .map(|(target, _)| target)
            .collect()
    }

    /// The bans in force, by address.
    pub fn active(&self) -> impl ExactSizeIterator<Item = &Decision> {
        self.active.values()
    }

    fn check(&self, request: &Request) -> Result<(), Refusal> {
        let target = request.target;
        if let Some((prefix, why)) = self.protected.touched_by(&target) {
            return Err(Refusal::Protected { target, prefix: *prefix, why: why.clone() });
        }
        let ban = &self.policy.ban;
        let widest = if target.addr().is_ipv4() { ban.widest_v4 } else { ban.widest_v6 };
        if target.prefix_len() < widest {
            return Err(Refusal::TooWide { target, widest });
        }
        if request.duration.is_zero() {
            return Err(Refusal::NoTime);
        }
        if request.duration > ban.max_duration {
            let longest = ban.max_duration;
            return Err(Refusal::TooLong { duration: request.duration, longest });
        }
        match &request.scope {
            Scope::Ports(ports) => match ports.difference(&self.policy.ports).next() {
                Some(port) => Err(Refusal::NotWatched(*port)),
                None => Ok(()),
            },
            Scope::WatchedPorts | Scope::Host => Ok(()),
        }
    }

    fn check_novelty(&self, request: &Request, now: Timestamp) -> Result<(), Refusal> {
        let covering = self
            .active
            .values()
            .find(|ban| ban.target.contains(&request.target) && ban.expires_at() > now);
        covering.map_or(Ok(()), |ban| Err(Refusal::Already(ban.target)))
    }

    fn check_budget(&mut self, now: Timestamp) -> Result<(), Refusal> {
        let minute = MINUTE.as_nanos();
        while self
            .recent
            .front()
            .is_some_and(|old| u128::from(now.nanoseconds_since(*old)) > minute)
        {
            self.recent.pop_front();
        }
        let most = self.policy.ban.per_minute;
        if self.recent.len() >= most as usize { Err(Refusal::Budget(most)) } else { Ok(()) }
    }

    fn grant(
        &mut self,
        request: Request,
        origin: Origin,
        evidence: Vec<uuid::Uuid>,
        now: Timestamp,
    ) -> Decision {
        let decision = self.decision(Action::Ban, request, origin, evidence, now);
        self.active.insert(decision.target, decision.clone());
        decision
    }

    fn decision(
        &self,
        action: Action,
        request: Request,
        origin: Origin,
        evidence: Vec<uuid::Uuid>,
        time: Timestamp,
    ) -> Decision {
        let seed = format!("decision {action:?} {}", request.target);
        Decision {
            id: event_id(time, seed.as_bytes()),
            time,
            action,
            target: request.target,
            scope: request.scope,
            duration: request.duration,
            origin,
            reason: request.reason,
            evidence,
            enforced: self.policy.enforce,
        }
    }
}

/// The addresses one host may use at will: one in IPv4, a /64 in IPv6 (RFC 7934, section 6).
fn one_host(address: IpAddr) -> IpNet {
    match address {
        IpAddr::V4(_) => address.into(),
        IpAddr::V6(v6) => Ipv6Net::new_assert(v6, 64).trunc().into(),
    }
}

#[cfg(test)]
mod tests;
