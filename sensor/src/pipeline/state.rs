//! What the stages remember, as the sections that outlive a restart.
//!
//! It must not know the form of any section, nor the file.

use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Result;

use super::stages::Stages;
use crate::config::Config;
use crate::store::{Keeper, KeeperFigures, Sections, Store};
use crate::webhook::Memory;

/// The section of deliveries that were seen.
const DELIVERIES: &str = "deliveries";

/// The section of the rhythms in which deliveries come.
const RHYTHMS: &str = "rhythms";

/// Time between two saves of a small state: what a kill loses of it.
const SAVE: Duration = Duration::from_secs(5);

/// The same of a large one, which is written whole each time: megabytes every few seconds would wear
/// out a disk, and hold up those who share it.
const SAVE_LARGE: Duration = Duration::from_secs(60);

/// Octets from which a state is large: at most some 50 kB a second are written of a small one.
const LARGE: usize = 256 << 10;

/// Time until a state is saved again that had so many octets.
pub(super) fn save_after(octets: usize) -> Duration {
    if octets < LARGE { SAVE } else { SAVE_LARGE }
}

/// What an earlier run left, and who keeps what this one will leave.
pub(super) struct State {
    pub(super) last: Sections,
    pub(super) keeper: Option<Keeper>,
    pub(super) figures: Arc<KeeperFigures>,
}

impl State {
    /// Opens the state in `directory` and starts the thread that saves it. Without a directory, or
    /// when there can be none, nothing outlives this run.
    pub(super) fn open(directory: &Path) -> Result<(Self, Option<JoinHandle<()>>)> {
        let mut state = Self { last: Sections::default(), keeper: None, figures: Arc::default() };
        if directory.as_os_str().is_empty() {
            return Ok((state, None));
        }
        let store = match Store::open(directory) {
            Ok(store) => store,
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
        let (keeper, thread) =
            Keeper::start(store, state.last.clone(), Arc::clone(&state.figures))?;
        state.keeper = Some(keeper);
        Ok((state, Some(thread)))
    }
}

impl Stages {
    /// What is worth finding again after a restart.
    #[must_use]
    pub fn state(&self) -> Sections {
        Sections::default()
            .with(DELIVERIES, self.webhooks().memory().to_octets())
            .with(RHYTHMS, self.receivers().to_octets())
    }

    /// Goes on from what an earlier run left, as far as `config` still speaks of it.
    pub fn recall(&mut self, state: &Sections, config: &Config) {
        self.receivers_mut().recall(state.section(RHYTHMS));
        self.receivers_mut().keep(&config.endpoints);
        self.webhooks_mut().recall(Memory::from_octets(state.section(DELIVERIES)));
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
