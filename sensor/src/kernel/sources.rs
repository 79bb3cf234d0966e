//! What the kernel keeps of each source.
//!
//! It must not know what the figures say of a source.

use std::collections::HashMap;
use std::net::IpAddr;

use anyhow::Result;
use hooksensor_ebpf::abi::{SourceKey, SourceState};

use super::maps::Maps;

/// A source on one port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Source {
    /// Its address, or the first one of its network.
    pub address: IpAddr,
    /// The port's slot.
    pub slot: u32,
    /// Whether it completed a handshake since it is known.
    pub established: bool,
    /// Its limits and its counts.
    pub state: SourceState,
}

/// Entries read of a map at most. A map that changes while it is read starts over where the entry
/// at hand has gone, and a flood from made-up addresses changes it without end.
const MOST_READ: usize = 1 << 20;

impl Maps {
    /// Every source that is known, each once, in no order.
    pub(super) fn sources(&self) -> Result<Vec<Source>> {
        let mut sources = HashMap::new();
        for (map, established) in [(&self.newcomers, false), (&self.sources, true)] {
            for item in map.iter().take(MOST_READ) {
                let (SourceKey { address, slot }, state) = item?;
                let address = IpAddr::from(address).to_canonical();
                sources.insert((address, slot), Source { address, slot, established, state });
            }
        }
        Ok(sources.into_values().collect())
    }
}
