//! Owns which request a response answers: by order, and by what each side had received.
//!
//! It must not know how messages are read. A response that several requests may have asked for is
//! given to none of them.

mod choice;

use std::ops::Range;

use super::body::note;
use super::entries::Entries;
use super::owed::Owed;
use super::reader::Mark;
use super::{Anomaly, Coverage, Exchange};

/// A request whose exchange is not complete.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) exchange: Box<Exchange>,
    /// Of the request's first octet.
    pub(super) start: Mark,
    /// Whether all of the request was read.
    pub(super) request_done: bool,
    hidden_before: Option<HiddenBefore>,
}

/// Requests that may have been lost before one in the queue.
#[derive(Debug, Clone, Copy)]
struct HiddenBefore {
    /// Position in the stream of responses up to which they have no answer.
    answered: u64,
    owed: Owed,
    why: Unseen,
}

/// Why requests may go unseen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unseen {
    /// What is there is not understood.
    NotUnderstood,
    /// Segments are missing from within a request on, and perhaps no more than that request.
    LostWithin,
    /// Segments are missing where a request was due.
    LostRequest,
}

/// Why a message may not be given to the one it belongs to; of several reasons the last stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) enum Doubt {
    #[default]
    None,
    /// Octets are a request, or the body that the one before it asked whether to send.
    DeclinedBody,
    /// Octets in place of a request are not understood.
    Requests,
    /// Octets in place of a response are not understood.
    Responses,
    /// More requests waited than are kept.
    Limit,
    /// Segments are missing.
    Lost,
}

/// The last response that was seen.
#[derive(Debug, Clone, Copy)]
pub(super) struct Answer {
    /// Position behind it.
    pub(super) end: u64,
    /// How much of the requests its sender had received.
    pub(super) received: u64,
    /// Whether responses are followed without a break since.
    pub(super) is_whole: bool,
}

/// Requests that may have been lost after the last one in the queue.
#[derive(Debug, Clone, Copy)]
struct Hidden {
    /// Position in the stream of requests at which they would start.
    position: u64,
    /// Position behind the last octet that may be of one.
    end: u64,
    /// Position in the stream of responses up to which they have no answer.
    answered: u64,
    why: Unseen,
    /// Whether there is one at least.
    is_sure: bool,
    /// Responses to them that were seen.
    answers: u16,
}

/// How a client waits for answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Habit {
    /// It sent nothing yet.
    #[default]
    Unknown,
    /// It sends a request when it has the answer to the one before, as far as was seen.
    Waits,
    /// It does not.
    Pipelines,
}

/// Turns of a client that waits, as far as is known, after which it is taken for one, though the
/// capture began when a request may have been under way: so many a client that pipelines seldom
/// takes by chance.
const TURNS_OF_WAITING: u8 = 3;

/// As [`TURNS_OF_WAITING`], of a client that was seen to pipeline.
const TURNS_AFTER_PIPELINING: u8 = 8;

/// Which request a response answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Choice {
    /// The one after so many whose responses were lost.
    After(usize),
    /// None that was seen.
    Nobody,
    /// It cannot be told which of the first so many.
    Unclear(usize),
}

/// Requests in the order they were sent.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a thing of its own to be unsure of")]
pub(super) struct Queue {
    entries: Entries<Pending>,
    /// Octets of memory that the heads of the requests take.
    heads: usize,
    hidden: Option<Hidden>,
    /// Whether responses may have gone unseen since the last one that was paired.
    responses_hidden: bool,
    /// Whether that is for want of segments.
    responses_lost: bool,
    /// Whether the last response could not be told to belong to one request.
    unclear: bool,
    /// The gravest there ever was.
    doubt: Doubt,
    habit: Habit,
    /// To requests before those in the queue, behind the one whose response is being read.
    owed: Owed,
    /// Whether the capture began within the connection, and nothing says yet what was owed then.
    picked_up: bool,
    /// Whether nothing is owed for the one reason that the client seems to wait for answers.
    presumed: bool,
    /// One after the other, in which the client sent a request when all before had their answers.
    turns: u8,
    /// How much the client had received when it sent the last request.
    received: u64,
    /// Position after the last response that was given to its request.
    answered: u64,
}

impl Queue {
    /// The queue of a connection of which the start was not captured.
    pub(super) fn picked_up() -> Self {
        Self { owed: Owed::UNKNOWN, picked_up: true, ..Self::default() }
    }

    /// Whether the capture began within the connection, and the order of its messages is not sure
    /// yet.
    pub(super) fn is_picked_up(&self) -> bool {
        self.picked_up
    }

    /// Adds a request that was just begun. Where responses are followed without a break since, what
    /// was lost before it was sent cannot be its response.
    pub(super) fn push(&mut self, mut exchange: Box<Exchange>, start: Mark, last: Answer) {
        if self.entries.is_empty() && last.is_whole {
            self.responses_hidden = false;
            self.responses_lost = false;
        }
        // What is found in a body that is all there says nothing of how its sender waits.
        let is_whole = !matches!(self.doubt, Doubt::None | Doubt::Lost);
        if !(is_whole && is_doubtful(&exchange)) {
            self.take_turn(start, last);
        }
        let hidden_before = self.hidden.take().map(|hidden| hidden.before(start.position));
        if let Some(HiddenBefore { answered, why: Unseen::NotUnderstood, .. }) = hidden_before
            && start.acknowledged <= answered
        {
            note(&mut exchange.anomalies, Anomaly::UnrecognisedRequest);
        }
        self.heads += request_octets(&exchange);
        let pending = Pending { exchange, start, request_done: false, hidden_before };
        self.entries.push_back(pending);
    }

    /// Takes note that the client began a request there, of which no more may be known.
    pub(super) fn take_turn(&mut self, start: Mark, last: Answer) {
        let listened = start.acknowledged > self.received;
        let is_turn = listened
            && self.entries.is_empty()
            && self.hidden.is_none()
            && last.end == start.acknowledged
            && last.received == start.position;
        self.turns = if is_turn { self.turns.saturating_add(1) } else { 0 };
        let follows = self.picked_up && start.position > 0;
        // Where the order is not known anyway, an acknowledgement that lags says too little.
        let seems_early = !self.picked_up || !self.entries.is_empty();
        self.habit = match self.habit {
            Habit::Unknown if follows && !listened => Habit::Pipelines,
            Habit::Unknown => Habit::Waits,
            Habit::Waits if !listened && seems_early => Habit::Pipelines,
            Habit::Pipelines if self.turns >= TURNS_AFTER_PIPELINING => Habit::Waits,
            known => known,
        };
        self.received = start.acknowledged;
        if self.habit == Habit::Pipelines {
            self.presume_nothing();
            return;
        }
        let is_answered = |hidden: Hidden| {
            hidden.why != Unseen::NotUnderstood
                && start.acknowledged > hidden.answered.max(self.answered)
        };
        let is_clear = self.hidden.is_none_or(is_answered);
        if self.entries.is_empty() && is_clear && !self.owed.is_none() {
            self.owed = Owed::NONE;
            self.presumed = true;
        }
        if self.turns >= TURNS_OF_WAITING {
            self.picked_up = false;
            self.presumed = false;
        }
    }

    /// Takes back what was taken for true because the client seemed to wait.
    fn presume_nothing(&mut self) {
        if std::mem::take(&mut self.presumed) {
            self.owed = Owed::UNKNOWN;
        }
    }

    /// Takes note that the client, which had received so much, sent octets of a request that is not
    /// known.
    pub(super) fn hear(&mut self, received: u64) {
        if self.habit == Habit::Unknown {
            self.habit = Habit::Waits;
        }
        self.received = self.received.max(received);
    }

    /// Takes note that requests may go unseen in these octets, one at least if that `is_sure`,
    /// while responses up to `answered` were seen.
    pub(super) fn hide_requests(
        &mut self,
        octets: Range<u64>,
        answered: u64,
        why: Unseen,
        is_sure: bool,
    ) {
        let Range { start: position, end } = octets;
        if is_sure && self.habit == Habit::Unknown {
            self.habit = Habit::Waits;
        }
        let is_sure = is_sure && !self.responses_hidden;
        let hidden = Hidden { position, end, answered, why, is_sure, answers: 0 };
        let hidden = self.hidden.get_or_insert(hidden);
        hidden.is_sure |= is_sure;
        hidden.end = hidden.end.max(end);
        hidden.answered = hidden.answered.max(answered);
        if hidden.why == Unseen::NotUnderstood {
            hidden.why = why;
        }
        self.doubt = self.doubt.max(match why {
            Unseen::NotUnderstood => Doubt::Requests,
            Unseen::LostWithin | Unseen::LostRequest => Doubt::Lost,
        });
    }

    /// Takes note that a response was given to its request, and ended at `position`.
    pub(super) fn answer_until(&mut self, position: u64) {
        self.answered = position;
    }

    /// Takes note that a response ended at `position`. One that was sent before all of the octets
    /// that may hold requests had arrived leaves the last of these to be answered.
    pub(super) fn see_response(&mut self, response: Mark, position: u64) {
        if let Some(hidden) = self.hidden.as_mut().filter(|h| response.acknowledged < h.end) {
            hidden.answered = hidden.answered.max(position);
        }
    }

    /// Takes note that responses may go unseen, and why.
    pub(super) fn hide_responses(&mut self, why: Doubt) {
        self.responses_hidden = true;
        self.responses_lost |= why == Doubt::Lost;
        self.forget_least();
        self.doubt = self.doubt.max(why);
    }

    /// Takes note that a request may stand in the place of a body, or be that body.
    pub(super) fn decline_body(&mut self) {
        self.doubt = self.doubt.max(Doubt::DeclinedBody);
    }

    /// Whether segments were ever missing.
    pub(super) fn has_losses(&self) -> bool {
        self.doubt == Doubt::Lost
    }

    /// Says on an exchange why it lacks the message that belongs to it.
    pub(super) fn mark_unpaired(&self, exchange: &mut Exchange) {
        match self.doubt {
            Doubt::None if self.picked_up => exchange.coverage.add(Coverage::MIDSTREAM),
            Doubt::None => {}
            Doubt::DeclinedBody => note(&mut exchange.anomalies, Anomaly::DeclinedBody),
            Doubt::Requests => note(&mut exchange.anomalies, Anomaly::UnrecognisedRequest),
            Doubt::Responses => note(&mut exchange.anomalies, Anomaly::UnrecognisedResponse),
            Doubt::Limit => exchange.coverage.add(Coverage::TRUNCATED),
            Doubt::Lost => exchange.coverage.add(Coverage::GAP),
        }
    }

    /// Says on an exchange why its request may be none, where no segment is missing.
    pub(super) fn mark_doubtful(&self, exchange: &mut Exchange) {
        if self.doubt == Doubt::DeclinedBody {
            note(&mut exchange.anomalies, Anomaly::DeclinedBody);
        } else {
            exchange.coverage.add(Coverage::TRUNCATED);
            note(&mut exchange.anomalies, Anomaly::UnrecognisedRequest);
        }
    }

    /// Whether no response is due, as far as is known.
    pub(super) fn is_idle(&self) -> bool {
        self.entries.is_empty() && self.owed.is_none() && self.hidden.is_none()
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Octets of memory that the requests take, but for the place that every connection has for
    /// one.
    pub(super) fn octets(&self) -> usize {
        const PLACE: usize = size_of::<Pending>() + size_of::<Exchange>();
        // Only the first can have a response.
        let response = self.entries.front().and_then(|front| front.exchange.response.as_ref());
        let answer = response.map_or(0, |response| response.headers.octets());
        self.len().saturating_sub(1) * PLACE + self.heads + answer
    }

    pub(super) fn front_mut(&mut self) -> Option<&mut Pending> {
        self.entries.front_mut()
    }

    pub(super) fn back_mut(&mut self) -> Option<&mut Pending> {
        self.entries.back_mut()
    }

    /// The request that the octet at `position` in the stream of requests belongs to.
    pub(super) fn sent_at(&mut self, position: u64) -> Option<&mut Pending> {
        self.entries.iter_mut().rev().find(|pending| pending.start.position <= position)
    }

    pub(super) fn pop_front(&mut self) -> Option<Pending> {
        let first = self.entries.pop_front()?;
        self.heads -= request_octets(&first.exchange);
        Some(first)
    }

    pub(super) fn pop_back(&mut self) -> Option<Pending> {
        let last = self.entries.pop_back()?;
        self.heads -= request_octets(&last.exchange);
        Some(last)
    }

    /// Takes out the request that waits longest for a response. The answer to it is passed over
    /// when it comes, where it is sure that there will be one, and where its body ends.
    pub(super) fn give_up_waiting(&mut self) -> Option<Box<Exchange>> {
        let is_answered = self.front_mut()?.exchange.response.is_some();
        let Pending { exchange, hidden_before, .. } =
            if is_answered { self.entries.pop_second() } else { self.entries.pop_front() }?;
        self.heads -= request_octets(&exchange);
        self.doubt = self.doubt.max(Doubt::Limit);
        let method = exchange.request.as_ref().map_or(&b""[..], |request| &request.method);
        let has_usual_answer = !matches!(method, b"HEAD" | b"CONNECT");
        let is_sure = hidden_before.is_none() && !is_doubtful(&exchange) && has_usual_answer;
        if is_sure {
            self.owed.add_sure(1);
        } else {
            self.owed = Owed::UNKNOWN;
        }
        Some(exchange)
    }

    /// Takes out the first exchange if nothing more of its request is to come.
    pub(super) fn pop_done(&mut self) -> Option<Box<Exchange>> {
        let done = self.entries.front()?.request_done;
        if done { self.pop_front().map(|pending| pending.exchange) } else { None }
    }

    /// Takes out the first exchange if its response was lost: the client, which had sent it before
    /// it received up to `received`, sends another request now. Of a client that pipelines that
    /// says nothing of which of its requests was answered.
    pub(super) fn pop_answered_unseen(&mut self, received: u64) -> Option<Box<Exchange>> {
        let first = self.entries.front()?;
        let unseen = self.responses_lost
            && !self.pipelines()
            && first.request_done
            && first.exchange.response.is_none()
            && first.start.acknowledged < received;
        if !unseen {
            return None;
        }
        // All that it had received may have been the one response.
        if let Some(hidden) = self.hidden.as_mut().filter(|h| h.why == Unseen::LostRequest) {
            hidden.answered = hidden.answered.max(received);
        }
        self.pop_front().map(|pending| pending.exchange)
    }

    /// Whether a response without a request may lack it by that doubt.
    pub(super) fn may_lack_requests(&self) -> bool {
        self.unclear
            || !self.owed.is_none()
            || self.hidden.is_some_and(|hidden| hidden.why != Unseen::NotUnderstood)
    }

    pub(super) fn has_lost_responses(&self) -> bool {
        self.responses_lost
    }
}

impl Hidden {
    /// What may have been lost before the request that starts at `position`.
    fn before(self, position: u64) -> HiddenBefore {
        let Self { answered, why, .. } = self;
        let owed = match why {
            Unseen::NotUnderstood => Owed::UNKNOWN,
            Unseen::LostWithin | Unseen::LostRequest => {
                let sure = u16::from(self.is_sure);
                Owed::within(position.saturating_sub(self.position), sure).without(self.answers)
            }
        };
        HiddenBefore { answered, owed, why }
    }
}

/// Whether the request may be none, and then is not answered.
fn is_doubtful(exchange: &Exchange) -> bool {
    exchange.request.as_ref().is_some_and(|request| request.doubtful)
}

/// Octets of memory that the head of a request takes, which stays the same while it waits.
fn request_octets(exchange: &Exchange) -> usize {
    exchange.request.as_ref().map_or(0, |request| request.headers.octets())
}
