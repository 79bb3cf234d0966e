//! The state file in its directory: read at the start, replaced in one step, set aside when it is
//! not understood.
//!
//! It must not know when it is written.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Sections;
use super::format::{Refused, decode, encode};
use crate::sole;

/// The owner's alone: it tells which deliveries came, if only to one who knows their identifiers.
const FILE_MODE: u32 = 0o600;
const DIRECTORY_MODE: u32 = 0o700;

/// Octets of the largest state. The deliveries take 4.3 MB at most, the shapes of payloads 4.2 MB,
/// the rhythms of 256 receivers, at some 9 kB each, 2.3 MB, and the grounds of bans 1 MiB: all of
/// it has room.
const MAX_BYTES: usize = 16 << 20;

const NAME: &str = "state";
/// Where the file is written before it takes the place of the last one.
const NEW: &str = "state.new";
/// Where a file goes that was refused, for a person to look at.
const ASIDE: &str = "state.refused";

/// The state file of one directory, which is this store's and its clones' alone.
#[derive(Debug, Clone)]
pub struct Store {
    directory: PathBuf,
    _sole: Arc<File>,
}

impl Store {
    /// The state file in `directory`, which is made when it is not there.
    ///
    /// # Errors
    ///
    /// When the directory cannot be made, and, as [`io::ErrorKind::ResourceBusy`], when it is
    /// another store's.
    pub fn open(directory: &Path) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(DIRECTORY_MODE).create(directory)?;
        // The directory itself: a lock file could not be made on a full disk.
        let file = File::open(directory)?;
        sole::take(&file)?;
        Ok(Self { directory: directory.to_owned(), _sole: Arc::new(file) })
    }

    /// What an earlier run left; nothing when there was none. A file that is not understood is set
    /// aside with a word in the log, because no state is worth a sensor that does not start.
    #[must_use]
    pub fn load(&self) -> Sections {
        let path = self.directory.join(NAME);
        let octets = match read(&path) {
            Ok(octets) => octets,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Sections::default(),
            Err(error) => {
                tracing::error!(path = %path.display(), %error, "the state cannot be read");
                return Sections::default();
            }
        };
        let read = if octets.len() > MAX_BYTES { Err(Refused::TooLarge) } else { decode(&octets) };
        read.unwrap_or_else(|why| {
            self.set_aside(&path, why);
            Sections::default()
        })
    }

    fn set_aside(&self, path: &Path, why: Refused) {
        let aside = self.directory.join(ASIDE);
        tracing::warn!(
            path = %path.display(), kept_as = %aside.display(), %why,
            "the state of the last run is not used; what it remembered is forgotten"
        );
        if let Err(error) = fs::rename(path, &aside) {
            tracing::error!(path = %path.display(), %error, "the state cannot be set aside");
        }
    }

    /// Replaces the file, and names the sections for which it has no room. After a crash at any
    /// moment the old one or the new one is there, whole.
    ///
    /// # Errors
    ///
    /// When it cannot be written; the old one stays then.
    pub fn save<'a>(&self, sections: &'a Sections) -> io::Result<Vec<&'a str>> {
        let (octets, left_out) = encode(sections, MAX_BYTES);
        let new = self.directory.join(NEW);
        // A leftover may have another mode, or be a link to elsewhere.
        match fs::remove_file(&new) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        self.replace(&new, &octets).inspect_err(|_| {
            // The first error is told; a part of a file would only take room where there is none.
            fs::remove_file(&new).ok();
        })?;
        Ok(left_out)
    }

    fn replace(&self, new: &Path, octets: &[u8]) -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(FILE_MODE).open(new)?;
        file.write_all(octets)?;
        file.sync_all()?;
        fs::rename(new, self.directory.join(NAME))?;
        // Without this the rename itself may be lost with the power.
        File::open(&self.directory)?.sync_all()
    }

    /// Where the file is.
    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }
}

/// The file's octets, and no more of a huge one than tells that it is too large.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut octets = Vec::new();
    let limit = u64::try_from(MAX_BYTES).unwrap_or(u64::MAX);
    File::open(path)?.take(limit.saturating_add(1)).read_to_end(&mut octets)?;
    Ok(octets)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn some() -> Sections {
        Sections::default().with("deliveries", vec![7; 100])
    }

    #[test]
    fn what_is_saved_is_found_and_private() {
        let folder = tempfile::tempdir().unwrap();
        let directory = folder.path().join("a/b");
        let store = Store::open(&directory).unwrap();
        assert_eq!(store.load(), Sections::default());
        fs::write(directory.join(NEW), "left over").unwrap();
        store.save(&Sections::default().with("old", vec![1])).unwrap();
        store.save(&some()).unwrap();
        drop(store);
        assert_eq!(Store::open(&directory).unwrap().load(), some());
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&directory.join(NAME)), 0o600);
        assert_eq!(mode(&directory), 0o700);
        assert!(!directory.join(NEW).exists());
    }

    #[test]
    fn what_cannot_be_saved_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        // A directory cannot be replaced by a file, which stands for any reason not to save.
        fs::create_dir(folder.path().join(NAME)).unwrap();
        assert!(store.save(&some()).is_err());
        assert!(!folder.path().join(NEW).exists());
    }

    #[test]
    fn what_is_refused_is_kept_aside() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        for octets in [b"another file".to_vec(), vec![0; MAX_BYTES + 2]] {
            fs::write(folder.path().join(NAME), &octets).unwrap();
            assert_eq!(store.load(), Sections::default());
            assert!(!folder.path().join(NAME).exists());
            assert_eq!(fs::read(folder.path().join(ASIDE)).unwrap(), octets);
        }
        store.save(&some()).unwrap();
        assert_eq!(store.load(), some());
    }

    #[test]
    fn what_could_not_be_read_again_is_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let huge = some().with("huge", vec![0; MAX_BYTES]);
        assert_eq!(store.save(&huge).unwrap(), ["huge"]);
        assert_eq!(store.load(), some());
    }
}
