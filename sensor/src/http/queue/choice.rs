//! The half of a queue that chooses the request a response answers.
//!
//! It must not take requests out.

use super::{Choice, Doubt, Habit, Mark, Owed, Pending, Queue, Unseen, is_doubtful};

impl Queue {
    /// Which request the response that starts at `response` answers.
    ///
    /// A request that the client sent after receiving the response's first octet did not ask for
    /// it. Nor did one that the server had not received; but where nothing was lost that is held
    /// against a response only if it may be `unprompted`: a forged one acknowledges what it likes,
    /// and the client takes it for the answer.
    pub(in crate::http) fn choose(&mut self, response: Mark, unprompted: bool) -> Choice {
        self.owe_hidden();
        if unprompted {
            self.owed.take_perhaps();
        }
        let candidates = self.candidates(response, unprompted);
        let may_be_none = self.entries.front().is_some_and(|front| is_doubtful(&front.exchange));
        let choice = if self.owed.is_due() {
            Choice::Nobody
        } else if candidates == 0 {
            self.notice_early(response, unprompted);
            Choice::Nobody
        } else if self.responses_hidden {
            self.choose_after_loss(candidates, response)
        } else if !self.owed.is_none() {
            let is_ordered = self.pipelines() && !may_be_none;
            Choice::Unclear(if is_ordered { 1 } else { candidates })
        } else if candidates > 1 && may_be_none {
            Choice::Unclear(candidates)
        } else {
            Choice::After(0)
        };
        self.settle(choice, unprompted);
        choice
    }

    /// Takes note that a response came which no request in the queue asked for.
    fn take_answer(&mut self, unprompted: bool) {
        let hidden = self.hidden.as_mut().filter(|_| self.entries.is_empty());
        match hidden {
            Some(hidden) if !self.owed.is_due() => {
                hidden.is_sure &= self.owed.is_none() && !unprompted;
                if self.owed.is_none() && !unprompted {
                    hidden.answers = hidden.answers.saturating_add(1);
                }
            }
            _ => {}
        }
        if !unprompted {
            self.owed.take_one();
        }
    }

    /// Takes note that any number of answers may have gone unseen.
    pub(super) fn forget_least(&mut self) {
        self.owed.take_any();
        if let Some(hidden) = &mut self.hidden {
            hidden.is_sure = false;
        }
        for pending in self.entries.iter_mut() {
            if let Some(hidden) = &mut pending.hidden_before {
                hidden.owed.take_any();
            }
        }
    }

    /// How many requests the response may answer, the first of them included.
    fn candidates(&self, response: Mark, unprompted: bool) -> usize {
        let strict = unprompted
            || self.picked_up
            || self.responses_hidden
            || self.hidden.is_some()
            || !self.owed.is_none();
        let asked = |pending: &&Pending| {
            let strict = strict || pending.hidden_before.is_some();
            pending.exchange.response.is_none()
                && (!strict || pending.start.position < response.acknowledged)
                && pending.start.acknowledged <= response.position
        };
        self.entries.iter().take_while(asked).count()
    }

    /// Counts what was lost before the first request with what is owed, or leaves it out where the
    /// client waited for it.
    fn owe_hidden(&mut self) {
        let Some(front) = self.entries.front() else { return };
        let may_not_be_next = self.may_not_be_next(front);
        let Some(front) = self.entries.front_mut() else { return };
        if let Some(hidden) = front.hidden_before.filter(|_| may_not_be_next) {
            front.hidden_before = None;
            self.owed.add(hidden.owed);
        }
        self.presumed |=
            front.hidden_before.is_some_and(|hidden| hidden.why != Unseen::NotUnderstood);
    }

    /// A response that nobody asked for, though the client had received all before it when it sent
    /// its last request: there was another one to be answered then.
    fn notice_early(&mut self, response: Mark, unprompted: bool) {
        let asked = match self.entries.front() {
            Some(front) => front.start.acknowledged,
            None => self.received,
        };
        let is_early = !unprompted
            && (self.picked_up || self.doubt == Doubt::Lost)
            && self.habit != Habit::Unknown
            && self.hidden.is_none()
            && self.owed.is_none()
            && response.position >= asked;
        if is_early {
            self.habit = Habit::Pipelines;
            self.owed = Owed::UNKNOWN;
            self.turns = 0;
        }
    }

    /// Counts what is owed from now on.
    fn settle(&mut self, choice: Choice, unprompted: bool) {
        self.unclear = match choice {
            Choice::After(_) => {
                self.owed = Owed::NONE;
                false
            }
            Choice::Unclear(candidates) => {
                let lost = self.entries.iter().take(candidates).skip(1);
                for hidden in lost.filter_map(|pending| pending.hidden_before) {
                    self.owed.add(hidden.owed);
                }
                self.owed.take_any();
                self.owed.add_possible(candidates - 1);
                true
            }
            Choice::Nobody => {
                let unclear = self.unclear || !self.owed.is_none();
                self.take_answer(unprompted);
                unclear
            }
        };
        if choice != Choice::Nobody {
            self.responses_hidden = false;
            self.responses_lost = false;
        }
    }

    /// A client that does not pipeline has received every earlier response when it sends a request,
    /// so the last candidate is the one that is waiting.
    fn choose_after_loss(&self, candidates: usize, response: Mark) -> Choice {
        let Some(last) = self.entries.get(candidates - 1) else { return Choice::Nobody };
        let later_one_hidden = match self.entries.get(candidates) {
            Some(next) => next.hidden_before.is_some(),
            None => self.hidden.is_some_and(|hidden| hidden.position < response.acknowledged),
        };
        let pipelined = self.pipelines() && candidates > 1;
        let is_owed = !self.owed.is_none();
        if pipelined || is_owed || later_one_hidden || self.may_not_be_next(last) {
            Choice::Unclear(candidates)
        } else {
            Choice::After(candidates - 1)
        }
    }

    pub(super) fn pipelines(&self) -> bool {
        self.habit == Habit::Pipelines
    }

    /// Whether a lost request before this one may still have been unanswered when it was sent.
    ///
    /// A request that was lost where one was due is answered after those before it: what the client
    /// had received goes beyond their responses, or the lost one was not answered.
    fn may_not_be_next(&self, pending: &Pending) -> bool {
        pending.hidden_before.is_some_and(|hidden| {
            let answered = match hidden.why {
                Unseen::LostRequest => hidden.answered.max(self.answered),
                Unseen::LostWithin | Unseen::NotUnderstood => hidden.answered,
            };
            self.pipelines() || pending.start.acknowledged <= answered
        })
    }
}
