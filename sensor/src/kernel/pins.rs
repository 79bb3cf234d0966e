//! Pinned links: opened, given up, removed.
//!
//! It must not know what a link holds in place.

use std::fs;
use std::io;
use std::path::Path;

use anyhow::{Context as _, Result};
use aya::programs::ProgramError;
use aya::programs::links::{FdLink, LinkError, PinnedLink};

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

/// A link whose interface is gone answers `ENOLINK`; its pin is of no more use.
pub(super) fn forget_defunct(error: &ProgramError, pin: &Path) -> Result<()> {
    tracing::info!(pin = %pin.display(), %error, "a pinned link could not be taken over");
    remove(pin)
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
