//! What the kernel is told not to copy up: the rest of bodies that nobody needs.
//!
//! It must not know why nobody does.

use std::net::SocketAddr;

use anyhow::{Context as _, Result, bail};
use aya::Ebpf;
use aya::maps::{HashMap, Map, MapData};
use hooksensor_ebpf::abi::FlowKey;

const NAME: &str = "SKIPS";

/// The map of skips, which the shards write.
pub struct Skips {
    map: HashMap<MapData, FlowKey, u32>,
}

impl Skips {
    /// The map of these programs; every shard has a hold on it.
    pub(super) fn of(programs: &Ebpf) -> Result<Self> {
        let Some(Map::LruHashMap(map)) = programs.map(NAME) else {
            bail!("the kernel programs have no map {NAME}");
        };
        let map = MapData::from_id(map.info()?.id())?;
        Ok(Self { map: HashMap::try_from(Map::LruHashMap(map))? })
    }

    /// Has the kernel leave out the payload of segments from `source` to `destination` that end at
    /// or before the sequence number `until`, which is at most [`MAX_SKIP`] ahead. An older wish
    /// for the same direction makes room for it.
    ///
    /// # Errors
    ///
    /// When the kernel refuses; then it goes on to copy.
    ///
    /// [`MAX_SKIP`]: hooksensor_ebpf::abi::MAX_SKIP
    pub fn skip(&mut self, source: SocketAddr, destination: SocketAddr, until: u32) -> Result<()> {
        let key = FlowKey {
            source: source.ip().into(),
            destination: destination.ip().into(),
            source_port: source.port(),
            destination_port: destination.port(),
        };
        self.map.insert(key, until, 0).context("the kernel does not take what it may leave out")
    }
}
