//! What was changed on the interfaces and can still be taken back: while it is kept, the earlier
//! programs stay loaded, and places that are no longer wanted stay taken.
//!
//! It must not know why something is changed.

use std::mem;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use aya::programs::SchedClassifier;

use super::classifier::{Hook, filter_pin};
use super::link::Link;
use super::{pins, qdisc, renamed};

/// Changes in the order they were made. What is not kept when this is dropped is taken back.
#[derive(Debug, Default)]
pub(super) struct Journal(Vec<Step>);

/// A change.
#[derive(Debug)]
pub(super) enum Step {
    /// Another program stands behind a link; this one did.
    Replaced(Link, OwnedFd),
    /// Another program stands in a filter; this one did.
    Refiltered(Place, Box<SchedClassifier>),
    /// A program was put where none of ours was.
    Placed(Place),
    /// A link lost the pin it had, and holds its program while it is kept here.
    Unpinned(Link, PathBuf),
    /// An XDP program gave way to one that cannot stand beside it.
    GaveWay(Xdp),
    /// A pin got the name that its interface has now.
    Renamed { from: PathBuf, to: PathBuf },
    /// A place is to be left once nothing is taken back any more.
    Leaves(Place),
}

/// Where a program stands on an interface.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) interface: String,
    /// Where its link is pinned; what stands for a filter is pinned beside.
    pub(super) pin: PathBuf,
    /// The classifier that stands there; none at the XDP hook.
    pub(super) hook: Option<Hook>,
}

/// An XDP program that can be attached again.
#[derive(Debug)]
pub(super) struct Xdp {
    pub(super) program: OwnedFd,
    pub(super) index: u32,
    /// Whether it ran in the driver.
    pub(super) native: bool,
    pub(super) pin: PathBuf,
}

impl Journal {
    /// Takes note of a change.
    pub(super) fn note(&mut self, step: Step) {
        self.0.push(step);
    }

    /// Adds the changes of another, which came later.
    pub(super) fn append(&mut self, mut later: Self) {
        self.0.append(&mut later.0);
    }

    /// From now on the changes stay.
    pub(super) fn keep(&mut self) {
        for step in mem::take(&mut self.0) {
            if let Step::Leaves(place) = step
                && let Err(error) = place.leave()
            {
                let interface = place.interface;
                tracing::error!(interface, "an earlier program stays attached: {error:#}");
            }
        }
    }

    /// Takes back all changes, the last one first.
    pub(super) fn take_back(&mut self) {
        while let Some(step) = self.0.pop() {
            if let Err(error) = step.take_back() {
                tracing::error!("the programs are not all as they were before: {error:#}");
            }
        }
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        self.take_back();
    }
}

impl Step {
    fn take_back(self) -> Result<()> {
        match self {
            Self::Replaced(link, program) => {
                link.put(program.as_fd()).context("cannot put a program back behind its link")
            }
            Self::Refiltered(place, mut program) => match place.hook {
                Some(hook) => hook.refill(&mut program, &place.interface, &place.pin).map(|_| ()),
                None => Ok(()),
            },
            Self::Placed(place) => place.leave(),
            Self::Unpinned(link, pin) => {
                link.pin(&pin).with_context(|| format!("cannot pin {} again", pin.display()))
            }
            Self::GaveWay(xdp) => xdp.attach(),
            Self::Renamed { from, to } => renamed::rename(&to, &from),
            Self::Leaves(_) => Ok(()),
        }
    }
}

impl Place {
    /// Detaches what runs there.
    pub(super) fn leave(&self) -> Result<()> {
        if let Some(hook) = self.hook
            && filter_pin(&self.pin).exists()
        {
            hook.leave_filter(&self.interface, &self.pin)?;
            let pins = self.pin.parent().context("a pin lies in a folder")?;
            qdisc::remove(&self.interface, pins)?;
        }
        if let Some(link) = pins::open(&self.pin)? {
            link.detach().with_context(|| format!("cannot detach {}", self.pin.display()))?;
        }
        pins::remove(&self.pin)
    }
}

impl Xdp {
    fn attach(&self) -> Result<()> {
        let link = Link::attach_xdp(self.program.as_fd(), self.index, self.native)
            .context("cannot attach an earlier program again")?;
        link.pin(&self.pin).with_context(|| format!("cannot pin {} again", self.pin.display()))
    }
}
