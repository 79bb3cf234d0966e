//! Takes away everything that any version of the agent left in the kernel.
//!
//! It must not need programs of its own.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use nix::net::if_::if_nameindex;

use super::classifier::{EGRESS, INGRESS};
use super::{attach, bpffs};

/// Detaches every program whose link is pinned below `pin_path`, and removes all maps there, of
/// whatever layout; the interfaces they were on.
///
/// # Errors
///
/// When an agent runs, or something cannot be removed.
pub fn detach_all(pin_path: &Path) -> Result<Vec<String>> {
    let mut detached = Vec::new();
    if pin_path.exists() {
        let _held = bpffs::lock(pin_path)?;
        for layout in bpffs::layouts(pin_path)? {
            for interface in attach::pinned_interfaces(&layout)? {
                attach::detach(&interface, &layout)?;
                detached.push(interface);
            }
            fs::remove_dir_all(&layout)
                .with_context(|| format!("cannot remove {}", layout.display()))?;
        }
        if let Err(error) = fs::remove_dir(pin_path) {
            tracing::debug!(%error, "the pin directory stays");
        }
    }
    // The filters of old kernels have no pins.
    for interface in &if_nameindex().context("cannot list the network interfaces")? {
        for hook in [INGRESS, EGRESS] {
            hook.detach_filter(&interface.name().to_string_lossy());
        }
    }
    Ok(detached)
}
