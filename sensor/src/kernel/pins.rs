//! Pinned links: opened, given up, removed.
//!
//! It must not know what a link holds in place.

use std::fs;
use std::io;
use std::path::Path;

use anyhow::{Context as _, Result};
use aya::programs::ProgramError;
use aya::programs::links::{FdLink, LinkError, PinnedLink};
use nix::errno::Errno;

use super::attach::errno;

/// The link pinned at `pin`, if there is one.
pub(super) fn open(pin: &Path) -> Result<Option<FdLink>> {
    match PinnedLink::from_pin(pin) {
        Ok(link) => Ok(Some(link.into())),
        Err(LinkError::SyscallError(error)) if error.io_error.kind() == io::ErrorKind::NotFound => {
            Ok(None)
        }
        Err(error) => Err(error).with_context(|| format!("cannot open {}", pin.display())),
    }
}

/// Removes the pin of a link whose interface is gone, which is of no more use: such a link answers
/// `ENOLINK` (`bpf_xdp_link_update` in net/core/dev.c, `tcx_link_update` in kernel/bpf/tcx.c), or
/// `ENODEV`. Any other link still holds a program in place, and keeps its pin.
///
/// # Errors
///
/// When the link is not defunct, or its pin cannot be removed.
pub(super) fn forget_defunct(error: ProgramError, pin: &Path) -> Result<()> {
    if is_defunct(&error) {
        tracing::info!(pin = %pin.display(), %error, "the interface of a pinned link is gone");
        return remove(pin);
    }
    Err(error).with_context(|| {
        format!(
            "cannot take over the link that an earlier agent pinned at {}; `hooksensor detach` \
             removes it, and the agent then attaches anew",
            pin.display()
        )
    })
}

fn is_defunct(error: &ProgramError) -> bool {
    matches!(errno(error), Some(Errno::ENOLINK | Errno::ENODEV))
}

/// The name for a pin that belongs to `interface`. The BPF file system keeps dots for itself
/// (`bpf_lookup` in kernel/bpf/inode.c), and VLAN devices are named with one; no interface's name
/// holds a colon (`dev_valid_name` in net/core/dev.c).
pub(super) fn name_of(interface: &str) -> String {
    interface.replace('.', ":")
}

/// The interface that the pin of this name belongs to.
pub(super) fn interface_of(name: &str) -> String {
    name.replace(':', ".")
}

/// Removes a pin, where it is one.
pub(super) fn remove(pin: &Path) -> Result<()> {
    match fs::remove_file(pin) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", pin.display()))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use aya::sys::SyscallError;

    use super::*;

    #[test]
    fn only_the_pin_of_a_defunct_link_is_given_up() {
        let folder = tempfile::tempdir().unwrap();
        for (errno, given_up) in [
            (Errno::ENOLINK, true),
            (Errno::ENODEV, true),
            (Errno::EPERM, false),
            (Errno::EINVAL, false),
            (Errno::ENOMEM, false),
        ] {
            let pin = folder.path().join("pin");
            fs::write(&pin, "").unwrap();
            let error = SyscallError { call: "bpf_link_update", io_error: errno.into() };
            let outcome = forget_defunct(error.into(), &pin);
            assert_eq!((outcome.is_ok(), pin.exists()), (given_up, !given_up), "{errno}");
        }
    }
}
