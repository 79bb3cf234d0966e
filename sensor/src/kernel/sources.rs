//! What the kernel keeps of each source.
//!
//! It must not know what the figures say of a source.

use std::net::IpAddr;

use anyhow::Result;
use hooksensor_ebpf::abi::SourceState;

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

impl Maps {
    /// Every source that is known, in no order.
    pub(super) fn sources(&self) -> Result<Vec<Source>> {
        let mut sources = Vec::new();
        for (map, established) in [(&self.sources, true), (&self.newcomers, false)] {
            for item in map {
                let (key, state) = item?;
                sources.push(Source {
                    address: key.address.into(),
                    slot: key.slot,
                    established,
                    state,
                });
            }
        }
        Ok(sources)
    }
}
