//! Puts classifiers on the way of packets through the network stack: by link where the kernel has
//! tcx (Linux 6.6, commit e420bed02507), by netlink filter before. A filter cannot be pinned, so
//! its program is, to remember that the filter is there and whose it is.
//!
//! It must not know why a classifier is wanted.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use aya::programs::links::FdLink;
use aya::programs::tc::{
    NlOptions, SchedClassifierLink, TcAttachOptions, TcHandle, qdisc_detach_program,
};
use aya::programs::{LinkOrder, ProgramInfo, SchedClassifier, TcAttachType};
use nix::errno::Errno;

use super::filter::Filter;
use super::journal::{Journal, Place, Step};
use super::xdp::errno;
use super::{pins, qdisc, seated, takeover};

/// A classifier's name, by which an old kernel's filter is found again, and its place.
#[derive(Debug, Clone, Copy)]
pub(super) struct Hook {
    pub(super) program: &'static str,
    direction: TcAttachType,
}

/// Where packets leave.
pub(super) const EGRESS: Hook =
    Hook { program: "hooksensor_egress", direction: TcAttachType::Egress };

/// Where packets arrive, behind XDP.
pub(super) const INGRESS: Hook =
    Hook { program: "hooksensor_stack", direction: TcAttachType::Ingress };

/// Before the names of pins that stand for a filter.
pub(super) const FILTER: &str = "filter-";

/// Where our filters stand among others of an interface: at a number of their own, so that they
/// can be replaced in place, and before those to which the kernel gives a number (49152 and on).
const PRIORITY: u16 = 18_247;

/// The only filter at that priority.
const HANDLE_NUMBER: u16 = 1;
const HANDLE: TcHandle = TcHandle::new(0, HANDLE_NUMBER);

impl Hook {
    /// Replaces the program that an earlier agent left on the interface, behind the link at `pin`
    /// or in a filter; whether there was one.
    pub(super) fn replace(
        self,
        program: &mut SchedClassifier,
        interface: &str,
        pin: &Path,
        journal: &mut Journal,
    ) -> Result<bool> {
        let filter = filter_pin(pin);
        if filter.exists() {
            // By its own name, of which the kernel keeps a part, a filter put back is not found.
            let earlier = ProgramInfo::from_pin(&filter)
                .and_then(|info| SchedClassifier::from_program_info(info, self.program.into()))
                .with_context(|| format!("cannot open {}", filter.display()))?;
            let refilled = self.refill(program, interface, pin)?;
            if refilled {
                journal.note(Step::Refiltered(self.place(interface, pin), Box::new(earlier)));
            }
            return Ok(refilled);
        }
        let on = |id| seated::runs_classifier(interface, self.direction, id);
        takeover::take_over(program.fd()?, interface, pin, on, journal)
    }

    /// Attaches the program and pins its link.
    pub(super) fn attach(
        self,
        program: &mut SchedClassifier,
        interface: &str,
        pin: &Path,
        journal: &mut Journal,
    ) -> Result<()> {
        let place = TcAttachOptions::TcxOrder(match self.direction {
            TcAttachType::Ingress => LinkOrder::first(),
            _ => LinkOrder::default(),
        });
        match program.attach_with_options(interface, self.direction, place) {
            Ok(id) => {
                FdLink::try_from(program.take_link(id)?)?.pin(pin)?;
            }
            Err(error) if errno(&error) == Some(Errno::EINVAL) => {
                self.filter(program, interface, pin)?;
            }
            Err(error) => {
                return Err(error)
                    .with_context(|| format!("cannot attach {} to {interface}", self.program));
            }
        }
        journal.note(Step::Placed(self.place(interface, pin)));
        Ok(())
    }

    fn place(self, interface: &str, pin: &Path) -> Place {
        Place { interface: interface.to_owned(), pin: pin.to_path_buf(), hook: Some(self) }
    }

    /// Removes the filter that stands beside `pin`, and its pin. One that runs another program than
    /// the pinned is another agent's by now, and stays.
    ///
    /// # Errors
    ///
    /// When it cannot be removed.
    pub(super) fn leave_filter(self, interface: &str, pin: &Path) -> Result<()> {
        let pin = filter_pin(pin);
        if !pin.exists() {
            return Ok(());
        }
        let program = ProgramInfo::from_pin(&pin)
            .with_context(|| format!("cannot open {}", pin.display()))?;
        let parent = match self.direction {
            TcAttachType::Ingress => qdisc::INGRESS,
            _ => qdisc::EGRESS,
        };
        let filter = Filter { parent, priority: PRIORITY, handle: HANDLE_NUMBER.into() };
        filter.remove(interface, program.id())?;
        pins::remove(&pin)
    }

    /// Removes a filter of this name, where there is one.
    fn detach_filter(self, interface: &str) {
        match qdisc_detach_program(interface, self.direction, self.program) {
            Ok(()) => {}
            Err(error) => tracing::debug!(interface, %error, "no filter to detach"),
        }
    }

    fn filter(self, program: &mut SchedClassifier, interface: &str, pin: &Path) -> Result<()> {
        let folder = pin.parent().context("a pin lies in a folder")?;
        qdisc::make(program, interface, folder)?;
        self.detach_filter(interface);
        let options = NlOptions { priority: PRIORITY, handle: HANDLE, ..NlOptions::default() };
        let attached = program.attach_with_options(
            interface,
            self.direction,
            TcAttachOptions::Netlink(options),
        );
        let id = attached.with_context(|| {
            format!("cannot attach {} to the clsact qdisc of {interface}", self.program)
        })?;
        keep_filter(program.take_link(id)?);
        self.remember(program, pin)
    }

    /// Changes the program of the filter in one step; whether there was one.
    pub(super) fn refill(
        self,
        program: &mut SchedClassifier,
        interface: &str,
        pin: &Path,
    ) -> Result<bool> {
        let place =
            SchedClassifierLink::attached(interface, self.direction, PRIORITY, HANDLE, None);
        let place = place.with_context(|| format!("cannot find {interface}"))?;
        pins::remove(&filter_pin(pin))?;
        match program.attach_to_link(place) {
            Ok(id) => {
                keep_filter(program.take_link(id)?);
                self.remember(program, pin).map(|()| true)
            }
            Err(error) => {
                tracing::info!(interface, %error, "a filter could not be taken over");
                Ok(false)
            }
        }
    }

    fn remember(self, program: &mut SchedClassifier, pin: &Path) -> Result<()> {
        program.pin(filter_pin(pin)).with_context(|| format!("cannot pin {}", self.program))
    }
}

/// The pin that stands for a filter, where a link would be pinned at `pin`.
pub(super) fn filter_pin(pin: &Path) -> PathBuf {
    let name = pin.file_name().unwrap_or_default().to_string_lossy();
    pin.with_file_name(format!("{FILTER}{name}"))
}

/// A filter attached over netlink stays until it is detached by name, also when the agent is
/// killed; dropping its handle would detach it at once.
#[expect(clippy::mem_forget, reason = "the kernel keeps the filter, not this handle")]
fn keep_filter(link: SchedClassifierLink) {
    std::mem::forget(link);
}
