//! Which slot each watched port has. Slots outlive a restart, because bans name them.
//!
//! It must not know what is watched on a port.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, bail};
use aya::maps::PerCpuValues;
use aya::util::nr_cpus;
use hooksensor_ebpf::abi::{Counters, Limits, MAX_PORTS, Watched};

use super::maps::Maps;

impl Maps {
    /// Makes `ports` the watched set, each with `limits`: a port that stays keeps its slot and its
    /// counters.
    pub(super) fn watch(&mut self, ports: &BTreeSet<u16>, limits: Limits) -> Result<()> {
        if ports.len() > MAX_PORTS {
            bail!("{} ports are to be watched; the most is {MAX_PORTS}", ports.len());
        }
        let present = self.slots()?;
        for (slot, port) in &present {
            if ports.contains(port) {
                self.set_slot(*slot, *port, limits)?;
            } else {
                self.free(*slot, *port)?;
            }
        }
        let mut taken: BTreeSet<u32> = present
            .iter()
            .filter(|(_, port)| ports.contains(port))
            .map(|(slot, _)| *slot)
            .collect();
        for port in ports.iter().filter(|port| !present.iter().any(|(_, other)| other == *port)) {
            let slot = (1..=u32::try_from(MAX_PORTS)?)
                .find(|slot| !taken.contains(slot))
                .context("no slot is free for a watched port")?;
            taken.insert(slot);
            self.occupy(slot, *port, limits)?;
        }
        Ok(())
    }

    fn occupy(&mut self, slot: u32, port: u16, limits: Limits) -> Result<()> {
        let zero = PerCpuValues::try_from(vec![Counters::ZERO; cpus()?])?;
        self.counters.set(slot, zero, 0).context("cannot clear the counters of a port")?;
        self.set_slot(slot, port, limits)?;
        self.ports
            .set(u32::from(port), slot, 0)
            .with_context(|| format!("cannot watch port {port}"))
    }

    fn set_slot(&mut self, slot: u32, port: u16, limits: Limits) -> Result<()> {
        let watched = Watched { limits, port: u32::from(port), reserved: 0 };
        self.watched
            .set(slot, watched, 0)
            .with_context(|| format!("cannot set the limits of port {port}"))
    }

    /// Takes a port out of the watched set, and its slot out of every ban that names it: the next
    /// port in the slot must not inherit them.
    fn free(&mut self, slot: u32, port: u16) -> Result<()> {
        self.ports
            .set(u32::from(port), 0, 0)
            .with_context(|| format!("cannot stop watching port {port}"))?;
        self.watched.set(slot, Watched::default(), 0)?;
        self.forget_slot(slot)
    }
}

pub(super) fn cpus() -> Result<usize> {
    nr_cpus().map_err(|(file, error)| anyhow::anyhow!("cannot read {file}: {error}"))
}
