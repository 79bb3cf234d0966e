//! What the stages remember, as the sections that outlive a restart.
//!
//! It must not know the form of any section, nor the file.

use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;

use anyhow::Result;

use super::stages::Stages;
use crate::store::{Keeper, KeeperFigures, Sections, Store};
use crate::webhook::Memory;

/// The section of deliveries that were seen.
const DELIVERIES: &str = "deliveries";

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
        Sections::default().with(DELIVERIES, self.webhooks().memory().to_octets())
    }

    /// Goes on from what an earlier run left.
    pub fn recall(&mut self, state: &Sections) {
        self.webhooks_mut().recall(Memory::from_octets(state.section(DELIVERIES)));
    }
}
