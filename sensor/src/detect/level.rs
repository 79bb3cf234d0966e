//! What became of the deliveries of one kind: how they were answered, and how soon.
//!
//! It must not know which kind that is, nor what is good enough.

use std::time::Duration;

use crate::http::Coverage;
use crate::webhook::{Delivery, Replay, Status};

/// Upper bounds of the classes that times to answer fall into: from an answer at once to the
/// longest that any provider waits.
pub const ANSWER_BOUNDS: [Duration; 9] = [
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(250),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_millis(2_500),
    Duration::from_secs(5),
    Duration::from_secs(10),
    Duration::from_secs(30),
];

/// What became of the deliveries of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Level {
    /// Answered with success (2xx).
    pub served: u64,
    /// Answered with anything else below 500, which a provider takes for a failure.
    pub refused: u64,
    /// Answered with a failure of our own (5xx).
    pub broken: u64,
    /// Not answered.
    pub silent: u64,
    /// Answered later than the provider waits.
    pub late: u64,
    /// Sent again because an earlier attempt had failed.
    pub retries: u64,
}

/// Times to answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Times {
    /// Answers that took at most each of [`ANSWER_BOUNDS`], and longer than the one before.
    pub counts: [u64; ANSWER_BOUNDS.len()],
    /// All answers.
    pub count: u64,
    /// The times of all of them together.
    pub sum: Duration,
}

/// How a delivery was answered, as its sender sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    Served,
    Refused,
    Broken,
    Silent,
}

impl Answer {
    /// How `delivery` was answered, where that says something of our receiver: it is no proof of
    /// ownership, no replay, nothing forged, and all of it was seen. What nobody vouches for may be
    /// anyone's noise, so that it counts only when the application took it or broke over it.
    pub(super) fn of(delivery: &Delivery) -> Option<Self> {
        let is_replay = matches!(delivery.replay, Some(Replay::Replayed(_)));
        if delivery.handshake || is_replay {
            return None;
        }
        let answer = match delivery.answer() {
            Some((200..300, _)) => Self::Served,
            Some((500.., _)) => Self::Broken,
            Some(_) => Self::Refused,
            None if delivery.exchange.coverage == Coverage::FULL => Self::Silent,
            None => return None,
        };
        let is_told = matches!(answer, Self::Served | Self::Broken);
        let expects = delivery.endpoint.as_ref().is_some_and(|one| !one.secrets.is_empty());
        match delivery.signature.as_ref().map(|signature| signature.status) {
            Some(Status::Valid) => Some(answer),
            Some(Status::Missing) if expects => None,
            None | Some(Status::Unchecked | Status::Missing) => Some(answer).filter(|_| is_told),
            Some(Status::Invalid | Status::Stale | Status::Unverifiable) => None,
        }
    }
}

/// Whether the answer came later than the provider waits, where that is known.
pub(super) fn is_late(delivery: &Delivery) -> bool {
    let limit = delivery.provider.as_ref().map_or(Duration::ZERO, |one| one.answer_within);
    !limit.is_zero() && delivery.answer().is_some_and(|(_, took)| took > limit)
}

impl Level {
    pub(super) fn count(&mut self, delivery: &Delivery, answer: Answer) {
        match answer {
            Answer::Served => self.served += 1,
            Answer::Refused => self.refused += 1,
            Answer::Broken => self.broken += 1,
            Answer::Silent => self.silent += 1,
        }
        self.late += u64::from(is_late(delivery));
        self.retries += u64::from(delivery.replay == Some(Replay::Retry));
    }
}

impl Times {
    pub(super) fn count(&mut self, took: Duration) {
        if let Some(class) = ANSWER_BOUNDS.iter().position(|bound| took <= *bound) {
            self.counts[class] += 1;
        }
        self.count += 1;
        self.sum += took;
    }
}
