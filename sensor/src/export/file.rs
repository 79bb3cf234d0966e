//! A file of lines that is set aside when it grows, and never holds half a line.
//!
//! It must not know what a line says.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::Context;

use super::sink::{BUFFER_BYTES, LineBuffer, Sink, write_counted};
use crate::config::FileOutput;
use crate::sole;

/// Owner writes, group reads: records hold addresses and paths of clients.
const FILE_MODE: u32 = 0o640;
/// As the file, and the group may enter.
const DIRECTORY_MODE: u32 = 0o750;

/// A sink into a file and its older generations: `path`, `path.1` to `path.<keep>`, newest first.
#[derive(Debug)]
pub struct FileSink {
    path: PathBuf,
    max_bytes: u64,
    keep: u32,
    /// Absent after a failure, until the next attempt.
    file: Option<File>,
    /// Octets in the file, as of the last write.
    size: u64,
    /// The size at which the file is set aside; moved on when that fails.
    rotate_at: u64,
    buffer: LineBuffer,
    lost_lines: u64,
}

impl FileSink {
    /// Opens the file, and creates its directory when there is none.
    ///
    /// # Errors
    ///
    /// When it cannot be written, with the fix.
    pub fn open(settings: &FileOutput) -> anyhow::Result<Self> {
        let mut sink = Self {
            path: settings.path.clone(),
            max_bytes: settings.max_bytes,
            keep: settings.keep,
            file: None,
            size: 0,
            rotate_at: settings.max_bytes,
            buffer: LineBuffer::default(),
            lost_lines: 0,
        };
        let file = sink.open_file().with_context(|| {
            format!(
                "cannot write records to {}; make its directory writable for this user, name \
                 another file with output.file.path, or write none with output.file.enabled = false",
                sink.path.display()
            )
        })?;
        own(&file).with_context(|| {
            format!(
                "another agent writes records to {}; stop that one, or name another file with \
                 output.file.path",
                sink.path.display()
            )
        })?;
        sink.file = Some(file);
        if let Some(mode) = wide_mode(&sink.path) {
            tracing::warn!(
                file = %sink.path.display(),
                mode = format_args!("{mode:o}"),
                "others than its owner and group may use the file of records, which holds \
                 addresses and paths of clients; run: chmod 640 FILE"
            );
        }
        Ok(sink)
    }

    fn open_file(&mut self) -> io::Result<File> {
        let file = open(&self.path)?;
        self.size = file.metadata()?.len();
        self.rotate_at = self.max_bytes;
        Ok(file)
    }

    /// Opens the file again, or the one that is now in its place. Where another process has locked
    /// that meanwhile no record is lost for it.
    fn open_again(&mut self) -> io::Result<File> {
        let file = self.open_file()?;
        if let Err(error) = own(&file) {
            let path = self.path.display();
            tracing::warn!(%path, %error, "another process may write to the file of records");
        }
        Ok(file)
    }

    /// Writes whole lines, `count` of them, or counts them as lost.
    fn write(&mut self, lines: &[u8], count: u64) -> io::Result<()> {
        let written = self.append(lines);
        if written.is_err() {
            self.lost_lines += count;
        }
        written
    }

    /// Adds to the file. On failure it is left closed, and the next attempt opens it. A file that
    /// was moved or deleted is not written on: nobody would look for records there.
    fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        let mut file = match self.file.take() {
            Some(file) if is_at(&file, &self.path)? => file,
            _ => self.open_again()?,
        };
        let (written, result) = write_counted(&mut file, lines);
        // The length is asked for and not counted, because others may truncate the file.
        let length = file.metadata()?.len();
        if result.is_err() && written > 0 {
            file.set_len(length.saturating_sub(written as u64))?;
        }
        result?;
        self.size = length;
        self.file = Some(file);
        Ok(())
    }

    /// Octets in the file and on their way into it.
    fn held(&self) -> u64 {
        self.size.saturating_add(self.buffer.octets.len() as u64)
    }

    /// Whether so many more octets fit the file.
    fn has_room(&self, octets: usize) -> bool {
        self.held().saturating_add(octets as u64) <= self.rotate_at
    }

    fn take(&mut self, lines: &[u8], count: u64) -> io::Result<()> {
        if self.buffer.lines == 0 && lines.len() >= BUFFER_BYTES {
            // They are together already, and need not be copied for it.
            return self.write(lines, count);
        }
        self.buffer.extend(lines, count);
        if self.buffer.is_full() { self.flush() } else { Ok(()) }
    }

    /// Sets the file aside, so that the next write begins a new one. It is done also when the last
    /// lines cannot be written, because the oldest generation may give a full disk room.
    fn rotate(&mut self) -> io::Result<()> {
        let flushed = self.flush();
        let moved = self.move_generations();
        if moved.is_ok() {
            self.file = None;
            self.size = 0;
            self.rotate_at = self.max_bytes;
        } else {
            // The file goes on to grow; the next attempt is after as much again, not at each line.
            self.rotate_at = self.size.saturating_add(self.max_bytes);
        }
        flushed.and(moved)
    }

    fn move_generations(&self) -> io::Result<()> {
        if !self.path.try_exists()? {
            return Ok(());
        }
        if self.keep == 0 {
            return fs::remove_file(&self.path);
        }
        for number in (1..self.keep).rev() {
            rename_if_there(&self.generation(number), &self.generation(number + 1))?;
        }
        fs::rename(&self.path, self.generation(1))
    }

    fn generation(&self, number: u32) -> PathBuf {
        let mut path = self.path.clone().into_os_string();
        path.push(format!(".{number}"));
        path.into()
    }
}

impl Sink for FileSink {
    fn write_lines(&mut self, lines: &[u8], count: u64) -> io::Result<()> {
        if self.has_room(lines.len()) {
            return self.take(lines, count);
        }
        // Every line is taken, and the first error told.
        let mut outcome = Ok(());
        for line in lines.split_inclusive(|octet| *octet == b'\n') {
            let is_over = self.held() > 0 && !self.has_room(line.len());
            let rotated = if is_over { self.rotate() } else { Ok(()) };
            outcome = outcome.and(rotated).and(self.take(line, 1));
        }
        outcome
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.buffer.lines == 0 {
            return Ok(());
        }
        let mut waiting = std::mem::take(&mut self.buffer);
        let written = self.write(&waiting.octets, waiting.lines);
        waiting.clear();
        self.buffer = waiting;
        written
    }

    fn reopen(&mut self) -> io::Result<()> {
        self.file = None;
        self.file = Some(self.open_again()?);
        self.flush()
    }

    fn lost_lines(&self) -> u64 {
        self.lost_lines
    }
}

/// The mode of the file at `path`, where there is one that allows more than a file made here.
#[must_use]
pub fn wide_mode(path: &Path) -> Option<u32> {
    let found = fs::metadata(path).ok().filter(fs::Metadata::is_file)?;
    let mode = found.mode() & 0o777;
    (mode & !FILE_MODE != 0).then_some(mode)
}

fn open(path: &Path) -> io::Result<File> {
    if let Some(directory) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        DirBuilder::new().recursive(true).mode(DIRECTORY_MODE).create(directory)?;
    }
    let options = &mut OpenOptions::new();
    let mut file = options.create(true).append(true).read(true).mode(FILE_MODE).open(path)?;
    end_torn_line(&mut file)?;
    Ok(file)
}

/// Keeps other agents from the file while it is open. What is no regular file, such as a terminal,
/// is anybody's.
fn own(file: &File) -> io::Result<()> {
    if file.metadata()?.is_file() { sole::take(file) } else { Ok(()) }
}

/// Whether the path still leads to the file.
fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    let own = file.metadata()?;
    match fs::metadata(path) {
        Ok(found) => Ok((found.dev(), found.ino()) == (own.dev(), own.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Ends the last line of a file whose writer was stopped in the middle of it, so that the next
/// line stands alone.
fn end_torn_line(file: &mut File) -> io::Result<()> {
    if file.metadata()?.len() == 0 {
        return Ok(());
    }
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    if last == *b"\n" { Ok(()) } else { file.write_all(b"\n") }
}

fn rename_if_there(from: &Path, to: &Path) -> io::Result<()> {
    match fs::rename(from, to) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

#[cfg(test)]
mod tests;
