//! Cuts one direction of a connection into message heads and what lies between them.
//!
//! It must not know the other direction, nor what heads say.

use std::sync::LazyLock;

use bytes::Bytes;
use memchr::memchr;
use memchr::memmem::Finder;

use super::allowance::Allowance;
use super::body::{Collector, Framing, Progress, Skip, note};
use super::head::Tolerance;
use super::options::{MAX_HEAD, MAX_SKIPPED, WORTH_SKIPPING};
use super::{Anomaly, Body, BodyPolicy, start_line};
use crate::capture::Timestamp;

/// Octets after which a request line's start must have shown itself to be one.
const DECIDING_OCTETS: usize = 64;

/// The end of a head's last line, and the empty one behind it.
static EMPTY_LINE: LazyLock<Finder<'_>> = LazyLock::new(|| Finder::new(b"\n\r\n"));

/// What the messages of a direction are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Requests,
    Responses,
}

/// Where and when a message's first octet was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Mark {
    /// Its position in its stream.
    pub(super) position: u64,
    /// How much of the other stream its sender had received.
    pub(super) acknowledged: u64,
    pub(super) time: Timestamp,
}

/// Octets that were not read yet.
#[derive(Debug, Clone, Copy)]
pub(super) struct Input<'a> {
    pub(super) octets: &'a [u8],
    /// Of the first of them.
    pub(super) mark: Mark,
}

impl<'a> Input<'a> {
    /// Takes the next `length` octets.
    pub(super) fn take(&mut self, length: usize) -> &'a [u8] {
        let (taken, rest) = self.octets.split_at(length);
        self.octets = rest;
        self.mark.position += length as u64;
        taken
    }
}

/// What is due next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// A message head.
    Head,
    /// Octets of a body.
    Body(Framing),
    /// Unknown: the next credible start line is looked for.
    Search,
}

/// What reading a head led to.
#[derive(Debug)]
pub(super) enum Found {
    /// Every octet was taken; the head goes on.
    More,
    /// A whole head, its empty line included.
    Head(Bytes),
    /// As much of a head as is taken, without its end.
    TooLong(Bytes),
    /// What is there is no head.
    Nothing,
}

/// What a gap fell into.
#[derive(Debug)]
pub(super) enum GapIn {
    /// A head, of which this much was there.
    Head(Bytes),
    /// A body.
    Body(Skip),
    /// Nothing that was being read.
    Nothing,
}

/// What is known of a message once it has ended.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) body: Body,
    pub(super) wire_bytes: u64,
    pub(super) anomalies: Vec<Anomaly>,
}

/// One direction of a connection.
#[derive(Debug)]
pub(super) struct Reader {
    role: Role,
    state: State,
    /// Of the message being read.
    start: Mark,
    /// Position of the next octet.
    position: u64,
    /// Position after the last message that was read.
    message_end: u64,
    tolerance: Tolerance,
    /// Whether a line of the head being read, or of the one just read, ended in LF alone.
    bare_lf: bool,
    at_line_start: bool,
    at_segment_start: bool,
    body_octets: u64,
    collector: Option<Box<Collector>>,
    /// Position up to which octets were said not to be needed.
    skipped_until: u64,
    /// Deviations in the body being read.
    anomalies: Vec<Anomaly>,
    buffer: Vec<u8>,
    /// Octets of the buffer known to hold no end of the head.
    scanned: usize,
}

impl Reader {
    pub(super) fn new(role: Role, state: State) -> Self {
        Self {
            role,
            state,
            start: Mark::default(),
            position: 0,
            message_end: 0,
            tolerance: Tolerance::Understandable,
            bare_lf: false,
            at_line_start: true,
            at_segment_start: false,
            body_octets: 0,
            collector: None,
            skipped_until: 0,
            anomalies: Vec::new(),
            buffer: Vec::new(),
            scanned: 0,
        }
    }

    /// Octets of memory that an incomplete head takes.
    pub(super) fn buffered(&self) -> usize {
        self.buffer.capacity()
    }

    pub(super) fn state(&self) -> State {
        self.state
    }

    /// Whether a message has begun that is not read to its end.
    pub(super) fn is_reading(&self) -> bool {
        matches!(self.state, State::Body(_)) || !self.buffer.is_empty()
    }

    /// Of the message being read.
    pub(super) fn start(&self) -> Mark {
        self.start
    }

    /// Position after the last message that was read.
    pub(super) fn message_end(&self) -> u64 {
        self.message_end
    }

    /// Position of the next octet.
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// Goes on at `position`, whatever was before.
    pub(super) fn move_to(&mut self, position: u64) {
        self.position = position;
    }

    /// How much deviation the head just read may show.
    pub(super) fn tolerance(&self) -> Tolerance {
        self.tolerance
    }

    /// Whether a line of the head just read ended in LF alone.
    pub(super) fn has_bare_lf(&self) -> bool {
        self.bare_lf
    }

    /// Names a deviation of the message being read, or of the one that comes next.
    pub(super) fn note(&mut self, anomaly: Anomaly) {
        note(&mut self.anomalies, anomaly);
    }

    /// Reads on in a head.
    pub(super) fn head(&mut self, input: &mut Input<'_>) -> Found {
        let found =
            if self.buffer.is_empty() { self.first_of_head(input) } else { self.append(input) };
        self.position = input.mark.position;
        found
    }

    /// Reads on in a body.
    pub(super) fn body(&mut self, input: &mut Input<'_>) -> Progress {
        let State::Body(framing) = &mut self.state else { return Progress::Done };
        let taken = framing.take(input.octets, &mut self.anomalies);
        let octets = input.take(taken.octets);
        self.position = input.mark.position;
        self.body_octets += taken.content as u64;
        if let Some(collector) = &mut self.collector {
            collector.add(&octets[octets.len() - taken.content..]);
        }
        taken.state
    }

    /// Passes over octets that were not captured. Where no body was being read, the position stays
    /// until [`Reader::move_to`], since what was there ends before the gap.
    pub(super) fn gap(&mut self, length: u64) -> GapIn {
        let State::Body(framing) = &mut self.state else {
            return self.take_partial_head().map_or(GapIn::Nothing, GapIn::Head);
        };
        self.position += length;
        let skip = framing.skip(length);
        if let Skip::Within(missing) | Skip::Past(missing, _) = skip {
            self.body_octets += missing;
        }
        if let Some(collector) = &mut self.collector {
            collector.miss();
        }
        GapIn::Body(skip)
    }

    /// Whether the octets of the body being read matter by their number alone.
    pub(super) fn only_counts(&self) -> bool {
        matches!(self.state, State::Body(Framing::Length(_))) && self.collector.is_none()
    }

    /// Position up to which nothing is needed of the stream, once, where that is far enough.
    pub(super) fn skip(&mut self) -> Option<u64> {
        let State::Body(Framing::Length(left)) = self.state else { return None };
        let asked = self.position < self.skipped_until;
        if asked || left < WORTH_SKIPPING || !self.only_counts() {
            return None;
        }
        self.skipped_until = self.position + left.min(MAX_SKIPPED);
        Some(self.skipped_until)
    }

    /// Expects the body of the message whose head was just read.
    pub(super) fn expect_body(
        &mut self,
        framing: Framing,
        policy: BodyPolicy,
        allowance: &Allowance,
    ) {
        self.state = State::Body(framing);
        self.collector = Collector::new(policy, allowance);
    }

    /// Ends the message being read and expects a head; `whole` says that nothing is missing at its
    /// end. `surplus` octets before the present position belong to what follows.
    pub(super) fn end_message(&mut self, whole: bool, surplus: u64) -> Ended {
        let mut body = Body { bytes: std::mem::take(&mut self.body_octets), ..Body::default() };
        body.truncated = !whole;
        if let Some(collector) = self.collector.take() {
            collector.finish(whole, &mut body);
        }
        self.state = State::Head;
        self.tolerance = Tolerance::Understandable;
        self.message_end = self.position - surplus;
        Ended {
            body,
            wire_bytes: self.message_end - self.start.position,
            anomalies: std::mem::take(&mut self.anomalies),
        }
    }

    /// Looks for the next start line; `fresh` says that one may start right here.
    pub(super) fn lose_track(&mut self, fresh: bool) {
        self.at_line_start = fresh || (self.state == State::Head && self.at_line_start);
        self.state = State::Search;
        self.drop_head();
    }

    /// Allows for a message to start with the octets that come next, as it nearly always does at the
    /// start of a segment, whatever came before.
    pub(super) fn allow_start(&mut self) {
        self.at_segment_start = self.state == State::Search;
        self.at_line_start |= self.at_segment_start;
    }

    /// Moves to the next credible start line, where a head is then due, or past every octet.
    pub(super) fn search(&mut self, input: &mut Input<'_>) {
        while !input.octets.is_empty() {
            let end = memchr(b'\n', input.octets);
            let line = &input.octets[..end.unwrap_or(input.octets.len())];
            // A whole first line at the start of a segment was meant as one, though it breaks the
            // grammar, by an attacker as a rule; elsewhere it is more likely part of a body.
            self.tolerance = if std::mem::take(&mut self.at_segment_start) && end.is_some() {
                Tolerance::Understandable
            } else {
                Tolerance::Grammar
            };
            if self.at_line_start && self.is_credible(line, end.is_some()) {
                self.state = State::Head;
                return;
            }
            self.at_line_start = end.is_some();
            input.take(end.map_or(input.octets.len(), |end| end + 1));
            self.position = input.mark.position;
        }
    }

    /// What was read of an unfinished head, when its first line is whole.
    pub(super) fn take_partial_head(&mut self) -> Option<Bytes> {
        let head = std::mem::take(&mut self.buffer);
        self.scanned = 0;
        memchr(b'\n', &head).map(|_| head.into())
    }

    fn first_of_head(&mut self, input: &mut Input<'_>) -> Found {
        let empty_lines = input.octets.iter().take_while(|o| matches!(o, b'\r' | b'\n')).count();
        input.take(empty_lines);
        if input.octets.is_empty() {
            return Found::More;
        }
        self.start = input.mark;
        self.bare_lf = false;
        let end = Self::usual_head_end(input.octets);
        if let Some(end) = end.or_else(|| self.head_end(input.octets, 0)) {
            if end > MAX_HEAD {
                return Found::TooLong(Bytes::copy_from_slice(&input.take(end)[..MAX_HEAD]));
            }
            return Found::Head(Bytes::copy_from_slice(input.take(end)));
        }
        self.append(input)
    }

    /// Adds octets to the buffer, as far as the head goes.
    fn append(&mut self, input: &mut Input<'_>) -> Found {
        let before = self.buffer.len();
        let room = input.octets.len().min(MAX_HEAD - before);
        self.buffer.extend_from_slice(&input.octets[..room]);
        let buffer = std::mem::take(&mut self.buffer);
        let end = self.head_end(&buffer, self.scanned.saturating_sub(2));
        self.buffer = buffer;
        if !self.is_plausible() {
            self.drop_head();
            return Found::Nothing;
        }
        if let Some(end) = end {
            input.take(end - before);
            self.buffer.truncate(end);
            self.buffer.shrink_to_fit();
            self.scanned = 0;
            return Found::Head(std::mem::take(&mut self.buffer).into());
        }
        self.scanned = self.buffer.len();
        input.take(room);
        if self.buffer.len() < MAX_HEAD {
            return Found::More;
        }
        self.scanned = 0;
        Found::TooLong(std::mem::take(&mut self.buffer).into())
    }

    /// Whether the buffer may still become a head, by its first line or the start of it.
    fn is_plausible(&self) -> bool {
        if let Some(end) = memchr(b'\n', &self.buffer[self.scanned..]) {
            let is_first = memchr(b'\n', &self.buffer[..self.scanned]).is_none();
            return !is_first || self.is_start_line(&self.buffer[..self.scanned + end]);
        }
        self.scanned > DECIDING_OCTETS
            || match self.role {
                Role::Requests => start_line::may_be_request(&self.buffer),
                Role::Responses => start_line::may_be_response(&self.buffer),
            }
    }

    fn is_start_line(&self, line: &[u8]) -> bool {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        match (self.role, self.tolerance) {
            (Role::Requests, Tolerance::Grammar) => start_line::is_usual_request_line(line),
            (Role::Requests, Tolerance::Understandable) => start_line::request_line(line).is_some(),
            (Role::Responses, _) => start_line::status_line(line).is_some(),
        }
    }

    /// Whether a line, or the start of one, is enough of a sign where no message is due.
    fn is_credible(&self, line: &[u8], whole: bool) -> bool {
        let may_be = match self.role {
            Role::Requests => start_line::starts_with_known_method(line),
            Role::Responses => start_line::may_be_response(line),
        };
        !line.is_empty() && may_be && (!whole || self.is_start_line(line))
    }

    fn drop_head(&mut self) {
        self.buffer = Vec::new();
        self.scanned = 0;
    }

    /// As [`Reader::head_end`] from the start on, of a head whose lines all end in CRLF, as nearly all
    /// do: it is looked through as a whole and not by lines.
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
            let mut reader = Reader::new(Role::Requests, State::Head);
            let by_lines = reader.head_end(octets.as_bytes(), 0);
            let is_usual = by_lines.is_some() && !reader.bare_lf;
            let expected = by_lines.filter(|_| is_usual);
            prop_assert_eq!(Reader::usual_head_end(octets.as_bytes()), expected);
        }
    }
}
