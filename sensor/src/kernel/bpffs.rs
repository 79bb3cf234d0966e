//! The BPF file system: mounted where it is needed, and the directory that is this agent's alone.

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

/// The pin directory, held by this agent until it is dropped.
#[derive(Debug)]
pub(super) struct PinDirectory {
    path: PathBuf,
    _lock: Flock<File>,
}

impl PinDirectory {
    /// Creates and locks `path`, mounting the file system at its usual place if need be.
    ///
    /// # Errors
    ///
    /// When the path is not on a BPF file system, or another agent holds it.
    pub(super) fn open(path: &Path) -> Result<Self> {
        if path.starts_with(USUAL) {
            mount_usual()?;
        }
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .with_context(|| format!("cannot create the pin directory {}", path.display()))?;
        let kind = statfs(path).with_context(|| format!("cannot examine {}", path.display()))?;
        if kind.filesystem_type() != BPFFS {
            bail!(
                "{} is not on a BPF file system: mount one (mount -t bpf bpf {USUAL}), or set \
                 kernel.pin_path to a directory on one",
                path.display()
            );
        }
        let directory = File::open(path)
            .with_context(|| format!("cannot open the pin directory {}", path.display()))?;
        match Flock::lock(directory, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => Ok(Self { path: path.to_path_buf(), _lock: lock }),
            Err((_, error)) => bail!(
                "another hooksensor holds {} ({error}): stop it first, or give this one a \
                 kernel.pin_path of its own",
                path.display()
            ),
        }
    }

    /// The directory.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Removes `layout` below it with everything pinned there, and the directory itself when
    /// nothing else is in it: others may pin beside us.
    pub(super) fn remove(&self, layout: &str) -> Result<()> {
        let ours = self.path.join(layout);
        fs::remove_dir_all(&ours).with_context(|| format!("cannot remove {}", ours.display()))?;
        match fs::remove_dir(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::DirectoryNotEmpty => {
                tracing::debug!(%error, "the pin directory stays");
            }
            _ => {}
        }
        Ok(())
    }
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
