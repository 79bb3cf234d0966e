//! A file or a directory that one process has to itself, as long as it keeps it open.
//!
//! It must not know what it is for.

use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::MetadataExt as _;

/// Takes `file` for this process alone (flock(2)) until it is closed. Where the file system has no
/// locks nobody is kept out.
///
/// # Errors
///
/// [`io::ErrorKind::ResourceBusy`], with the process in its words, when another one has it.
pub(crate) fn take(file: &File) -> io::Result<()> {
    match file.try_lock() {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => {
            let holder = holder(file).unwrap_or_else(|| String::from("another process"));
            Err(io::Error::new(io::ErrorKind::ResourceBusy, format!("{holder} has it")))
        }
        Err(TryLockError::Error(error)) => {
            tracing::debug!(%error, "a file system has no locks");
            Ok(())
        }
    }
}

/// The process that has locked `file`, where the kernel shows it: not that of another PID
/// namespace.
fn holder(file: &File) -> Option<String> {
    let inode = file.metadata().ok()?.ino();
    let process = holder_in(&fs::read_to_string("/proc/locks").ok()?, inode)?;
    let name = fs::read_to_string(format!("/proc/{process}/comm")).unwrap_or_default();
    Some(format!("process {process} ({})", name.trim_end()))
}

/// The process with the only lock on a file of this inode number. The device beside it is not that
/// of stat(2) on every file system, so it says nothing.
fn holder_in(locks: &str, inode: u64) -> Option<u32> {
    let inode = inode.to_string();
    let mut found = locks.lines().filter_map(|line| {
        let words: Vec<_> = line.split_ascii_whitespace().collect();
        let [_, "FLOCK", _, _, process, place, ..] = words[..] else { return None };
        (place.rsplit(':').next() == Some(&*inode)).then(|| process.parse().ok())?
    });
    found.next().filter(|_| found.next().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_one_holders_until_it_is_closed() {
        let folder = tempfile::tempdir().unwrap();
        let [first, second] = [(); 2].map(|()| File::open(folder.path()).unwrap());
        take(&first).unwrap();
        let refused = take(&second).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ResourceBusy);
        let own = format!("process {} (", std::process::id());
        assert!(refused.to_string().starts_with(&own), "{refused}");
        drop(first);
        take(&second).unwrap();
    }

    #[test]
    fn a_holder_is_named_where_it_is_known() {
        const LOCKS: &str = "\
            1: FLOCK  ADVISORY  WRITE 41 fd:01:17 0 EOF\n\
            2: POSIX  ADVISORY  WRITE 42 fd:01:18 0 EOF\n\
            2: -> FLOCK  ADVISORY  WRITE 43 fd:01:17 0 EOF\n\
            3: FLOCK  ADVISORY  READ  44 00:21:19 0 EOF\n\
            4: FLOCK  ADVISORY  READ  45 00:22:19 0 EOF\n";
        for (inode, expected) in [(17, Some(41)), (18, None), (19, None), (7, None)] {
            assert_eq!(holder_in(LOCKS, inode), expected, "{inode}");
        }
    }
}
