//! Attaches a program at the XDP hook, and says what stands against it.
//!
//! It must not know what was there before.

use std::path::Path;

use anyhow::{Context as _, Result, anyhow};
use aya::programs::links::FdLink;
use aya::programs::{ProgramError, Xdp, XdpMode};
use nix::errno::Errno;

use super::attach::Mode;

/// What stands against XDP on an end of a veth (`veth_xdp_set` in drivers/net/veth.c): no other
/// driver answers ENOSPC.
pub(super) const TOO_FEW_QUEUES: &str = "has fewer receive queues than the other end of its veth has transmit queues, and takes no XDP \
     program with that; `ethtool -L DEV rx NUMBER` changes it";

/// Attaches `program` and pins its link.
///
/// # Errors
///
/// When the kernel refuses, with what stands against it.
pub(super) fn attach(program: &mut Xdp, interface: &str, mode: Mode, pin: &Path) -> Result<()> {
    let id = program.attach(interface, flags(mode)).map_err(|error| {
        let reason = explain(&error, interface);
        anyhow!(error).context(reason)
    })?;
    let link = FdLink::try_from(program.take_link(id)?)
        .with_context(|| format!("the kernel gave no link for {interface}"))?;
    link.pin(pin)?;
    Ok(())
}

/// How XDP is asked for a mode.
const fn flags(mode: Mode) -> XdpMode {
    match mode {
        Mode::Native => XdpMode::Driver,
        Mode::Generic | Mode::Stack => XdpMode::Skb,
    }
}

/// What the kernel answered, where it was asked.
pub(super) fn errno(error: &ProgramError) -> Option<Errno> {
    let ProgramError::SyscallError(syscall) = error else { return None };
    syscall.io_error.raw_os_error().map(Errno::from_raw)
}

fn explain(error: &ProgramError, interface: &str) -> String {
    match errno(error) {
        Some(Errno::EBUSY | Errno::EEXIST) => format!(
            "another XDP program is attached to {interface}: see which with `ip link show dev \
             {interface}`, and detach it with `ip link set dev {interface} xdp off` if it is not \
             needed"
        ),
        Some(Errno::ENOSPC) => format!("{interface} {TOO_FEW_QUEUES}"),
        Some(Errno::EOPNOTSUPP) => {
            format!("the driver of {interface} has no XDP hook")
        }
        Some(Errno::EPERM) => {
            format!("no permission to attach to {interface}: run as root")
        }
        _ => format!("cannot attach the ingress program to {interface}: {error}"),
    }
}
