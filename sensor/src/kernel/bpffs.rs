//! The BPF file system: mounted where it is needed, and the directory that is this agent's alone.
//!
//! It must not know what is pinned there.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use nix::fcntl::{Flock, FlockArg};
use nix::mount::{MsFlags, mount};
use nix::sys::statfs::{FsType, statfs};

/// `BPF_FS_MAGIC` (magic.h).
const BPFFS: FsType = FsType(0xcafe_4a11);

/// Where distributions mount it; only this one is mounted when it is missing.
const USUAL: &str = "/sys/fs/bpf";

/// What there is for pins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileSystem {
    /// A BPF file system.
    Mounted,
    /// None yet, at the place where the agent mounts one.
    ToBeMounted,
    /// Another file system, or nothing at all.
    Other,
}

/// What there is at `path`, or above it while it does not exist.
#[must_use]
pub fn file_system(path: &Path) -> FileSystem {
    let kind = path.ancestors().find_map(|path| statfs(path).ok());
    if kind.is_some_and(|kind| kind.filesystem_type() == BPFFS) {
        FileSystem::Mounted
    } else if path.starts_with(USUAL) {
        FileSystem::ToBeMounted
    } else {
        FileSystem::Other
    }
}

/// The pin directory, held by this agent until it is dropped.
#[derive(Debug)]
pub(super) struct PinDirectory {
    path: PathBuf,
    /// Where this layout's maps and links are pinned, below it.
    layout: PathBuf,
    /// Whether nothing must be left behind when it is dropped.
    clean_up: bool,
    _lock: Flock<File>,
}

impl PinDirectory {
    /// Creates and locks `path`, mounting the file system at its usual place if need be. Until
    /// [`keep`](Self::keep), a layout that held nothing before is removed again when this is
    /// dropped.
    ///
    /// # Errors
    ///
    /// When the path is not on a BPF file system, or another agent holds it.
    pub(super) fn open(path: &Path, layout: &str) -> Result<Self> {
        if path.starts_with(USUAL) {
            mount_usual()?;
        }
        // Before anything is made, which would be left behind.
        if file_system(path) != FileSystem::Mounted {
            bail!(
                "{} is not on a BPF file system: mount one (mount -t bpf bpf {USUAL}), or set \
                 kernel.pin_path to a directory on one",
                path.display()
            );
        }
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .with_context(|| format!("cannot create the pin directory {}", path.display()))?;
        let lock = lock(path)?;
        let layout = path.join(layout);
        let clean_up = !layout.exists();
        fs::create_dir_all(&layout)
            .with_context(|| format!("cannot create {}", layout.display()))?;
        Ok(Self { path: path.to_path_buf(), layout, clean_up, _lock: lock })
    }

    /// Where this layout's maps and links are pinned.
    pub(super) fn layout(&self) -> &Path {
        &self.layout
    }

    /// Checks that no version with another layout left anything: its programs would go on beside
    /// ours, with bans that nobody can lift.
    ///
    /// # Errors
    ///
    /// When one did, with what to do.
    pub(super) fn refuse_others(&self) -> Result<()> {
        for other in layouts(&self.path)? {
            if other != self.layout {
                bail!(
                    "{} is of another version, which may still be attached: remove it with \
                     `hooksensor detach`, or start that version again",
                    other.display()
                );
            }
        }
        Ok(())
    }

    /// From now on what is pinned stays until [`remove`](Self::remove).
    pub(super) fn keep(&mut self) {
        self.clean_up = false;
    }

    /// Removes everything this layout has pinned, and the directory itself when nothing else is in
    /// it: others may pin beside us.
    pub(super) fn remove(&mut self) -> Result<()> {
        self.clean_up = false;
        fs::remove_dir_all(&self.layout)
            .with_context(|| format!("cannot remove {}", self.layout.display()))?;
        match fs::remove_dir(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::DirectoryNotEmpty => {
                tracing::debug!(%error, "the pin directory stays");
            }
            _ => {}
        }
        Ok(())
    }
}

impl Drop for PinDirectory {
    fn drop(&mut self) {
        if self.clean_up
            && let Err(error) = self.remove()
        {
            tracing::warn!(%error, "not everything could be taken away again");
        }
    }
}

/// The layouts pinned below `path`, of any version.
pub(super) fn layouts(path: &Path) -> Result<Vec<PathBuf>> {
    let mut layouts = Vec::new();
    for entry in fs::read_dir(path).with_context(|| format!("cannot list {}", path.display()))? {
        let entry = entry?;
        let name = entry.file_name();
        let version = name.to_str().and_then(|name| name.strip_prefix('v'));
        if version.is_some_and(|version| version.parse::<u32>().is_ok()) {
            layouts.push(entry.path());
        }
    }
    Ok(layouts)
}

/// The directories beside which the default pin path lies; none while no file system is mounted.
pub(super) fn beside_usual() -> Result<Vec<PathBuf>> {
    let listing = match fs::read_dir(USUAL) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        listing => listing.context("cannot list /sys/fs/bpf")?,
    };
    let entries = listing.collect::<io::Result<Vec<_>>>().context("cannot list /sys/fs/bpf")?;
    let paths = entries.into_iter().map(|entry| entry.path());
    Ok(paths.filter(|path| path.is_dir()).collect())
}

/// Takes hold of the directory at `path` until the lock is dropped.
///
/// # Errors
///
/// When an agent holds it.
pub(super) fn lock(path: &Path) -> Result<Flock<File>> {
    let directory = File::open(path)
        .with_context(|| format!("cannot open the pin directory {}", path.display()))?;
    Flock::lock(directory, FlockArg::LockExclusiveNonblock).map_err(|(_, error)| {
        anyhow::anyhow!(
            "another hooksensor holds {} ({error}): stop it first, or give this one a \
             kernel.pin_path of its own",
            path.display()
        )
    })
}

fn mount_usual() -> Result<()> {
    let usual = Path::new(USUAL);
    if statfs(usual).is_ok_and(|kind| kind.filesystem_type() == BPFFS) {
        return Ok(());
    }
    mount(Some("bpf"), usual, Some("bpf"), MsFlags::empty(), Some("mode=0700")).with_context(|| {
        format!("no BPF file system is mounted at {USUAL} and it could not be mounted; run: mount -t bpf bpf {USUAL}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_file_system_is_refused_and_left_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let refusal = PinDirectory::open(&folder.path().join("a/b"), "v1").unwrap_err();
        assert!(refusal.to_string().contains("is not on a BPF file system"), "{refusal}");
        assert!(!folder.path().join("a").exists());
    }
}
