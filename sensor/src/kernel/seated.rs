//! Which programs an interface runs, as the interface itself says, whoever put them there.
//!
//! It must not change anything.

use std::io;

use anyhow::{Context as _, Result};
use aya::programs::{SchedClassifier, TcAttachType};
use nix::sys::socket::SockProtocol;

use super::netlink::{ask, find, number};

// From if_link.h and rtnetlink.h.
const RTM_GETLINK: u16 = 18;
const IFLA_XDP: u16 = 43;
const IFLA_XDP_PROG_ID: u16 = 4;
const IFLA_XDP_DRV_PROG_ID: u16 = 5;
const IFLA_XDP_SKB_PROG_ID: u16 = 6;

/// Octets of `struct ifinfomsg`, which stands before the attributes.
pub(super) const INTERFACE_HEADER: usize = 16;

/// What the kernel says of an interface: a `struct ifinfomsg` and attributes (rtnetlink(7)).
///
/// # Errors
///
/// When there is none of this index.
pub(super) fn describe(index: u32) -> io::Result<Vec<u8>> {
    let mut request = [0; INTERFACE_HEADER];
    request[4..8].copy_from_slice(&index.to_ne_bytes());
    ask(SockProtocol::NetlinkRoute, RTM_GETLINK, &request)
}

/// The identifier of the XDP program among the attributes of an interface, where it has one.
pub(super) fn xdp_program(attributes: &[u8]) -> Option<u32> {
    xdp_programs(attributes).next()
}

/// Whether an interface runs this program at the XDP hook.
///
/// # Errors
///
/// When the kernel does not say.
pub(super) fn runs_xdp(index: u32, program: u32) -> Result<bool> {
    let answer = describe(index).context("the kernel does not say what an interface runs")?;
    let attributes = answer.get(INTERFACE_HEADER..).unwrap_or_default();
    Ok(xdp_programs(attributes).any(|one| one == program))
}

/// Whether an interface runs this program as a classifier by link.
///
/// # Errors
///
/// When the kernel does not say.
pub(super) fn runs_classifier(
    interface: &str,
    direction: TcAttachType,
    program: u32,
) -> Result<bool> {
    let (_, programs) = SchedClassifier::query_tcx(interface, direction)
        .with_context(|| format!("the kernel does not say what {interface} runs"))?;
    Ok(programs.iter().any(|one| one.id() == program))
}

/// One for each mode that has a program; the first stands alone where there is only one.
fn xdp_programs(attributes: &[u8]) -> impl Iterator<Item = u32> {
    let xdp = find(attributes, IFLA_XDP).unwrap_or_default();
    let kinds = [IFLA_XDP_PROG_ID, IFLA_XDP_DRV_PROG_ID, IFLA_XDP_SKB_PROG_ID];
    kinds.into_iter().filter_map(move |kind| find(xdp, kind).and_then(number)).filter(|id| *id != 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::netlink::attribute;

    #[test]
    fn a_program_is_found_in_any_mode() {
        let of = |inner: &[Vec<u8>]| attribute(IFLA_XDP, &inner.concat());
        let id = |kind, id: u32| attribute(kind, &id.to_ne_bytes());
        for (attributes, expected) in [
            (of(&[id(IFLA_XDP_PROG_ID, 7), id(IFLA_XDP_DRV_PROG_ID, 7)]), Some(7)),
            (of(&[attribute(2, &[1]), id(IFLA_XDP_SKB_PROG_ID, 9)]), Some(9)),
            (of(&[id(IFLA_XDP_PROG_ID, 0)]), None),
            (attribute(4, &[1, 2, 3, 4]), None),
        ] {
            assert_eq!(xdp_program(&attributes), expected);
        }
    }
}
