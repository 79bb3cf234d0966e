//! The choke point: every ban, by rule or by operator, is granted or refused here.
//!
//! Pure: no clock, no I/O. It must not know how a decision is carried out.

mod decision;
mod protected;
mod refusal;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use ipnet::IpNet;

pub use decision::{Action, Decision, Origin, Scope};
pub use protected::{Protected, Why};
pub use refusal::Refusal;

use crate::capture::Timestamp;
use crate::config;
use crate::detect::{Consequence, Finding};
use crate::id::event_id;
use crate::net::{canonical, one_host};

const MINUTE: Duration = Duration::from_secs(60);

/// Characters of a reason: it stands in every record, line of the log and list of its ban.
const MAX_REASON: usize = 500;

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
    recent: Vec<Timestamp>,
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
        Self { policy, protected, active: BTreeMap::new(), recent: Vec::new() }
    }

    /// Takes on a new policy. Bans stay, but for those on ports that are no longer watched: these
    /// are narrowed. What is to be carried out and put on record is given back: bans with no port
    /// left, as lifted, and those that are enforced from now on, or no longer, anew.
    #[must_use = "what changes must be put on record"]
    pub fn set_policy(&mut self, policy: Policy, now: Timestamp) -> Vec<Decision> {
        self.policy = policy;
        let (mut lifted, mut turned) = (Vec::new(), Vec::new());
        for decision in self.active.values_mut() {
            if let Scope::Ports(ports) = &mut decision.scope {
                ports.retain(|port| self.policy.ports.contains(port));
            }
            if decision.scope == Scope::Ports(BTreeSet::new()) {
                lifted.push(decision.target);
            } else if decision.enforced != self.policy.enforce {
                turned.push(decision.target);
            }
        }
        let why = "none of its ports is watched any more";
        let lifted = lifted.iter().filter_map(|target| self.unban(target, why, now));
        lifted.chain(turned.iter().filter_map(|target| self.turned(target, now))).collect()
    }

    /// The ban on `target` as it is decided by the policy of now.
    fn turned(&self, target: &IpNet, now: Timestamp) -> Option<Decision> {
        let Decision { scope, reason, origin, evidence, .. } = self.active.get(target)?.clone();
        let rest = self.active.get(target)?.expires_at().nanoseconds_since(now);
        let request =
            Request { target: *target, scope, duration: Duration::from_nanos(rest), reason };
        Some(self.decision(Action::Ban, request, origin, evidence, now))
    }

    /// Takes on a new protected set; gives back the bans that touch it now and must be lifted.
    #[must_use = "bans on protected addresses must be lifted"]
    pub fn protect(&mut self, protected: Protected) -> Vec<IpNet> {
        self.protected = protected;
        let touched = |target: &&IpNet| {
            self.protected.touched_by(target).is_some_and(|(_, why)| why.lifts_bans())
        };
        self.active.keys().filter(touched).copied().collect()
    }

    /// The protected set.
    #[must_use]
    pub fn protected(&self) -> &Protected {
        &self.protected
    }

    /// Takes note of a ban that was in force when the agent started, and of who had asked for it.
    pub fn adopt(&mut self, ban: Request, origin: Origin, now: Timestamp) {
        let decision = self.decision(Action::Ban, ban, origin, Vec::new(), now);
        self.active.insert(decision.target, decision);
    }

    /// Judges a ban an operator asks for. Nothing is in force before [`commit`](Self::commit).
    ///
    /// # Errors
    ///
    /// The reason why it is not granted.
    pub fn ban(&self, request: Request, now: Timestamp) -> Result<Decision, Refusal> {
        let request = Request { target: canonical(request.target), ..request };
        check_reason(&request.reason)?;
        self.check(&request)?;
        let request = self.joined(request, now);
        Ok(self.decision(Action::Ban, request, Origin::Operator, Vec::new(), now))
    }

    /// Judges the ban a finding calls for. Nothing is in force before [`commit`](Self::commit).
    ///
    /// # Errors
    ///
    /// The reason why it is not granted.
    pub fn finding(&mut self, finding: &Finding, now: Timestamp) -> Result<Decision, Refusal> {
        let source = match (finding.rule.consequence, finding.source) {
            (Consequence::Ban, Some(source)) => source,
            (Consequence::Alert, _) | (Consequence::Ban, None) => return Err(Refusal::AlertOnly),
        };
        let request = Request {
            target: one_host(source),
            scope: Scope::WatchedPorts,
            duration: self.policy.ban.duration,
            reason: finding.reason.clone(),
        };
        self.check(&request)?;
        self.check_novelty(&request.target, now)?;
        self.check_budget(now)?;
        let request = self.joined(request, now);
        let evidence = finding.evidence.clone();
        Ok(self.decision(Action::Ban, request, Origin::Rule(finding.rule), evidence, now))
    }

    /// The lifting of a ban; `None` when there is none on exactly these addresses. It stays in
    /// force until [`commit`](Self::commit).
    #[must_use]
    pub fn unban(&self, target: &IpNet, reason: &str, now: Timestamp) -> Option<Decision> {
        let lifted = self.active.get(&canonical(*target))?;
        let request = Request {
            target: lifted.target,
            scope: lifted.scope.clone(),
            duration: Duration::ZERO,
            reason: reason.to_owned(),
        };
        Some(self.decision(Action::Unban, request, Origin::Operator, Vec::new(), now))
    }

    /// Takes note that a decision has been carried out. A ban on the same addresses is replaced,
    /// for what is left of it stands in the new one.
    pub fn commit(&mut self, decision: &Decision) {
        match decision.action {
            Action::Ban => {
                let is_new = !self.active.contains_key(&decision.target);
                if is_new && matches!(decision.origin, Origin::Rule(_)) {
                    self.recent.push(decision.time);
                }
                self.active.insert(decision.target, decision.clone());
            }
            Action::Unban => {
                self.active.remove(&decision.target);
            }
        }
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
            Scope::Ports(ports) if ports.is_empty() => Err(Refusal::NoPort),
            Scope::Ports(ports) => match ports.difference(&self.policy.ports).next() {
                Some(port) => Err(Refusal::NotWatched(*port)),
                None => Ok(()),
            },
            Scope::WatchedPorts | Scope::Host => Ok(()),
        }
    }

    /// The same with what is in force on exactly these addresses: no ban makes another one end
    /// sooner or cover less, whoever asks for it. To do that it must be lifted.
    fn joined(&self, request: Request, now: Timestamp) -> Request {
        let Some(earlier) = self.active.get(&request.target) else { return request };
        let rest = Duration::from_nanos(earlier.expires_at().nanoseconds_since(now));
        if rest.is_zero() {
            return request;
        }
        let both = format!("{}; before: {}", request.reason, earlier.reason);
        let tells_more = !request.reason.contains(&earlier.reason);
        let reason =
            if tells_more && both.chars().count() <= MAX_REASON { both } else { request.reason };
        Request {
            scope: request.scope.union(&earlier.scope),
            duration: request.duration.max(rest),
            reason,
            ..request
        }
    }

    /// The narrowest ban in force that covers `target`.
    #[must_use]
    pub fn covering(&self, target: &IpNet) -> Option<&Decision> {
        let target = canonical(*target);
        let covering = self.active.values().filter(|ban| ban.target.contains(&target));
        covering.max_by_key(|ban| ban.target.prefix_len())
    }

    /// A ban on fewer ports does not stand in for one on all of them.
    fn check_novelty(&self, target: &IpNet, now: Timestamp) -> Result<(), Refusal> {
        let covers = |ban: &&Decision| {
            ban.target.contains(target)
                && ban.expires_at() > now
                && matches!(ban.scope, Scope::WatchedPorts | Scope::Host)
        };
        self.active.values().find(covers).map_or(Ok(()), |ban| Err(Refusal::Already(ban.target)))
    }

    /// What is later by more than the time that is looked at was before the clock was set back;
    /// what is later by less may be of another shard, whose packets are ahead.
    fn check_budget(&mut self, now: Timestamp) -> Result<(), Refusal> {
        self.recent.retain(|then| now.distance(*then) <= MINUTE);
        let most = self.policy.ban.per_minute;
        if self.recent.len() >= most as usize { Err(Refusal::Budget(most)) } else { Ok(()) }
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

fn check_reason(reason: &str) -> Result<(), Refusal> {
    let is_long = reason.chars().nth(MAX_REASON).is_some();
    if reason.trim().is_empty() || is_long || reason.contains(char::is_control) {
        return Err(Refusal::Reason);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
