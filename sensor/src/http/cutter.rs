//! Owns the octets of a message head until its end is found.
//!
//! It must not know what was before, nor what heads say.

use std::sync::LazyLock;

use bytes::Bytes;
use memchr::memchr;
use memchr::memmem::Finder;

use super::options::MAX_HEAD;
use super::reader::Input;
use super::start::{Expected, Role};

/// Octets after which a request line's start must have shown itself to be one.
const DECIDING_OCTETS: usize = 64;

/// The end of a head's last line, and the empty one behind it.
static EMPTY_LINE: LazyLock<Finder<'_>> = LazyLock::new(|| Finder::new(b"\n\r\n"));

/// What reading a head led to.
#[derive(Debug)]
pub(super) enum Found {
    /// Every octet was taken; the head goes on.
    More,
    /// A whole head, its empty line included. Where all of it came at once, whether its first line
    /// is one was not asked.
    Head(Bytes),
    /// As much of a head as is taken, without its end.
    TooLong(Bytes),
    /// The first line is none.
    Nothing,
}

/// A head that is not complete.
#[derive(Debug, Default)]
pub(super) struct Cutter {
    octets: Vec<u8>,
    /// Octets known to hold no end of the head. Narrow, for every connection has two.
    scanned: u32,
    /// Whether a line of the head, or of the one just cut out, ended in LF alone.
    bare_lf: bool,
}

impl Cutter {
    /// Octets of memory taken.
    pub(super) fn size(&self) -> usize {
        self.octets.capacity()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.octets.is_empty()
    }

    /// Whether a line of the head just cut out ended in LF alone.
    pub(super) fn has_bare_lf(&self) -> bool {
        self.bare_lf
    }

    /// Takes the first octets of a head, of which there is at least one.
    pub(super) fn begin(&mut self, input: &mut Input<'_>, role: Role, expected: Expected) -> Found {
        self.bare_lf = false;
        let window = &input.octets[..input.octets.len().min(MAX_HEAD)];
        let end = Self::usual_head_end(window);
        if let Some(end) = end.or_else(|| self.head_end(window, 0)) {
            return Found::Head(Bytes::copy_from_slice(input.take(end)));
        }
        self.go_on(input, role, expected)
    }

    /// Takes more octets, as far as the head goes.
    pub(super) fn go_on(&mut self, input: &mut Input<'_>, role: Role, expected: Expected) -> Found {
        let before = self.octets.len();
        let room = input.octets.len().min(MAX_HEAD - before);
        self.octets.extend_from_slice(&input.octets[..room]);
        if !self.is_plausible(role, expected) {
            self.discard();
            return Found::Nothing;
        }
        let octets = std::mem::take(&mut self.octets);
        let end = self.head_end(&octets, self.scanned().saturating_sub(2));
        self.octets = octets;
        if let Some(end) = end {
            input.take(end - before);
            self.octets.truncate(end);
            self.octets.shrink_to_fit();
            return Found::Head(self.take());
        }
        self.scanned = u32::try_from(self.octets.len()).expect("a head is shorter than its limit");
        input.take(room);
        if self.octets.len() < MAX_HEAD { Found::More } else { Found::TooLong(self.take()) }
    }

    /// What was read of an unfinished head, when its first line is whole.
    pub(super) fn take_partial(&mut self) -> Option<Bytes> {
        let head = self.take();
        memchr(b'\n', &head).map(|_| head)
    }

    /// What was read of an unfinished head, whose first line need not be whole.
    pub(super) fn take_all(&mut self) -> Bytes {
        self.take()
    }

    pub(super) fn discard(&mut self) {
        self.octets = Vec::new();
        self.scanned = 0;
    }

    fn scanned(&self) -> usize {
        self.scanned as usize
    }

    fn take(&mut self) -> Bytes {
        self.scanned = 0;
        std::mem::take(&mut self.octets).into()
    }

    /// Whether the octets may still become a head, by the first line or the start of it.
    fn is_plausible(&self, role: Role, expected: Expected) -> bool {
        let scanned = self.scanned();
        if let Some(end) = memchr(b'\n', &self.octets[scanned..]) {
            let is_first = memchr(b'\n', &self.octets[..scanned]).is_none();
            return !is_first || expected.takes(role, &self.octets[..scanned + end]);
        }
        scanned > DECIDING_OCTETS || expected.may_begin(role, &self.octets)
    }

    /// As [`Cutter::head_end`] from the start on, of a head whose lines all end in CRLF, as nearly
    /// all do: it is looked through as a whole and not by lines.
    fn usual_head_end(octets: &[u8]) -> Option<usize> {
        let last_line = EMPTY_LINE.find(octets)?;
        let lines = &octets[..=last_line];
        let is_bare = |(before, octet): (&u8, &u8)| (*octet == b'\n') & (*before != b'\r');
        let bare =
            lines.iter().zip(&lines[1..]).fold(lines[0] == b'\n', |any, pair| any | is_bare(pair));
        (!bare).then_some(last_line + EMPTY_LINE.needle().len())
    }

    /// Position after the empty line that ends the head in `octets`, looking from `from` on.
    fn head_end(&mut self, octets: &[u8], from: usize) -> Option<usize> {
        let mut at = from;
        while let Some(found) = memchr(b'\n', &octets[at..]) {
            let line_feed = at + found;
            self.bare_lf |= line_feed == 0 || octets[line_feed - 1] != b'\r';
            match octets.get(line_feed + 1..) {
                Some([b'\n', ..]) => {
                    self.bare_lf = true;
                    return Some(line_feed + 2);
                }
                Some([b'\r', b'\n', ..]) => return Some(line_feed + 3),
                _ => at = line_feed + 1,
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_usual_head_ends_where_its_lines_say(octets in "[\r\nab]{0,12}(\r\n\r\n)?[\r\na]{0,3}") {
            let mut cutter = Cutter::default();
            let by_lines = cutter.head_end(octets.as_bytes(), 0);
            let is_usual = by_lines.is_some() && !cutter.bare_lf;
            let expected = by_lines.filter(|_| is_usual);
            prop_assert_eq!(Cutter::usual_head_end(octets.as_bytes()), expected);
        }
    }
}
