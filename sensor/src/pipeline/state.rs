//! What the stages remember, as the sections that outlive a restart.
//!
//! It must not know the form of any section, nor the file.

use std::io;
use std::mem;
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use super::common::Common;
use super::grounds::Grounds;
use crate::config::Config;
use crate::store::{Keeper, KeeperFigures, Sections, Store};
use crate::webhook::Memory;
use crate::webhook::payload::Shapes;

/// The section of deliveries that were seen.
const DELIVERIES: &str = "deliveries";

/// The section of the rhythms in which deliveries come.
const RHYTHMS: &str = "rhythms";

/// The section of what the bans in force were made for.
const BANS: &str = "bans";

/// The section of the shapes that payloads had.
const SHAPES: &str = "shapes";

/// Time between two saves of a small state: what a kill loses of it.
const SAVE: Duration = Duration::from_secs(5);

/// The same of a large one, which is written whole each time: megabytes every few seconds would
/// wear out a disk, and hold up those who share it.
const SAVE_LARGE: Duration = Duration::from_secs(60);

/// Octets from which a state is large: at most some 50 kB a second are written of a small one.
const LARGE: usize = 256 << 10;

/// Time until a state is saved again that had so many octets.
pub(super) fn save_after(octets: usize) -> Duration {
    if octets < LARGE { SAVE } else { SAVE_LARGE }
}

/// What an earlier run left, and who keeps what this one will leave.
pub(super) struct State {
    last: Sections,
    keeper: Option<Keeper>,
    figures: Arc<KeeperFigures>,
    saved: Instant,
    /// Octets of it when it was last saved.
    octets: usize,
}

impl State {
    /// Opens the state in `directory` and starts the thread that saves it. Without a directory, or
    /// when there can be none, nothing outlives this run.
    ///
    /// # Errors
    ///
    /// When another agent has the directory, whose state this one would replace with its own.
    pub(super) fn open(directory: &Path) -> Result<(Self, Option<JoinHandle<()>>)> {
        let mut state = Self {
            last: Sections::default(),
            keeper: None,
            figures: Arc::default(),
            saved: Instant::now(),
            octets: 0,
        };
        if directory.as_os_str().is_empty() {
            return Ok((state, None));
        }
        let store = match Store::open(directory) {
            Ok(store) => store,
            Err(error) if error.kind() == io::ErrorKind::ResourceBusy => {
                return Err(error).with_context(|| {
                    format!(
                        "the state directory {} is another agent's; stop that one, or give this \
                         one a state_dir of its own",
                        directory.display()
                    )
                });
            }
            Err(error) => {
                tracing::error!(
                    path = %directory.display(), %error,
                    "the state directory cannot be made; a restart will forget what was seen; \
                     make it, or name another one with state_dir"
                );
                return Ok((state, None));
            }
        };
        state.last = store.load();
        state.octets = state.last.octets();
        let (keeper, thread) =
            Keeper::start(store, state.last.clone(), Arc::clone(&state.figures))?;
        state.keeper = Some(keeper);
        Ok((state, Some(thread)))
    }

    /// What became of the states that were to be saved.
    pub(super) fn figures(&self) -> &KeeperFigures {
        &self.figures
    }

    /// Why the bans were made that an earlier run left in force.
    pub(super) fn grounds(&self) -> Grounds {
        Grounds::from_octets(self.last.section(BANS))
    }

    /// Goes on from what an earlier run left, as far as `config` still speaks of it.
    pub(super) fn recall(&mut self, common: &Common, config: &Config) {
        common.recall(&mem::take(&mut self.last), config);
    }

    /// Has what is known saved, and what `bans` says of those in force, when it is time to.
    pub(super) fn tend(&mut self, common: &Common, bans: impl FnOnce() -> Vec<u8>) {
        let Some(keeper) = &self.keeper else { return };
        if self.saved.elapsed() < save_after(self.octets) {
            return;
        }
        let sections = common.sections(bans());
        self.octets = sections.octets();
        self.saved = Instant::now();
        keeper.offer(sections);
    }

    /// Has what is known at the end saved, and what `bans` says of those in force.
    pub(super) fn finish(self, common: &Common, bans: Vec<u8>) {
        if let Some(keeper) = self.keeper {
            keeper.finish(common.sections(bans));
        }
    }
}

impl Common {
    /// What is worth finding again after a restart, what would be missed most first. Shards wait
    /// for each of its locks, so none is held while another section is made.
    fn sections(&self, bans: Vec<u8>) -> Sections {
        let deliveries = self.past().memory().to_octets();
        let rhythms = self.with_receivers(|receivers| receivers.to_octets());
        let shapes = self.past().shapes().to_octets();
        let first = Sections::default().with(DELIVERIES, deliveries).with(RHYTHMS, rhythms);
        first.with(BANS, bans).with(SHAPES, shapes)
    }

    fn recall(&self, sections: &Sections, config: &Config) {
        self.with_receivers(|receivers| {
            receivers.recall(sections.section(RHYTHMS));
            receivers.keep(&config.endpoints);
        });
        *self.past().memory() = Memory::from_octets(sections.section(DELIVERIES));
        *self.past().shapes() = Shapes::from_octets(sections.section(SHAPES));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_state_is_saved_once_a_minute() {
        let state = |octets| {
            Sections::default().with("s", vec![0; octets / 2]).with("t", vec![0; octets / 2])
        };
        for (octets, seconds) in [(0, 5), (LARGE - 2, 5), (LARGE, 60), (16 * LARGE, 60)] {
            assert_eq!(save_after(state(octets).octets()).as_secs(), seconds, "{octets}");
        }
    }
}
