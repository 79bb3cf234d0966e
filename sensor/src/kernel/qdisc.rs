//! The queueing discipline that filters hang on where there is no tcx: it goes with the last
//! filter, where an agent made it.
//!
//! It must not know what a filter does.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use aya::programs::SchedClassifier;
use aya::programs::tc::qdisc_add_clsact;
use nix::net::if_::if_nametoindex;
use nix::sys::socket::SockProtocol;

use super::netlink::{any, attribute, command};
use super::pins;

// From rtnetlink.h and pkt_sched.h.
const RTM_DELQDISC: u16 = 37;
const RTM_GETTFILTER: u16 = 46;
const TCA_KIND: u16 = 1;
const CLSACT: u32 = 0xffff_fff1;
pub(super) const INGRESS: u32 = 0xffff_fff2;
pub(super) const EGRESS: u32 = 0xffff_fff3;

/// Makes the discipline where there is none, and remembers that by another pin of `program`, for
/// nothing else of an agent outlives it.
///
/// # Errors
///
/// When it was made and that cannot be remembered.
pub(super) fn make(program: &mut SchedClassifier, interface: &str, pins: &Path) -> Result<()> {
    match qdisc_add_clsact(interface) {
        Ok(()) => program.pin(mark(pins, interface)).context("cannot pin a classifier"),
        // Most often there is one; where that is not so, no filter can be added, which says why.
        Err(error) => {
            tracing::debug!(interface, %error, "no queueing discipline was added");
            Ok(())
        }
    }
}

/// Removes the discipline from an interface, where an agent made it and nobody's filter is left.
///
/// # Errors
///
/// When it, or what remembers it, cannot be removed.
pub(super) fn remove(interface: &str, pins: &Path) -> Result<()> {
    let mark = mark(pins, interface);
    if !mark.exists() {
        return Ok(());
    }
    pins::remove(&mark)?;
    // With its interface it is gone.
    let Ok(index) = if_nametoindex(interface) else { return Ok(()) };
    let attempt = || {
        for parent in [INGRESS, EGRESS] {
            let filters = message(index, parent);
            if any(SockProtocol::NetlinkRoute, RTM_GETTFILTER, &filters)? {
                return Ok(());
            }
        }
        let mut request = message(index, CLSACT);
        request.extend(attribute(TCA_KIND, b"clsact\0"));
        command(SockProtocol::NetlinkRoute, RTM_DELQDISC, &request)
    };
    attempt().with_context(|| format!("cannot remove the clsact qdisc of {interface}"))
}

/// A `struct tcmsg`.
fn message(index: u32, parent: u32) -> Vec<u8> {
    [0, index, 0, parent, 0].into_iter().flat_map(u32::to_ne_bytes).collect()
}

/// The pin that says that an agent made the discipline.
pub(super) fn mark(pins: &Path, interface: &str) -> PathBuf {
    pins.join(format!("clsact-{}", pins::name_of(interface)))
}
