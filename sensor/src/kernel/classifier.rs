//! Puts classifiers on the way of packets through the network stack: by link where the kernel has
//! tcx (Linux 6.6, commit e420bed02507), by netlink filter before.
//!
//! It must not know why a classifier is wanted.

use std::path::Path;

use anyhow::{Context as _, Result};
use aya::programs::links::FdLink;
use aya::programs::tc::{
    NlOptions, SchedClassifierLink, TcAttachOptions, qdisc_add_clsact, qdisc_detach_program,
};
use aya::programs::{LinkOrder, SchedClassifier, TcAttachType};
use nix::errno::Errno;

use super::attach::errno;
use super::pins;

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

/// Replaces the program that an earlier agent left behind the link at `pin`; whether there was one.
pub(super) fn replace(program: &mut SchedClassifier, pin: &Path) -> Result<bool> {
    let Some(link) = pins::open(pin)? else { return Ok(false) };
    match program.attach_to_link(SchedClassifierLink::try_from(link)?) {
        Ok(_) => Ok(true),
        Err(error) => pins::forget_defunct(&error, pin).map(|()| false),
    }
}

impl Hook {
    /// Attaches the program and pins its link.
    pub(super) fn attach(
        self,
        program: &mut SchedClassifier,
        interface: &str,
        pin: &Path,
    ) -> Result<()> {
        let place = TcAttachOptions::TcxOrder(match self.direction {
            TcAttachType::Ingress => LinkOrder::first(),
            _ => LinkOrder::default(),
        });
        match program.attach_with_options(interface, self.direction, place) {
            Ok(id) => {
                FdLink::try_from(program.take_link(id)?)?.pin(pin)?;
                Ok(())
            }
            Err(error) if errno(&error) == Some(Errno::EINVAL) => self.filter(program, interface),
            Err(error) => {
                Err(error).with_context(|| format!("cannot attach {} to {interface}", self.program))
            }
        }
    }

    /// Removes the filter of an old kernel, where there is one.
    pub(super) fn detach_filter(self, interface: &str) {
        match qdisc_detach_program(interface, self.direction, self.program) {
            Ok(()) => {}
            Err(error) => tracing::debug!(interface, %error, "no filter to detach"),
        }
    }

    fn filter(self, program: &mut SchedClassifier, interface: &str) -> Result<()> {
        let added = qdisc_add_clsact(interface);
        self.detach_filter(interface);
        let options = TcAttachOptions::Netlink(NlOptions::default());
        let attached = program.attach_with_options(interface, self.direction, options);
        let id = attached.with_context(|| {
            format!(
                "cannot attach {} to {interface} (adding its clsact qdisc: {added:?})",
                self.program
            )
        })?;
        keep_filter(program.take_link(id)?);
        Ok(())
    }
}

/// A filter attached over netlink stays until it is detached by name, also when the agent is
/// killed; dropping its handle would detach it at once.
#[expect(clippy::mem_forget, reason = "the kernel keeps the filter, not this handle")]
fn keep_filter(link: SchedClassifierLink) {
    std::mem::forget(link);
}
