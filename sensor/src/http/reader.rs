//! Cuts one direction of a connection into message heads and what lies between them.
//!
//! It must not know the other direction, nor what heads say.

use std::net::IpAddr;

use bytes::Bytes;
use memchr::memchr;

use super::allowance::Allowance;
use super::body::{Collector, Framing, Progress, Skip, note};
use super::chunked::Chunked;
use super::cutter::{Cutter, Found};
use super::head::Tolerance;
use super::options::{MAX_SKIPPED, WORTH_SKIPPING};
use super::start::{Expected, Role};
use super::{Anomaly, Body, BodyPolicy};
use crate::capture::Timestamp;

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

/// Whether the body that is due will come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Coming {
    /// It will, as far as its sender goes.
    #[default]
    Sure,
    /// Its sender asked whether to send it.
    Asked,
    /// The head was cut, and may have said that there is none.
    Unknown,
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
    /// How much of the other stream the sender of the last octets had received.
    heard: u64,
    expected: Expected,
    /// Whether the last octet taken ended a line.
    at_line_start: bool,
    /// What speaks for a message that starts with the next octet, whatever came before.
    speech: Expected,
    /// Whether octets are missing between the last message that is sure to be one and the start
    /// line that is looked for.
    after_gap: bool,
    /// How much of the other stream its sender has to have received before what it sends is sure
    /// not to be part of a message of which the start is not known.
    sure_from: u64,
    coming: Coming,
    body_octets: u64,
    collector: Option<Box<Collector>>,
    /// Position up to which octets were said not to be needed.
    skipped_until: u64,
    /// Deviations in the body being read.
    anomalies: Vec<Anomaly>,
    cutter: Cutter,
}

impl Reader {
    pub(super) fn new(role: Role, state: State) -> Self {
        Self {
            role,
            state,
            start: Mark::default(),
            position: 0,
            message_end: 0,
            heard: 0,
            expected: Expected::Due,
            at_line_start: true,
            speech: Expected::Possible,
            after_gap: state == State::Search,
            sure_from: u64::from(state == State::Search),
            coming: Coming::Sure,
            body_octets: 0,
            collector: None,
            skipped_until: 0,
            anomalies: Vec::new(),
            cutter: Cutter::default(),
        }
    }

    /// Octets of memory that an incomplete head takes.
    pub(super) fn buffered(&self) -> usize {
        self.cutter.size()
    }

    pub(super) fn state(&self) -> State {
        self.state
    }

    /// Whether every message up to here was read, as far as it goes.
    pub(super) fn keeps_track(&self) -> bool {
        match self.state {
            State::Head => self.expected == Expected::Due,
            State::Body(_) => true,
            State::Search => false,
        }
    }

    /// Whether octets are missing between the last message that is sure to be one and the start
    /// line that is looked for.
    pub(super) fn is_after_gap(&self) -> bool {
        self.after_gap
    }

    /// Whether a message has begun that is not read to its end.
    pub(super) fn is_reading(&self) -> bool {
        matches!(self.state, State::Body(_)) || !self.cutter.is_empty()
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

    /// How much deviation the `head` just read may show.
    pub(super) fn tolerance(&self, head: &[u8]) -> Tolerance {
        self.expected.tolerance(self.role, head)
    }

    /// Whether a line of the head just read ended in LF alone.
    pub(super) fn has_bare_lf(&self) -> bool {
        self.cutter.has_bare_lf()
    }

    /// Names a deviation of the message being read, or of the one that comes next.
    pub(super) fn note(&mut self, anomaly: Anomaly) {
        note(&mut self.anomalies, anomaly);
    }

    /// Reads on in a head, behind any empty lines.
    pub(super) fn head(&mut self, input: &mut Input<'_>) -> Found {
        let unread = input.octets;
        let found = if self.cutter.is_empty() {
            let empty = unread.iter().take_while(|octet| matches!(octet, b'\r' | b'\n')).count();
            input.take(empty);
            if input.octets.is_empty() {
                Found::More
            } else {
                self.start = input.mark;
                self.cutter.begin(input, self.role, self.expected)
            }
        } else {
            self.cutter.go_on(input, self.role, self.expected)
        };
        self.position = input.mark.position;
        let taken = &unread[..unread.len() - input.octets.len()];
        self.at_line_start = !matches!(found, Found::Nothing) && taken.ends_with(b"\n");
        found
    }

    /// Gives back all but the first line of what was taken for a head and is none; `unread` is the
    /// input from before.
    pub(super) fn refuse_head<'a>(&mut self, input: &mut Input<'a>, unread: Input<'a>) {
        if self.expected == Expected::Due {
            *input = unread;
            let empty = input.octets.iter().take_while(|octet| matches!(octet, b'\r' | b'\n'));
            input.take(empty.count());
            self.position = input.mark.position;
            self.at_line_start = false;
        }
    }

    /// Reads on in a body.
    pub(super) fn body(&mut self, input: &mut Input<'_>) -> Progress {
        let State::Body(framing) = &mut self.state else { return Progress::Done };
        let taken = framing.take(input.octets, &mut self.anomalies);
        let octets = input.take(taken.octets);
        self.position = input.mark.position;
        self.at_line_start = octets.ends_with(b"\n");
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

    /// Takes note that the sender of the message being read asked whether to send its body.
    pub(super) fn ask_first(&mut self) {
        self.coming = Coming::Asked;
    }

    /// Whether a body is due of which nothing has come.
    pub(super) fn awaits_body(&self) -> bool {
        let is_untouched = match self.state {
            State::Body(Framing::Chunked(chunked)) => chunked == Chunked::START,
            State::Body(Framing::Length(_) | Framing::UntilClose) => true,
            State::Head | State::Search => false,
        };
        is_untouched && self.body_octets == 0
    }

    /// Whether the body that is due may not come, for its sender asked first.
    pub(super) fn may_lack_body(&self) -> bool {
        self.coming == Coming::Asked && self.awaits_body()
    }

    /// Position up to which nothing is needed of the stream, once, where that is far enough.
    pub(super) fn skip(&mut self) -> Option<u64> {
        let State::Body(Framing::Length(left)) = self.state else { return None };
        let asked = self.position < self.skipped_until;
        if asked || left < WORTH_SKIPPING || !self.only_counts() || self.may_lack_body() {
            return None;
        }
        self.skipped_until = self.position + left.min(MAX_SKIPPED);
        Some(self.skipped_until)
    }

    /// Expects another head after one that begins no message of its own; behind what is not sure to
    /// have been a message, none is due.
    pub(super) fn expect_head(&mut self) {
        let is_sure = self.sure_from == 0;
        self.state = if is_sure { State::Head } else { State::Search };
        self.expected = Expected::Due;
        self.at_line_start = true;
        self.after_gap &= !is_sure;
    }

    /// Expects the body of the message whose head was just read.
    pub(super) fn expect_body(
        &mut self,
        framing: Framing,
        policy: BodyPolicy,
        client: IpAddr,
        allowance: &Allowance,
    ) {
        self.state = State::Body(framing);
        self.collector = Collector::new(policy, client, allowance);
    }

    /// Expects no more of the message whose head was just read, in part.
    pub(super) fn expect_end(&mut self) {
        self.state = State::Body(Framing::UntilClose);
        self.coming = Coming::Unknown;
    }

    /// Ends the message being read and expects a head; `whole` says that nothing is missing at its
    /// end. `surplus` octets before the present position belong to what follows.
    pub(super) fn end_message(&mut self, whole: bool, surplus: u64) -> Ended {
        let mut body = Body { bytes: std::mem::take(&mut self.body_octets), ..Body::default() };
        body.truncated = !whole;
        body.unseen = std::mem::take(&mut self.coming) == Coming::Unknown;
        if let Some(collector) = self.collector.take() {
            collector.finish(whole, &mut body);
        }
        self.expect_head();
        self.message_end = self.position - surplus;
        Ended {
            body,
            wire_bytes: self.message_end - self.start.position,
            anomalies: std::mem::take(&mut self.anomalies),
        }
    }

    /// Looks for the next start line, which octets may be `missing` before: then it may stand at
    /// once.
    pub(super) fn lose_track(&mut self, missing: bool) {
        self.after_gap |= missing;
        self.at_line_start |= missing;
        self.state = State::Search;
        self.cutter.discard();
    }

    /// Takes note that a segment begins, whose sender had received so much of the other stream; and
    /// whether all of the connection was `seen`.
    ///
    /// A message nearly always starts with a segment. But where nothing is missing, how a stream is
    /// cut into segments must not matter: then it is where its sender spoke after listening.
    pub(super) fn begin_segment(&mut self, acknowledged: u64, seen: bool) {
        let listened = acknowledged > self.heard;
        self.heard = self.heard.max(acknowledged);
        self.speech = match self.state {
            State::Search if !seen => Expected::Resumed,
            State::Search if listened => Expected::Likely,
            _ => Expected::Possible,
        };
        self.at_line_start |= self.speech != Expected::Possible;
    }

    /// Takes note that a message of which the start is not known may go on for as long as its
    /// sender has `received` no more of the other stream. What looks like one may be part of it
    /// until then.
    pub(super) fn doubt(&mut self, received: u64) {
        self.sure_from = self.sure_from.max(received + 1);
    }

    /// As [`Reader::doubt`], where there is such a message: what was received may not answer it.
    pub(super) fn doubt_further(&mut self, received: u64) {
        if self.sure_from > 0 {
            self.doubt(received);
        }
    }

    /// Whether the message being read may be part of another one of which the start is not known.
    pub(super) fn is_doubtful(&mut self) -> bool {
        if self.start.acknowledged >= self.sure_from {
            self.sure_from = 0;
        }
        self.sure_from > 0
    }

    /// Moves to the next credible start line, where a head is then read, or past every octet; gives
    /// back what was passed over.
    pub(super) fn search<'a>(&mut self, input: &mut Input<'a>) -> &'a [u8] {
        let unread = input.octets;
        while !input.octets.is_empty() {
            let end = memchr(b'\n', input.octets);
            let line = &input.octets[..end.unwrap_or(input.octets.len())];
            self.expected = std::mem::replace(&mut self.speech, Expected::Possible);
            if self.at_line_start && self.is_credible(line, end.is_some()) {
                self.state = State::Head;
                break;
            }
            self.at_line_start = end.is_some();
            input.take(end.map_or(input.octets.len(), |end| end + 1));
            self.position = input.mark.position;
        }
        &unread[..unread.len() - input.octets.len()]
    }

    /// What was read of an unfinished head, when its first line is whole.
    pub(super) fn take_partial_head(&mut self) -> Option<Bytes> {
        self.cutter.take_partial()
    }

    /// What was read of an unfinished head.
    pub(super) fn take_head_so_far(&mut self) -> Bytes {
        self.cutter.take_all()
    }

    /// Whether a line, or the start of one, may be a first line.
    fn is_credible(&self, line: &[u8], whole: bool) -> bool {
        if whole {
            self.expected.takes(self.role, line)
        } else {
            self.expected.may_begin(self.role, line)
        }
    }
}
