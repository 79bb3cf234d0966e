//! Pins of links: named, opened, removed.
//!
//! It must not know what a link holds in place.

use std::fs;
use std::io;
use std::path::Path;

use anyhow::{Context as _, Result};

use super::link::Link;

/// The link pinned at `pin`, if there is one.
pub(super) fn open(pin: &Path) -> Result<Option<Link>> {
    Link::open(pin).with_context(|| format!("cannot open {}", pin.display()))
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
