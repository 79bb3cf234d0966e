//! Regular files, opened so that nothing waits for who would write to what turns out to be a pipe.
//!
//! It must not know what is in them.

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use nix::fcntl::OFlag;

/// Opens `path` for reading.
///
/// # Errors
///
/// When it cannot be opened, or is something else than a regular file.
pub(crate) fn open(path: &Path) -> io::Result<(File, Metadata)> {
    let file = File::options().read(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(path)?;
    let metadata = file.metadata()?;
    if metadata.is_file() { Ok((file, metadata)) } else { Err(io::Error::other("no regular file")) }
}

#[cfg(test)]
mod tests {
    use nix::sys::stat::Mode;
    use nix::unistd::mkfifo;

    use super::*;

    #[test]
    fn a_pipe_is_refused_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pipe");
        mkfifo(&path, Mode::S_IRUSR).unwrap();
        assert_eq!(open(&path).unwrap_err().to_string(), "no regular file");
        std::fs::write(path.with_extension("file"), "text").unwrap();
        assert_eq!(open(&path.with_extension("file")).unwrap().1.len(), 4);
    }
}
