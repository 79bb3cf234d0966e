//! The desk: where findings and operators' requests meet the choke point, and its decisions the
//! kernel.
//!
//! One task owns all of it, so decisions are made one after the other. It must not judge: the
//! choke point does.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::Sender as UpdateSender;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use tokio::sync::{mpsc, watch};
use tokio::time::{MissedTickBehavior, interval};

use super::shard::{ShardFigures, Update};
use super::writer::Lines;
use crate::config::{Config, Overrides};
use crate::control::{
    AllowedPrefix, Ban, DecisionView, Outcome, Question, RefusedTarget, Reloaded, Reply, Request,
};
use crate::decide::{self, Action, ChokePoint, Decision, Policy, Refusal};
use crate::detect::Finding;
use crate::enforce::{self, Enforcer};
use crate::export::{BanFigures, InterfaceFigures, KernelFigures, RecordFigures, Snapshot, named};
use crate::kernel::{Attachment, BanError};
use crate::record::{self, Observer};

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
    pub(super) source: ConfigSource,
    pub(super) observer: Arc<Observer>,
    pub(super) attachments: Vec<Attachment>,
    pub(super) lines: Lines,
    pub(super) shard: UpdateSender<Update>,
    pub(super) shard_figures: Arc<ShardFigures>,
    pub(super) started: Instant,
    pub(super) figures: DeskFigures,
}

/// What the desk counts.
#[derive(Debug, Default)]
pub(super) struct DeskFigures {
    findings: u64,
    decisions: BTreeMap<&'static str, u64>,
    refused: BTreeMap<&'static str, u64>,
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

    /// Reads the configuration again and brings everything to it that can change while running.
    pub(super) fn reload(&mut self) -> Result<Reloaded> {
        let path = self.source.path.as_ref().context(
            "the agent was started without a configuration file; there is nothing to read again",
        )?;
        let config = Config::load(path)?.with(self.source.overrides.clone())?;
        let knowledge = Arc::new(super::agent::know(&config)?);
        let need_restart = restart_keys(&self.config, &config);
        self.enforcer.configure(&config)?;
        if config.interfaces != self.config.interfaces {
            let kernel = self.enforcer.kernel();
            self.attachments = kernel.attach(&config.interfaces, config.kernel.xdp_mode)?;
            self.observer = Arc::new(super::observer::observer(&self.attachments));
        }
        self.choke_point.set_policy(Policy::from(&config));
        self.config = Arc::new(config);
        self.protect();
        let kernel = self.enforcer.kernel();
        let update = Update::new(&self.config, &knowledge, &self.observer, kernel)?;
        self.shard.send(update).context("the shard has ended")?;
        Ok(Reloaded { enforce: self.config.enforce, need_restart })
    }

    fn answer(&mut self, question: Question) {
        let reply = match question.request {
            Request::Status => self.snapshot().map(|figures| Reply::Status(Box::new(figures))),
            Request::Ban(ban) => Ok(Reply::Outcome(self.ban(ban))),
            Request::Unban { targets } => Ok(Reply::Outcome(self.unban(&targets))),
            Request::Decisions => Ok(Reply::Decisions(self.decisions())),
            Request::AllowList => Ok(Reply::AllowList(self.allow_list())),
            Request::Reload => self.reload().map(Reply::Reloaded),
        };
        let reply = reply.unwrap_or_else(|error| Reply::Failed(format!("{error:#}")));
        // One who has hung up does not want the answer.
        drop(question.reply.send(reply));
    }

    fn decide(&mut self, finding: &Finding) {
        self.figures.findings += 1;
        self.put(&record::finding(finding, &self.observer));
        let now = self.enforcer.now();
        match self.choke_point.finding(finding, now) {
            Ok(decision) => {
                if let Err(error) = self.carry_out(&decision) {
                    tracing::error!(target = %decision.target, %error, "a ban could not be made");
                }
            }
            Err(refusal) => {
                tracing::debug!(source = %finding.source, %refusal, "a ban was refused");
                self.count_refusal(&refusal);
            }
        }
    }

    fn ban(&mut self, ban: Ban) -> Outcome {
        let mut outcome = Outcome::default();
        let now = self.enforcer.now();
        for target in ban.targets {
            let request = decide::Request {
                target,
                scope: ban.scope.clone().into(),
                duration: Duration::from_secs(ban.seconds),
                reason: ban.reason.clone(),
            };
            let refused = match self.choke_point.ban(request, now) {
                Ok(decision) => match self.carry_out(&decision) {
                    Ok(()) => {
                        outcome.done.push(DecisionView::new(&decision, now));
                        continue;
                    }
                    Err(error) => error.to_string(),
                },
                Err(refusal) => {
                    self.count_refusal(&refusal);
                    refusal.to_string()
                }
            };
            outcome.refused.push(RefusedTarget { target, reason: refused });
        }
        outcome
    }

    fn unban(&mut self, targets: &[ipnet::IpNet]) -> Outcome {
        let mut outcome = Outcome::default();
        let now = self.enforcer.now();
        for target in targets {
            let Some(decision) = self.choke_point.unban(target, "lifted by an operator", now)
            else {
                let reason = format!("there is no ban on {target}");
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

    /// Puts a granted decision in force and on record; one the kernel does not take is forgotten.
    fn carry_out(&mut self, decision: &Decision) -> Result<(), BanError> {
        if let Err(error) = self.enforcer.carry_out(decision) {
            self.choke_point.forget(&decision.target);
            return Err(error);
        }
        let action = match (decision.action, decision.enforced) {
            (Action::Ban, true) => "ban",
            (Action::Ban, false) => "would_ban",
            (Action::Unban, _) => "unban",
        };
        *self.figures.decisions.entry(action).or_default() += 1;
        tracing::info!(
            action, target = %decision.target, reason = decision.reason, "decision carried out"
        );
        self.put(&record::decision(decision, &self.observer));
        Ok(())
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
        if round.is_multiple_of(PROTECTION_ROUNDS) {
            self.protect();
        }
    }

    /// Brings the protected set to what the host is now, and lifts the bans that touch it.
    fn protect(&mut self) {
        let protected = enforce::protected(&self.config);
        if protected == *self.choke_point.protected() {
            return;
        }
        if let Err(error) = self.enforcer.protect(&protected) {
            tracing::error!(%error, "the protected set in the kernel could not be changed");
        }
        let now = self.enforcer.now();
        for target in self.choke_point.protect(protected) {
            let lifted = self.choke_point.unban(&target, "its target is protected now", now);
            if let Some(Err(error)) = lifted.map(|decision| self.carry_out(&decision)) {
                tracing::error!(%target, %error, "a ban on a protected address could not be lifted");
            }
        }
    }

    fn decisions(&self) -> Vec<DecisionView> {
        let now = self.enforcer.now();
        self.choke_point.active().map(|decision| DecisionView::new(decision, now)).collect()
    }

    fn allow_list(&self) -> Vec<AllowedPrefix> {
        let entries = self.choke_point.protected().entries().iter();
        entries
            .map(|(prefix, why)| AllowedPrefix { prefix: *prefix, reason: why.to_string() })
            .collect()
    }

    fn snapshot(&self) -> Result<Snapshot> {
        let totals = self.enforcer.totals()?;
        Ok(Snapshot {
            state: String::from("running"),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            uptime_seconds: self.started.elapsed().as_secs(),
            enforce: self.config.enforce,
            interfaces: self.attachments.iter().map(InterfaceFigures::from).collect(),
            kernel: KernelFigures::from(&totals),
            streams: self.shard_figures.streams(),
            records: self.record_figures(),
            bans: BanFigures {
                active: figure(self.choke_point.active().len()),
                protected: figure(self.choke_point.protected().entries().len()),
                decisions: named(self.figures.decisions.iter().map(|(name, n)| (*name, *n))),
                refused: named(self.figures.refused.iter().map(|(name, n)| (*name, *n))),
            },
        })
    }

    fn record_figures(&self) -> RecordFigures {
        let decisions = self.figures.decisions.values().sum();
        let writer = self.lines.figures();
        let sinks = writer.sinks();
        let mut lost = named([
            ("writer_behind", writer.behind()),
            ("desk_behind", self.shard_figures.findings_lost()),
        ]);
        for (name, figures) in &sinks {
            lost.insert(format!("{name}_failed"), figures.lost);
        }
        RecordFigures {
            made: named([
                ("delivery", self.shard_figures.deliveries()),
                ("finding", self.figures.findings),
                ("decision", decisions),
            ]),
            written: named(sinks.iter().map(|(name, one)| (*name, one.taken - one.lost))),
            lost,
        }
    }

    fn put(&self, record: &impl serde::Serialize) {
        let mut line = Vec::new();
        record::write_line(record, &mut line);
        self.lines.put(line);
    }
}

/// The keys that changed and are read at the start alone.
fn restart_keys(old: &Config, new: &Config) -> Vec<String> {
    let kernel = |config: &Config| {
        let mut kernel = config.kernel.clone();
        (kernel.sample_one_in, kernel.payload_bytes) = (0, 0);
        kernel
    };
    let changed = [
        ("kernel", kernel(old) != kernel(new)),
        ("http", old.http != new.http),
        ("output", old.output != new.output),
        ("control", old.control != new.control),
        ("metrics", old.metrics != new.metrics),
        ("log", old.log != new.log),
    ];
    changed.into_iter().filter(|(_, changed)| *changed).map(|(key, _)| key.to_owned()).collect()
}

fn figure(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
