//! The desk: where findings and operators' requests meet the choke point, and its decisions the
//! kernel.
//!
//! One task owns all of it, so decisions are made one after the other. It must not judge: the
//! choke point does.

use std::collections::BTreeMap;
use std::mem;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use tokio::sync::{mpsc, watch};
use tokio::time::{MissedTickBehavior, interval};

use super::common::Common;
use super::grounds;
use super::sampling::Sampling;
use super::shard::Update;
use super::shards::Shards;
use super::state::State;
use super::writer::Lines;
use crate::config::{Config, Overrides};
use crate::control::{
    AllowedPrefix, Ban, DecisionView, Outcome, Question, RefusedTarget, Reply, Request,
};
use crate::decide::{self, ChokePoint, Decision, Refusal};
use crate::detect::Finding;
use crate::enforce::{Enforcer, Host};
use crate::kernel::{Attachment, BanError};
use crate::record::{self, Observer};
use crate::webhook::Knowledge;

/// Time between two rounds of upkeep: expired bans, the wall clock, the programs' log.
const UPKEEP: Duration = Duration::from_secs(1);

/// Rounds of upkeep between two looks at what the host must protect: a new SSH session is
/// protected within so many seconds.
const PROTECTION_ROUNDS: u64 = 5;

/// Where the configuration came from, to read it again.
#[derive(Debug, Clone)]
pub(super) struct ConfigSource {
    pub(super) path: Option<PathBuf>,
    pub(super) overrides: Overrides,
}

/// Everything the desk decides with and reports on.
pub(super) struct Desk {
    pub(super) enforcer: Enforcer,
    pub(super) choke_point: ChokePoint,
    pub(super) config: Arc<Config>,
    pub(super) knowledge: Arc<Knowledge>,
    /// As the agent started, for what a restart alone can change.
    pub(super) first_config: Arc<Config>,
    pub(super) host: Host,
    pub(super) source: ConfigSource,
    pub(super) observer: Arc<Observer>,
    pub(super) attachments: Vec<Attachment>,
    pub(super) lines: Lines,
    pub(super) shards: Shards,
    pub(super) common: Arc<Common>,
    pub(super) state: State,
    /// Requests of each port that were counted before this agent started.
    pub(super) counted_before: BTreeMap<u16, u64>,
    pub(super) sampling: Sampling,
    pub(super) writer_is_held_up: bool,
    pub(super) started: Instant,
    pub(super) figures: DeskFigures,
}

/// What the desk counts.
#[derive(Debug, Default)]
pub(super) struct DeskFigures {
    pub(super) findings: BTreeMap<&'static str, u64>,
    pub(super) decisions: BTreeMap<&'static str, u64>,
    pub(super) refused: BTreeMap<&'static str, u64>,
}

impl Desk {
    /// Works until `stop` changes or both queues are closed; then gives itself back.
    pub(super) async fn run(
        mut self,
        mut questions: mpsc::Receiver<Question>,
        mut findings: mpsc::Receiver<Finding>,
        mut stop: watch::Receiver<bool>,
    ) -> Self {
        let mut upkeep = interval(UPKEEP);
        upkeep.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut round = 0;
        loop {
            tokio::select! {
                Some(question) = questions.recv() => self.answer(question),
                Some(finding) = findings.recv() => self.decide(&finding),
                _ = upkeep.tick() => {
                    round += 1;
                    self.upkeep(round);
                }
                _ = stop.changed() => break,
            }
        }
        while let Ok(finding) = findings.try_recv() {
            self.decide(&finding);
        }
        self
    }

    fn answer(&mut self, question: Question) {
        let reply = match question.request {
            Request::Status => self.snapshot().map(|figures| Reply::Status(Box::new(figures))),
            Request::Ban(ban) => Ok(Reply::Outcome(self.ban(ban))),
            Request::Unban { targets } => Ok(Reply::Outcome(self.unban(&targets))),
            Request::Decisions => self.decisions().map(Reply::Decisions),
            Request::AllowList => Ok(Reply::AllowList(self.allow_list())),
            Request::Sources { by, top } => self.sources(by, top).map(Reply::Sources),
            Request::Reload => self.reload().map(Reply::Reloaded),
        };
        let reply = reply.unwrap_or_else(Reply::from);
        // One who has hung up does not want the answer.
        drop(question.reply.send(reply));
    }

    fn decide(&mut self, finding: &Finding) {
        let now = self.enforcer.now();
        let verdict = self.choke_point.finding(finding, now);
        // The ban in force has told of its source; in simulation that one goes on and on.
        if !matches!(verdict, Err(Refusal::Already(_))) {
            *self.figures.findings.entry(finding.rule.id).or_default() += 1;
            put(&mut self.lines, &record::finding(finding, &self.observer));
            self.lines.flush();
        }
        match verdict {
            Ok(decision) => {
                if let Err(error) = self.carry_out(&decision) {
                    tracing::error!(target = %decision.target, %error, "a ban could not be made");
                }
            }
            Err(refusal) => {
                tracing::debug!(source = ?finding.source, %refusal, "a ban was refused");
                self.count_refusal(&refusal);
            }
        }
    }

    fn ban(&mut self, ban: Ban) -> Outcome {
        let mut outcome = Outcome::default();
        let now = self.enforcer.now();
        let mut granted = Vec::new();
        for target in ban.targets {
            let request = decide::Request {
                target,
                scope: ban.scope.clone().into(),
                duration: Duration::from_secs(ban.seconds),
                reason: ban.reason.clone(),
            };
            match self.choke_point.ban(request, now) {
                Ok(decision) => granted.push(decision),
                Err(refusal) => {
                    self.count_refusal(&refusal);
                    outcome.refused.push(RefusedTarget { target, reason: refusal.to_string() });
                }
            }
        }
        for (decision, taken) in granted.iter().zip(self.enforcer.ban_all(&granted)) {
            match self.settle(decision, taken) {
                Ok(()) => outcome.done.push(DecisionView::new(decision, now)),
                Err(error) => outcome
                    .refused
                    .push(RefusedTarget { target: decision.target, reason: error.to_string() }),
            }
        }
        outcome
    }

    fn unban(&mut self, targets: &[ipnet::IpNet]) -> Outcome {
        let mut outcome = Outcome::default();
        let now = self.enforcer.now();
        for target in targets {
            let Some(decision) = self.choke_point.unban(target, "lifted by an operator", now)
            else {
                let reason = match self.choke_point.covering(target) {
                    Some(wider) => format!("{target} is banned with {}; lift that", wider.target),
                    None => format!("there is no ban on {target}"),
                };
                outcome.refused.push(RefusedTarget { target: *target, reason });
                continue;
            };
            match self.carry_out(&decision) {
                Ok(()) => outcome.done.push(DecisionView::new(&decision, now)),
                Err(error) => outcome
                    .refused
                    .push(RefusedTarget { target: *target, reason: error.to_string() }),
            }
        }
        outcome
    }

    /// Puts a granted decision in force and on record.
    pub(super) fn carry_out(&mut self, decision: &Decision) -> Result<(), BanError> {
        let taken = self.enforcer.carry_out(decision);
        self.settle(decision, taken)
    }

    /// Puts on record a decision that the kernel took. One it did not take changes nothing.
    fn settle(&mut self, decision: &Decision, taken: Result<(), BanError>) -> Result<(), BanError> {
        taken?;
        self.choke_point.commit(decision);
        self.report(decision);
        Ok(())
    }

    /// Puts on record what an earlier agent left in force: it drops on this one's word from now on.
    pub(super) fn report_adopted(&mut self) {
        let adopted: Vec<_> = self.choke_point.active().cloned().collect();
        if !adopted.is_empty() {
            tracing::info!(bans = adopted.len(), "bans from before the start stay in force");
        }
        adopted.iter().for_each(|decision| self.put_on_record(decision));
        self.lines.flush();
    }

    /// Puts a decision that has taken effect on record.
    pub(super) fn report(&mut self, decision: &Decision) {
        let action = decision.action_name();
        tracing::info!(
            action, target = %decision.target, reason = decision.reason, "decision carried out"
        );
        self.put_on_record(decision);
        self.lines.flush();
    }

    fn put_on_record(&mut self, decision: &Decision) {
        *self.figures.decisions.entry(decision.action_name()).or_default() += 1;
        let time = self.enforcer.on_the_wall(decision.time);
        let shown = Decision { time, ..decision.clone() };
        put(&mut self.lines, &record::decision(&shown, &self.observer));
    }

    fn count_refusal(&mut self, refusal: &Refusal) {
        *self.figures.refused.entry(refusal.name()).or_default() += 1;
    }

    fn upkeep(&mut self, round: u64) {
        self.enforcer.tend();
        for target in self.choke_point.expire(self.enforcer.now()) {
            if let Err(error) = self.enforcer.lift(&target) {
                tracing::warn!(%target, %error, "an expired ban could not be taken out");
            }
        }
        self.look_after_interfaces();
        self.look_after_writer();
        self.adapt_sampling();
        let Self { choke_point, enforcer, state, common, .. } = self;
        state.tend(common, || grounds::to_octets(choke_point, enforcer));
        if round.is_multiple_of(PROTECTION_ROUNDS)
            && let Err(error) = self.protect()
        {
            tracing::error!(%error, "the protected set could not be brought up to date");
        }
    }

    /// Brings the protected set to what the host is now, and lifts the bans that touch it.
    pub(super) fn protect(&mut self) -> Result<()> {
        let protected = self.host.protected(&self.config);
        if protected == *self.choke_point.protected() {
            return Ok(());
        }
        self.enforcer.protect(&protected)?;
        let now = self.enforcer.now();
        for target in self.choke_point.protect(protected) {
            if let Some(lifting) =
                self.choke_point.unban(&target, "its target is protected now", now)
            {
                self.carry_out(&lifting)?;
            }
        }
        Ok(())
    }

    /// Says once that no record is written any more, and once that they are again.
    fn look_after_writer(&mut self) {
        let is_held_up = self.lines.figures().is_held_up();
        if is_held_up == mem::replace(&mut self.writer_is_held_up, is_held_up) {
            return;
        }
        if is_held_up {
            tracing::error!("no record is written any more: what they are written to hangs");
        } else {
            tracing::info!("records are written again");
        }
    }

    /// Copies up fewer connections while records are lost or wait for long, and more again after.
    fn adapt_sampling(&mut self) {
        let lost = match self.enforcer.totals() {
            Ok(totals) => totals.ports.iter().map(|(_, counters)| counters.ring_full).sum(),
            Err(error) => return tracing::warn!(%error, "cannot see whether samples are lost"),
        };
        let changed = self.sampling.round(lost, self.shards.were_behind());
        self.shards.set_watch(self.sampling.watch());
        if changed && let Err(error) = self.set_sampling() {
            tracing::error!(%error, "the sampling rate could not be changed");
        }
    }

    /// Puts the sampling rate in force.
    pub(super) fn set_sampling(&mut self) -> Result<()> {
        let one_in = self.sampling.one_in();
        tracing::info!(one_in, "connections are copied up");
        self.enforcer.kernel().change_settings(|settings| settings.sample_one_in = one_in)
    }

    /// Tells the shards what the configuration and the kernel say now.
    pub(super) fn tell_shards(&mut self) -> Result<()> {
        self.observer = Arc::new(super::observer::observer(&self.attachments));
        let update =
            Update::new(&self.config, &self.knowledge, &self.observer, self.enforcer.kernel())?;
        self.shards.tell(&update)
    }

    fn decisions(&self) -> Result<Vec<DecisionView>> {
        let now = self.enforcer.now();
        let view = |decision: &Decision| {
            let met = self.enforcer.met(&decision.target)?;
            Ok(DecisionView {
                packets: met.map(|met| met.packets),
                bytes: met.map(|met| met.bytes),
                ..DecisionView::new(decision, now)
            })
        };
        self.choke_point.active().map(view).collect()
    }

    fn allow_list(&self) -> Vec<AllowedPrefix> {
        let entries = self.choke_point.protected().entries().iter();
        entries
            .map(|(prefix, why)| AllowedPrefix { prefix: *prefix, reason: why.to_string() })
            .collect()
    }
}

fn put(lines: &mut Lines, record: &impl serde::Serialize) {
    let mut line = Vec::new();
    record::write_line(record, &mut line);
    lines.put(&line);
}
