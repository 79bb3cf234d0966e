//! Carries decisions out in the kernel, and finds out what this host must never ban.
//!
//! In simulation the same entries are made and the kernel counts what it would have dropped, so
//! nothing but one setting differs. It must not judge a decision.

mod host;
mod sessions;

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Result, anyhow};
use hooksensor_ebpf::abi::{Ban, BanCount, Limit, Limits};
use hooksensor_ebpf::limit;
use ipnet::IpNet;

pub use host::{Host, configured};

use crate::capture::Timestamp;
use crate::config::{self, Config};
use crate::decide::{Action, Decision, Protected, Scope};
use crate::kernel::{BanError, Clock, Entry, Kernel, Totals};

/// The longest step of the kernel's coarse clock, at 100 ticks a second. All packets of a step
/// carry the same time, so a tolerance below it would hold back a source within its rate.
const CLOCK_STEP: u64 = 10_000_000;

/// The kernel as the place where decisions take effect.
pub struct Enforcer {
    kernel: Kernel,
    /// Never refreshed: decisions are timed by kernel time, as their expiry is, so that a step of
    /// the wall clock neither ends a ban nor makes one last.
    clock: Clock,
    /// Follows the wall clock, for what records say.
    wall: Clock,
}

/// A ban that an earlier agent left in force.
#[derive(Debug)]
pub struct Inherited {
    /// The addresses it covers.
    pub target: IpNet,
    /// What it covers on this host.
    pub scope: Scope,
    /// When it ends, in kernel time.
    pub expires: u64,
    /// How long it still holds.
    pub rest: Duration,
}

impl Enforcer {
    /// Takes over the kernel side.
    #[must_use]
    pub fn new(kernel: Kernel) -> Self {
        let clock = Clock::new();
        Self { kernel, clock, wall: clock }
    }

    /// Brings the kernel to what the configuration says: ports, limits, sampling, simulation.
    ///
    /// # Errors
    ///
    /// When the kernel refuses.
    pub fn configure(&mut self, config: &Config) -> Result<()> {
        self.kernel.watch(&config.ports, limits(&config.limit))?;
        self.instruct(config)?;
        self.kernel.follow(&config.kernel.follow)
    }

    /// Tells the programs of this agent what they are to do: enforce or simulate, what a source is,
    /// and what they copy up. Those that an earlier agent left go on as they were.
    ///
    /// # Errors
    ///
    /// When the kernel refuses.
    pub fn instruct(&mut self, config: &Config) -> Result<()> {
        let (source_v4, source_v6) = (config.limit.source_v4, config.limit.source_v6);
        self.kernel.change_settings(|settings| {
            settings.enforce = u32::from(config.enforce);
            settings.sample_one_in = config.kernel.sample_one_in;
            settings.payload_bytes = config.kernel.payload_bytes;
            settings.set_source(source_v4, source_v6);
        })
    }

    /// Hands the protected set to the kernel, which passes it whatever else it is told.
    ///
    /// # Errors
    ///
    /// When it does not fit.
    pub fn protect(&mut self, protected: &Protected) -> Result<()> {
        self.kernel.protect(&protected.prefixes())
    }

    /// Puts many bans in force; what became of each, in their order.
    pub fn ban_all(&mut self, decisions: &[Decision]) -> Vec<Result<(), BanError>> {
        let slots = match self.kernel.slots() {
            Ok(slots) => slots,
            Err(error) => {
                let refused = |_| Err(BanError::Refused(anyhow!("{error:#}")));
                return decisions.iter().map(refused).collect();
            }
        };
        let entries: Vec<_> =
            decisions.iter().map(|decision| self.entry(decision, &slots)).collect();
        self.kernel.ban_all(&entries)
    }

    fn entry(&self, decision: &Decision, slots: &[(u32, u16)]) -> Entry {
        Entry {
            target: decision.target,
            expires: self.expiry(decision),
            scope: scope_bits(&decision.scope, slots),
        }
    }

    /// Carries out a ban or lifts one.
    ///
    /// # Errors
    ///
    /// When the kernel's table is full, or the kernel refuses.
    pub fn carry_out(&mut self, decision: &Decision) -> Result<(), BanError> {
        match decision.action {
            Action::Ban => {
                let slots = self.kernel.slots().map_err(BanError::Refused)?;
                let entry = self.entry(decision, &slots);
                self.kernel.ban(&entry)
            }
            Action::Unban => self.lift(&decision.target).map_err(BanError::Refused),
        }
    }

    /// Takes a ban out of the kernel, whether there is one or not, and says in the log what it met.
    ///
    /// # Errors
    ///
    /// When the kernel refuses.
    pub fn lift(&mut self, target: &IpNet) -> Result<()> {
        let met = self.met(target)?.unwrap_or_default();
        if self.kernel.unban(target)? && met.packets > 0 {
            tracing::info!(%target, packets = met.packets, bytes = met.bytes, "a ban has ended");
        }
        Ok(())
    }

    /// What the ban on `target` has met so far, if it is counted by itself: what it dropped, or
    /// would have where decisions are simulated.
    ///
    /// # Errors
    ///
    /// When the kernel refuses to be read.
    pub fn met(&self, target: &IpNet) -> Result<Option<BanCount>> {
        self.kernel.ban_count(target)
    }

    /// The bans an earlier agent left in force at `now`, by the clock of decisions; those that have
    /// expired are taken out.
    ///
    /// # Errors
    ///
    /// When the kernel refuses.
    pub fn take_over(&mut self, now: Timestamp) -> Result<Vec<Inherited>> {
        let slots = self.kernel.slots()?;
        let now = self.clock.kernel(now);
        let mut in_force = Vec::new();
        for entry in self.kernel.bans()? {
            if entry.expires <= now {
                self.lift(&entry.target)?;
                continue;
            }
            in_force.push(Inherited {
                target: entry.target,
                scope: scope_of_bits(entry.scope, &slots),
                expires: entry.expires,
                rest: Duration::from_nanos(entry.expires - now),
            });
        }
        Ok(in_force)
    }

    /// When a ban ends, in kernel time.
    #[must_use]
    pub fn expiry(&self, decision: &Decision) -> u64 {
        self.clock.kernel(decision.expires_at())
    }

    /// Now, by the clock of decisions.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// A moment by the clock of decisions, as the wall clock has it now.
    #[must_use]
    pub fn on_the_wall(&self, time: Timestamp) -> Timestamp {
        self.wall.wall(self.clock.kernel(time))
    }

    /// The kernel's counters.
    ///
    /// # Errors
    ///
    /// When the kernel refuses to be read.
    pub fn totals(&self) -> Result<Totals> {
        self.kernel.totals()
    }

    /// Does what is due now and then: follows the wall clock, passes on the programs' log.
    pub fn tend(&mut self) {
        self.wall.refresh();
        self.kernel.flush_log();
    }

    /// The kernel side itself, to attach and detach.
    pub fn kernel(&mut self) -> &mut Kernel {
        &mut self.kernel
    }
}

fn limits(limit: &config::Limit) -> Limits {
    Limits {
        packets: measured(limit.packets_per_second, limit.burst),
        connections: measured(limit.connections_per_second, limit.connection_burst),
        requests: measured(limit.requests_per_second, limit.request_burst),
        new_sources: measured(limit.new_sources_per_second, limit.new_source_burst),
    }
}

/// A limit that the programs' clock can measure.
fn measured(rate: u64, burst: u64) -> Limit {
    let limit = limit::limit(rate, burst);
    Limit { tolerance: limit.tolerance.max(CLOCK_STEP), ..limit }
}

fn scope_bits(scope: &Scope, slots: &[(u32, u16)]) -> u64 {
    match scope {
        Scope::WatchedPorts => Ban::WATCHED,
        Scope::Host => Ban::HOST,
        Scope::Ports(ports) => slots
            .iter()
            .filter(|(_, port)| ports.contains(port))
            .fold(0, |bits, (slot, _)| bits | 1 << slot),
    }
}

fn scope_of_bits(bits: u64, slots: &[(u32, u16)]) -> Scope {
    match bits {
        Ban::HOST => Scope::Host,
        Ban::WATCHED => Scope::WatchedPorts,
        _ => {
            let named = slots.iter().filter(|(slot, _)| bits >> slot & 1 == 1);
            Scope::Ports(named.map(|(_, port)| *port).collect::<BTreeSet<_>>())
        }
    }
}
