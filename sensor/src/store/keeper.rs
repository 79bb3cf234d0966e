//! The thread that saves the state, so that a slow disk holds up nothing else.
//!
//! It must not know what it saves.

use std::io;
use std::mem;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use anyhow::{Context as _, Result};

use super::{Sections, Store};

/// States that may wait: the next one holds all that this one does.
const WAITING: usize = 1;

/// The end that takes states. The thread ends when it is gone.
#[derive(Debug)]
pub struct Keeper {
    queue: SyncSender<Sections>,
}

/// What became of states.
#[derive(Debug, Default)]
pub struct KeeperFigures {
    saved: AtomicU64,
    failed: AtomicU64,
}

impl KeeperFigures {
    /// Times the state was saved.
    #[must_use]
    pub fn saved(&self) -> u64 {
        self.saved.load(Ordering::Relaxed)
    }

    /// Times it could not be.
    #[must_use]
    pub fn failed(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }
}

impl Keeper {
    /// Starts the thread that saves into `store`, which holds `last` now.
    ///
    /// # Errors
    ///
    /// When the thread cannot be started.
    pub fn start(
        store: Store,
        last: Sections,
        figures: Arc<KeeperFigures>,
    ) -> Result<(Self, JoinHandle<()>)> {
        let (queue, waiting) = sync_channel(WAITING);
        let thread = thread::Builder::new()
            .name(String::from("keeper"))
            .spawn(move || keep(&store, last, &waiting, &figures))
            .context("cannot start the thread that saves the state")?;
        Ok((Self { queue }, thread))
    }

    /// Has `state` saved, unless the disk is still busy with an earlier one; then the next will do.
    pub fn offer(&self, state: Sections) {
        drop(self.queue.try_send(state));
    }

    /// Has the last `state` saved, however long the disk takes.
    pub fn finish(self, state: Sections) {
        if self.queue.send(state).is_err() {
            tracing::error!("the thread that saves the state has ended; the last state is lost");
        }
    }
}

fn keep(store: &Store, mut last: Sections, waiting: &Receiver<Sections>, figures: &KeeperFigures) {
    let mut trouble = Trouble::default();
    for state in waiting {
        if state == last {
            trouble.is_failing = false;
            continue;
        }
        match store.save(&state) {
            Ok(left_out) => {
                figures.saved.fetch_add(1, Ordering::Relaxed);
                trouble.saved(store.directory(), &left_out);
                last = state;
            }
            Err(error) => {
                figures.failed.fetch_add(1, Ordering::Relaxed);
                trouble.failed(store.directory(), &error);
            }
        }
    }
    if trouble.is_failing {
        tracing::error!(
            path = %store.directory().display(),
            "the last state could not be saved; a restart goes on from the one before"
        );
    }
}

/// What keeps states from being saved whole. It is said once until that is over, because a state is
/// saved every few seconds.
#[derive(Default)]
struct Trouble {
    is_failing: bool,
    is_cut: bool,
}

impl Trouble {
    fn failed(&mut self, directory: &Path, error: &io::Error) {
        if !self.is_failing {
            tracing::error!(
                path = %directory.display(), %error,
                "cannot save the state; a restart will forget what is new in it: make room there and \
                 let this user write to it, or name another directory with state_dir"
            );
        }
        self.is_failing = true;
    }

    fn saved(&mut self, directory: &Path, left_out: &[&str]) {
        if mem::take(&mut self.is_failing) {
            tracing::info!(path = %directory.display(), "the state is saved again");
        }
        let is_cut = !left_out.is_empty();
        if is_cut && !self.is_cut {
            tracing::warn!(
                left_out = left_out.join(" "),
                "the state is larger than its file can be; a restart will forget these parts of it"
            );
        }
        self.is_cut = is_cut;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_state_is_there_in_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let figures = Arc::new(KeeperFigures::default());
        let (keeper, thread) =
            Keeper::start(store.clone(), store.load(), Arc::clone(&figures)).unwrap();
        let state = |octet| Sections::default().with("s", vec![octet]);
        keeper.offer(Sections::default());
        for octet in 0..100 {
            keeper.offer(state(octet));
        }
        keeper.finish(state(100));
        thread.join().unwrap();
        assert_eq!(store.load(), state(100));
        assert!((1..=101).contains(&figures.saved()), "{figures:?}");
        assert_eq!(figures.failed(), 0);
    }
}
