//! Owns which request a response answers: by order, and by what each side had received.
//!
//! It must not know how messages are read. A response that several requests may have asked for is
//! given to none of them.

use std::ops::Range;

use super::body::note;
use super::entries::Entries;
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
    /// Position in the stream of responses when requests before this one may have been lost, and why.
    hidden_before: Option<(u64, Unseen)>,
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
    /// It does not, and responses may come to requests that are no longer here. It is never known
    /// again which one is the last of them.
    Astray,
}

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
    /// Requests that were put out for want of room before those in the queue, behind the one whose
    /// response is being read: the next responses are theirs.
    given_up: u16,
    /// How much the client had received when it sent the last request.
    received: u64,
    /// Position after the last response that was given to its request.
    answered: u64,
}

impl Queue {
    /// Adds a request that was just begun. Where responses are followed without a break since, what
    /// was lost before it was sent cannot be its response.
    pub(super) fn push(&mut self, mut exchange: Box<Exchange>, start: Mark, unbroken: bool) {
        if self.entries.is_empty() && unbroken {
            self.responses_hidden = false;
            self.responses_lost = false;
        }
        // What is found in a body that is all there says nothing of how its sender waits.
        let is_whole = !matches!(self.doubt, Doubt::None | Doubt::Lost);
        if !(is_whole && is_doubtful(&exchange)) {
            self.habit = match self.habit {
                Habit::Unknown => Habit::Waits,
                Habit::Waits if start.acknowledged <= self.received => Habit::Pipelines,
                known => known,
            };
            self.received = start.acknowledged;
        }
        let hidden_before = self.hidden.take().map(|hidden| (hidden.answered, hidden.why));
        if let Some((answered, Unseen::NotUnderstood)) = hidden_before
            && start.acknowledged <= answered
        {
            note(&mut exchange.anomalies, Anomaly::UnrecognisedRequest);
        }
        self.heads += request_octets(&exchange);
        let pending = Pending { exchange, start, request_done: false, hidden_before };
        self.entries.push_back(pending);
    }

    /// Takes note that requests may go unseen in these octets, while responses up to `answered` were
    /// seen.
    pub(super) fn hide_requests(&mut self, octets: Range<u64>, answered: u64, why: Unseen) {
        let Range { start: position, end } = octets;
        let hidden = self.hidden.get_or_insert(Hidden { position, end, answered, why });
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
        self.entries.is_empty() && self.given_up == 0 && self.hidden.is_none()
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Octets of memory that the requests take, but for the place that every connection has for one.
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

    /// Takes out the request that waits longest for a response. The answer to it is passed over when
    /// it comes, where it is sure that there will be one, and where its body ends.
    pub(super) fn give_up_waiting(&mut self) -> Option<Box<Exchange>> {
        let is_answered = self.front_mut()?.exchange.response.is_some();
        let Pending { exchange, hidden_before, .. } =
            if is_answered { self.entries.pop_second() } else { self.entries.pop_front() }?;
        self.heads -= request_octets(&exchange);
        self.doubt = self.doubt.max(Doubt::Limit);
        let method = exchange.request.as_ref().map_or(&b""[..], |request| &request.method);
        let has_usual_answer = !matches!(method, b"HEAD" | b"CONNECT");
        let is_sure = hidden_before.is_none() && !is_doubtful(&exchange) && has_usual_answer;
        match self.given_up.checked_add(1).filter(|_| is_sure) {
            Some(given_up) => self.given_up = given_up,
            None => self.habit = Habit::Astray,
        }
        Some(exchange)
    }

    /// Whether a response, which may be `unprompted`, is to a request that was given up.
    fn answers_given_up(&mut self, unprompted: bool) -> bool {
        let is_sure = !self.responses_hidden && !unprompted && self.habit != Habit::Astray;
        match self.given_up.checked_sub(1) {
            Some(given_up) if is_sure => {
                self.given_up = given_up;
                self.unclear = true;
                true
            }
            Some(_) => {
                self.habit = Habit::Astray;
                false
            }
            None => false,
        }
    }

    /// Takes out the first exchange if nothing more of its request is to come.
    pub(super) fn pop_done(&mut self) -> Option<Box<Exchange>> {
        let done = self.entries.front()?.request_done;
        if done { self.pop_front().map(|pending| pending.exchange) } else { None }
    }

    /// Takes out the first exchange if its response was lost: the client, which had sent it before
    /// it received up to `received`, sends another request now. Of a client that pipelines that says
    /// nothing of which of its requests was answered.
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
            || self.habit == Habit::Astray
            || self.hidden.is_some_and(|hidden| hidden.why != Unseen::NotUnderstood)
    }

    pub(super) fn has_lost_responses(&self) -> bool {
        self.responses_lost
    }

    /// Which request the response that starts at `response` answers.
    ///
    /// A request that the client sent after receiving the response's first octet did not ask for it.
    /// Nor did one that the server had not received; but where nothing was lost that is held against
    /// a response only if it may be `unprompted`: a forged one acknowledges what it likes, and the
    /// client takes it for the answer.
    pub(super) fn choose(&mut self, response: Mark, unprompted: bool) -> Choice {
        if self.answers_given_up(unprompted) {
            return Choice::Nobody;
        }
        let strict = unprompted || self.responses_hidden || self.hidden.is_some();
        let candidates = self
            .entries
            .iter()
            .take_while(|pending| {
                let strict = strict || pending.hidden_before.is_some();
                pending.exchange.response.is_none()
                    && (!strict || pending.start.position < response.acknowledged)
                    && pending.start.acknowledged <= response.position
            })
            .count();
        let choice = match candidates {
            0 => return Choice::Nobody,
            _ if self.habit == Habit::Astray => Choice::Unclear(candidates),
            _ if self.responses_hidden => self.choose_after_loss(candidates, response),
            _ if self.entries.front().is_some_and(|front| {
                self.may_not_be_next(front) || (candidates > 1 && is_doubtful(&front.exchange))
            }) =>
            {
                Choice::Unclear(candidates)
            }
            _ => Choice::After(0),
        };
        self.responses_hidden = false;
        self.responses_lost = false;
        self.unclear = matches!(choice, Choice::Unclear(_));
        if self.unclear && self.pipelines() {
            self.habit = Habit::Astray;
        }
        choice
    }

    /// A client that does not pipeline has received every earlier response when it sends a request,
    /// so the last candidate is the one that is waiting.
    fn choose_after_loss(&self, candidates: usize, response: Mark) -> Choice {
        let Some(last) = self.entries.get(candidates - 1) else { return Choice::Nobody };
        let later_one_hidden = candidates == self.entries.len()
            && self.hidden.is_some_and(|hidden| hidden.position < response.acknowledged);
        let pipelined = self.pipelines() && candidates > 1;
        if pipelined || later_one_hidden || self.may_not_be_next(last) {
            Choice::Unclear(candidates)
        } else {
            Choice::After(candidates - 1)
        }
    }

    fn pipelines(&self) -> bool {
        matches!(self.habit, Habit::Pipelines | Habit::Astray)
    }

    /// Whether a lost request before this one may still have been unanswered when it was sent.
    ///
    /// A request that was lost where one was due is answered after those before it: what the client
    /// had received goes beyond their responses, or the lost one was not answered.
    fn may_not_be_next(&self, pending: &Pending) -> bool {
        pending.hidden_before.is_some_and(|(answered, why)| {
            let answered = match why {
                Unseen::LostRequest => answered.max(self.answered),
                Unseen::LostWithin | Unseen::NotUnderstood => answered,
            };
            self.pipelines() || pending.start.acknowledged <= answered
        })
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
