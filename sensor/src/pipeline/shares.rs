//! How many shards there are, and what part of bounded memory each of them has.
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

/// Octets of `http.memory` for each, where it does: the largest body that is checked, 25 MB, must
/// fit in.
const MEMORY: usize = 32 << 20;

/// The shards that `config` asks for, or that this host has room for.
pub(super) fn shards(config: &Config) -> u32 {
    if config.kernel.shards > 0 {
        return config.kernel.shards;
    }
    by_itself(available_parallelism().map_or(1, NonZeroUsize::get), config.http.memory)
}

fn by_itself(processors: usize, memory: usize) -> u32 {
    let shards = (processors / PROCESSORS).min(memory / MEMORY).clamp(1, MOST);
    u32::try_from(shards).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_leave_the_host_its_processors_and_a_body_its_room() {
        for (processors, memory, expected) in [
            (1, 64 << 20, 1),
            (7, 64 << 20, 1),
            (8, 64 << 20, 2),
            (64, 64 << 20, 2),
            (64, 1 << 20, 1),
            (16, 1 << 30, 4),
            (256, 1 << 40, 8),
        ] {
            assert_eq!(by_itself(processors, memory), expected, "{processors}, {memory}");
        }
    }
}
