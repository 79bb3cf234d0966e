//! How fast a flood is sent: as fast as its receiver can just not take.
//!
//! Frames that find the link full go back to the memory that frames are taken from, whose lock they
//! share with those the receiver gives back (`page_pool_recycle_in_ring` in
//! `net/core/page_pool.c`). A network card has no such lock, and at full speed most of the
//! receiver's time would be spent at it. It must not know who receives.

use std::fs;

use anyhow::{Context as _, Result};
use harness::network::CLIENT_INTERFACE;

/// Parts in a hundred that are lost where the flood slows down, and where it speeds up.
const MUCH: u64 = 8;
const LITTLE: u64 = 2;

/// Adapts the pause after each frame to what became of the last ones.
pub(crate) struct Pace {
    pause: u8,
    taken: u64,
}

impl Pace {
    /// Of a flood that has not begun. It must run inside the client's namespace, as all of this.
    pub(crate) fn new() -> Result<Self> {
        Ok(Self { pause: 0, taken: taken()? })
    }

    /// How often a frame's sender looks at the clock before it sends it.
    pub(crate) const fn pause(&self) -> u8 {
        self.pause
    }

    /// Takes note that so many frames were sent.
    pub(crate) fn sent(&mut self, frames: u64) -> Result<()> {
        let before = std::mem::replace(&mut self.taken, taken()?);
        let lost = frames.saturating_sub(self.taken - before) * 100;
        if lost > frames * MUCH {
            self.pause = self.pause.saturating_add(1 + self.pause / 4);
        } else if lost < frames * LITTLE {
            self.pause = self.pause.saturating_sub(1 + self.pause / 16);
        }
        Ok(())
    }
}

/// Frames that the other end of the client's link has taken.
fn taken() -> Result<u64> {
    let path = "/proc/thread-self/net/dev";
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {path}"))?;
    let line = text.lines().find_map(|line| line.trim().strip_prefix(CLIENT_INTERFACE));
    let figures = line.and_then(|line| line.strip_prefix(':'));
    // Nine columns of what was received come before (net/core/net-procfs.c).
    let packets = figures.and_then(|figures| figures.split_whitespace().nth(9));
    Ok(packets.context("the kernel counts what is sent")?.parse()?)
}
