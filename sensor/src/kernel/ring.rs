//! The reading ends of the sample rings: one for each shard.
//!
//! It must not know what is read.

use std::os::fd::AsFd as _;
use std::time::Duration;

use anyhow::{Context as _, Result};
use aya::Ebpf;
use aya::maps::{ArrayOfMaps, Map, MapData, MapType, RingBuf};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

const RINGS: &str = "RINGS";

/// A ring that the kernel programs write samples to.
pub struct Ring {
    ring: RingBuf<MapData>,
}

/// Makes a ring for each shard and gives it to the programs.
pub(super) fn make(programs: &mut Ebpf, shards: u32, octets: u32) -> Result<Vec<Ring>> {
    // It stays where it is: programs that are loaded later need it.
    let rings = programs.map_mut(RINGS).with_context(|| format!("there is no map {RINGS}"))?;
    let mut rings: ArrayOfMaps<&mut MapData, MapData> = rings.try_into()?;
    let make = |shard| {
        let ring = aya_obj::Map::new_from_params(MapType::RingBuf as u32, 0, 0, octets, 0);
        let ring = MapData::create(ring, "RING", None)?;
        rings.set(shard, &ring, 0)?;
        Ok(Ring { ring: RingBuf::try_from(Map::RingBuf(ring))? })
    };
    (0..shards)
        .map(make)
        .collect::<Result<_>>()
        .context("the kernel does not take a ring; a smaller kernel.ring_bytes takes less memory")
}

impl Ring {
    /// Hands each waiting record to `sink`, at most `limit` of them; how many there were.
    pub fn drain(&mut self, limit: usize, mut sink: impl FnMut(&[u8])) -> usize {
        let mut count = 0;
        while count < limit {
            let Some(record) = self.ring.next() else { break };
            sink(&record);
            count += 1;
        }
        count
    }

    /// Waits until records arrive or `timeout` has passed.
    ///
    /// # Errors
    ///
    /// When the kernel refuses to wait; an interruption is no error.
    pub fn wait(&self, timeout: Duration) -> Result<(), Errno> {
        let timeout = PollTimeout::try_from(timeout).unwrap_or(PollTimeout::MAX);
        let mut waiting = [PollFd::new(self.ring.as_fd(), PollFlags::POLLIN)];
        match poll(&mut waiting, timeout) {
            Ok(_) | Err(Errno::EINTR) => Ok(()),
            Err(error) => Err(error),
        }
    }
}
