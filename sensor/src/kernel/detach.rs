//! Takes away everything that any version of the agent left in the kernel.
//!
//! It must not need programs of its own.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use super::{attach, bpffs, privileges};

/// Detaches every program whose link is pinned below `pin_path`, and those that a filter holds
/// while they are pinned there, and removes all maps there, of whatever layout; the interfaces they
/// were on.
///
/// # Errors
///
/// When this process may not, an agent runs, or something cannot be removed.
pub fn detach_all(pin_path: &Path) -> Result<Vec<String>> {
    privileges::check()?;
    let mut detached = Vec::new();
    let is_there = pin_path.try_exists();
    if !is_there.with_context(|| format!("cannot look into {}", pin_path.display()))? {
        return Ok(detached);
    }
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
    Ok(detached)
}

/// The directories where the BPF file system usually is, below which programs are pinned as an
/// agent does it.
///
/// # Errors
///
/// When the BPF file system cannot be looked through.
pub fn pin_paths() -> Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for path in bpffs::beside_usual()? {
        // Another's may go while this looks.
        let mut layouts = bpffs::layouts(&path).unwrap_or_default().into_iter();
        if layouts.any(|one| attach::pinned_interfaces(&one).is_ok_and(|all| !all.is_empty())) {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}
