//! The netlink filter that holds a classifier where there is no tcx: whose program it runs, and its
//! removal.
//!
//! It must not know what is pinned where.

use std::io;

use anyhow::{Context as _, Result};
use nix::net::if_::if_nametoindex;
use nix::sys::socket::SockProtocol;

use super::netlink::{ask, command, find, number};

// From rtnetlink.h, pkt_cls.h and if_ether.h.
const RTM_DELTFILTER: u16 = 45;
const RTM_GETTFILTER: u16 = 46;
const TCA_OPTIONS: u16 = 2;
const TCA_BPF_ID: u16 = 11;
const ETH_P_ALL: u16 = 3;

/// Octets of `struct tcmsg`, which stands before the attributes.
const TRAFFIC_HEADER: usize = 20;

/// One filter among those of an interface.
#[derive(Debug, Clone, Copy)]
pub(super) struct Filter {
    /// The side of the clsact qdisc.
    pub(super) parent: u32,
    pub(super) priority: u16,
    pub(super) handle: u32,
}

impl Filter {
    /// Removes the filter from an interface if it runs this program; whether it did.
    ///
    /// # Errors
    ///
    /// When it does and cannot be removed.
    pub(super) fn remove(self, interface: &str, program: u32) -> Result<bool> {
        // With its interface it is gone.
        let Ok(index) = if_nametoindex(interface) else { return Ok(false) };
        match self.program(index) {
            Ok(Some(found)) if found == program => {}
            Ok(_) => return Ok(false),
            Err(error) => {
                tracing::debug!(interface, %error, "no filter to detach");
                return Ok(false);
            }
        }
        command(SockProtocol::NetlinkRoute, RTM_DELTFILTER, &self.message(index))
            .with_context(|| format!("cannot remove a filter from {interface}"))?;
        Ok(true)
    }

    fn program(self, index: u32) -> io::Result<Option<u32>> {
        let answer = ask(SockProtocol::NetlinkRoute, RTM_GETTFILTER, &self.message(index))?;
        let attributes = answer.get(TRAFFIC_HEADER..).unwrap_or_default();
        let options = find(attributes, TCA_OPTIONS);
        Ok(options.and_then(|options| find(options, TCA_BPF_ID)).and_then(number))
    }

    /// A `struct tcmsg`.
    fn message(self, index: u32) -> Vec<u8> {
        let place = u32::from(self.priority) << 16 | u32::from(ETH_P_ALL.to_be());
        [0, index, self.handle, self.parent, place].into_iter().flat_map(u32::to_ne_bytes).collect()
    }
}
