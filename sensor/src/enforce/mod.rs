//! Carries decisions out in the kernel, and finds out what this host must never ban.
//!
//! In simulation the same entries are made and the kernel counts what it would have dropped, so
//! nothing but one setting differs. It must not judge a decision.

mod host;

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::Result;
use hooksensor_ebpf::abi::Ban;
use hooksensor_ebpf::limit;
use ipnet::IpNet;

pub use host::{configured, protected};

use crate::capture::Timestamp;
use crate::config::Config;
use crate::decide::{Action, Decision, Protected, Scope};
use crate::kernel::{BanError, Clock, Entry, Kernel, Totals};

/// The kernel as the place where decisions take effect.
pub struct Enforcer {
    kernel: Kernel,
    clock: Clock,
}

impl Enforcer {
    /// Takes over the kernel side.
    #[must_use]
    pub fn new(kernel: Kernel) -> Self {
        Self { kernel, clock: Clock::new() }
    }

    /// Brings the kernel to what the configuration says: ports, limits, sampling, simulation.
    ///
    /// # Errors
    ///
    /// When the kernel refuses.
    pub fn configure(&mut self, config: &Config) -> Result<()> {
        let limit = limit::limit(config.limit.packets_per_second, config.limit.burst);
        self.kernel.watch(&config.ports, limit)?;
        self.kernel.change_settings(|settings| {
            settings.enforce = u32::from(config.enforce);
            settings.sample_one_in = config.kernel.sample_one_in;
            settings.payload_bytes = config.kernel.payload_bytes;
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

    /// Carries out a ban or lifts one.
    ///
    /// # Errors
    ///
    /// When the kernel's table is full, or the kernel refuses.
    pub fn carry_out(&mut self, decision: &Decision) -> Result<(), BanError> {
        match decision.action {
            Action::Ban => {
                let slots = self.kernel.slots().map_err(BanError::Refused)?;
                let expires = self.clock.kernel(decision.expires_at());
                let scope = scope_bits(&decision.scope, &slots);
                self.kernel.ban(&Entry { target: decision.target, expires, scope })
            }
            Action::Unban => self.lift(&decision.target).map_err(BanError::Refused),
        }
    }

    /// Takes a ban out of the kernel, whether there is one or not.
    ///
    /// # Errors
    ///
    /// When the kernel refuses.
    pub fn lift(&mut self, target: &IpNet) -> Result<()> {
        self.kernel.unban(target).map(|_| ())
    }

    /// The bans an earlier agent left in force, with what they cover and how long they still
    /// hold; those that have expired since are taken out.
    ///
    /// # Errors
    ///
    /// When the kernel refuses.
    pub fn take_over(&mut self) -> Result<Vec<(IpNet, Scope, Duration)>> {
        let slots = self.kernel.slots()?;
        let now = self.clock.kernel(self.clock.now());
        let mut in_force = Vec::new();
        for entry in self.kernel.bans()? {
            if entry.expires <= now {
                self.kernel.unban(&entry.target)?;
                continue;
            }
            let rest = Duration::from_nanos(entry.expires - now);
            in_force.push((entry.target, scope_of_bits(entry.scope, &slots), rest));
        }
        Ok(in_force)
    }

    /// Now, by the clock of packets.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock.now()
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
        self.clock.refresh();
        self.kernel.flush_log();
    }

    /// The kernel side itself, to attach and detach.
    pub fn kernel(&mut self) -> &mut Kernel {
        &mut self.kernel
    }
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
