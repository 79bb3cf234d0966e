//! How many shards there are.
//!
//! It must not know what a shard does.

use std::num::NonZeroUsize;
use std::thread::available_parallelism;

use crate::config::Config;

/// Processors for each shard, where the configuration leaves it to the agent: the host is there for
/// the application.
const PROCESSORS: usize = 4;

/// Shards at most, where it does: what all of them write passes one thread.
const MOST: usize = 8;

/// The shards that `config` asks for, or that this host has room for.
pub(super) fn shards(config: &Config) -> u32 {
    if config.kernel.shards > 0 {
        return config.kernel.shards;
    }
    by_itself(available_parallelism().map_or(1, NonZeroUsize::get))
}

fn by_itself(processors: usize) -> u32 {
    let shards = (processors / PROCESSORS).clamp(1, MOST);
    u32::try_from(shards).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_leave_the_host_its_processors() {
        for (processors, expected) in [(1, 1), (7, 1), (8, 2), (16, 4), (31, 7), (32, 8), (256, 8)]
        {
            assert_eq!(by_itself(processors), expected, "{processors}");
        }
    }
}
