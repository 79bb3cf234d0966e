//! The reading ends of the sample rings: one for each shard.
//!
//! It must not know what is read.

use std::os::fd::AsFd as _;
use std::time::Duration;

use anyhow::{Context as _, Result};
use aya::Ebpf;
use aya::maps::{ArrayOfMaps, Map, MapData, MapType, RingBuf};
use hooksensor_ebpf::abi::{RECORD_HEADER, wakes_at};
use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

const RINGS: &str = "RINGS";

/// A ring that the kernel programs write samples to.
pub struct Ring {
    ring: RingBuf<MapData>,
    /// Says when the kernel wakes the reader. Waiting on the ring itself would return as long as
    /// there is anything to read.
    wake_ups: Epoll,
    /// Its size.
    octets: usize,
    /// Octets that wait in it when its reader is woken.
    wakes_at: usize,
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
        Ring::new(RingBuf::try_from(Map::RingBuf(ring))?, octets)
    };
    (0..shards)
        .map(make)
        .collect::<Result<_>>()
        .context("the kernel does not take a ring; a smaller kernel.ring_bytes takes less memory")
}

impl Ring {
    fn new(ring: RingBuf<MapData>, octets: u32) -> Result<Self> {
        let wake_ups = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        let each_once = EpollEvent::new(EpollFlags::EPOLLIN | EpollFlags::EPOLLET, 0);
        wake_ups.add(ring.as_fd(), each_once)?;
        let wakes_at = usize::try_from(wakes_at(u64::from(octets)))?;
        Ok(Self { ring, wake_ups, octets: usize::try_from(octets)?, wakes_at })
    }

    /// Hands each waiting record to `sink` until they take `limit` octets of the ring; how many
    /// they took, which is less only where no more is waiting.
    pub fn drain(&mut self, limit: usize, mut sink: impl FnMut(&[u8])) -> usize {
        let mut octets = 0;
        while octets < limit {
            let Some(record) = self.ring.next() else { break };
            octets += record.len().next_multiple_of(RECORD_HEADER) + RECORD_HEADER;
            sink(&record);
        }
        octets
    }

    /// Octets that it holds.
    #[must_use]
    pub fn octets(&self) -> usize {
        self.octets
    }

    /// Octets that wait when the kernel wakes the reader.
    #[must_use]
    pub fn wakes_at(&self) -> usize {
        self.wakes_at
    }

    /// Waits until the kernel finds the ring full enough for its reader, or `timeout` has passed.
    ///
    /// # Errors
    ///
    /// When the kernel refuses to wait; an interruption is no error.
    pub fn wait(&self, timeout: Duration) -> Result<(), Errno> {
        let timeout = EpollTimeout::try_from(timeout).unwrap_or(EpollTimeout::MAX);
        match self.wake_ups.wait(&mut [EpollEvent::empty()], timeout) {
            Ok(_) | Err(Errno::EINTR) => Ok(()),
            Err(error) => Err(error),
        }
    }
}
