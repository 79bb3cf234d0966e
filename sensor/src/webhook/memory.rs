//! Retry or replay: what is remembered of deliveries to tell one that comes again.
//!
//! Pure: time is the packet's. It must not know how what it remembers outlives a restart.

use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use lru::LruCache;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::signature::Status;
use crate::config::{Part, Provider};
use crate::time::Timestamp;

/// Deliveries that are remembered; the longest unseen is forgotten first, and then passes for a
/// first one. At some 200 octets each this is 13 MiB.
const REMEMBERED: NonZeroUsize = NonZeroUsize::new(65_536).expect("not zero");

/// How long a delivery is remembered where its provider says nothing of retries.
const USUAL_HORIZON: Duration = Duration::from_hours(24);

/// How much later than the provider's limit an answer may be and still have arrived in time, on a
/// path that is slower than what is seen here.
const USUAL_ANSWER: Duration = Duration::from_secs(10);

/// What a delivery is in the light of earlier ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replay {
    /// It was not seen before.
    First,
    /// It was, and the provider had a reason to send it again.
    Retry,
    /// It was, and there is none.
    Replayed(Why),
}

/// Why a delivery is a replay and no retry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// It was answered with success, and in time.
    AfterSuccess,
    /// It comes from outside the networks of its provider, and its original did not.
    OtherSource,
    /// Its signature is older than is tolerated.
    OldTimestamp,
    /// Its body came before under another identifier, which the signature does not cover.
    SameBodyNewId,
}

impl Replay {
    /// The name that stands in records.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Retry => "retry",
            Self::Replayed(_) => "replayed",
        }
    }
}

impl Why {
    /// The reason in a sentence.
    #[must_use]
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::AfterSuccess => "it was answered with success before",
            Self::OtherSource => "it came from another network than the provider's",
            Self::OldTimestamp => "its signature is older than is tolerated",
            Self::SameBodyNewId => "the same body came before under another identifier",
        }
    }
}

/// What a delivery says of itself, to be looked up.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a> {
    /// Who sent it.
    pub provider: &'a Arc<Provider>,
    /// Its identifier.
    pub delivery_id: &'a str,
    /// Where from.
    pub source: IpAddr,
    /// When its request began.
    pub time: Timestamp,
    /// How it was answered: the status and how long that took; `None` when no answer was seen.
    pub answer: Option<(u16, Duration)>,
    /// What tells its body from any other, if that is known.
    pub body: Option<&'a [u8]>,
    /// What became of its signature.
    pub signature: Option<Status>,
}

/// Deliveries of the recent past.
#[derive(Debug)]
pub struct Memory {
    by_id: LruCache<Name, Remembered>,
    /// The delivery of each body, by the start of its hash.
    by_body: LruCache<Name, Name>,
}

/// A delivery, or a body, by a hash of what names it: of one size, however long the identifiers
/// are that a peer chooses.
type Name = [u8; 16];

/// What is remembered of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remembered {
    name: Name,
    body: Option<Name>,
    /// Nanoseconds since the Unix epoch of its latest attempt.
    last: u64,
    /// Nanoseconds for which it is remembered.
    horizon: u64,
    /// Whether the provider got its answer.
    settled: bool,
    from_provider: bool,
}

impl Default for Memory {
    fn default() -> Self {
        Self { by_id: LruCache::new(REMEMBERED), by_body: LruCache::new(REMEMBERED) }
    }
}

impl Memory {
    /// A memory of what an earlier one remembered.
    #[must_use]
    pub fn restored(remembered: impl IntoIterator<Item = Remembered>) -> Self {
        let mut memory = Self::default();
        for one in remembered {
            memory.put(one);
        }
        memory
    }

    /// What is remembered, the longest unseen first.
    pub fn remembered(&self) -> impl Iterator<Item = &Remembered> {
        self.by_id.iter().rev().map(|(_, one)| one)
    }

    /// Says what a delivery is, and remembers it.
    pub fn judge(&mut self, seen: &Seen<'_>) -> Replay {
        let name = name(&[seen.provider.name.as_bytes(), seen.delivery_id.as_bytes()]);
        let body = seen.body.filter(|_| !covers_id(seen.provider));
        let body = body.map(|body| self::name(&[seen.provider.name.as_bytes(), body]));
        let from_provider = is_from_provider(seen);
        let earlier = self.by_id.get(&name).copied().filter(|one| one.is_near(seen.time));
        let replay = match earlier {
            Some(earlier) => again(&earlier, seen, from_provider),
            None => self.first(name, body, seen),
        };
        let settled = is_settled(seen) || earlier.is_some_and(|earlier| earlier.settled);
        // A forged one must not make the genuine one that follows look like a replay.
        if seen.signature != Some(Status::Invalid) && seen.signature != Some(Status::Missing) {
            let horizon = horizon(seen.provider).as_nanos();
            let horizon = u64::try_from(horizon).unwrap_or(u64::MAX);
            self.put(Remembered { name, body, last: seen.time.0, horizon, settled, from_provider });
        }
        replay
    }

    /// A delivery under a new identifier: the first, unless its body came under another one that
    /// nothing vouches for.
    fn first(&mut self, name: Name, body: Option<Name>, seen: &Seen<'_>) -> Replay {
        let other = body.and_then(|body| {
            let other = *self.by_body.get(&body)?;
            self.by_id.peek(&other).filter(|_| other != name)
        });
        match other.filter(|other| other.is_near(seen.time)) {
            Some(_) => Replay::Replayed(Why::SameBodyNewId),
            None => Replay::First,
        }
    }

    fn put(&mut self, one: Remembered) {
        if let Some(body) = one.body {
            self.by_body.put(body, one.name);
        }
        self.by_id.put(one.name, one);
    }
}

impl Remembered {
    fn is_near(&self, now: Timestamp) -> bool {
        now.nanoseconds_since(Timestamp(self.last)) <= self.horizon
    }
}

fn again(earlier: &Remembered, seen: &Seen<'_>, from_provider: bool) -> Replay {
    if seen.signature == Some(Status::Stale) {
        Replay::Replayed(Why::OldTimestamp)
    } else if earlier.from_provider && !from_provider {
        Replay::Replayed(Why::OtherSource)
    } else if earlier.settled {
        Replay::Replayed(Why::AfterSuccess)
    } else {
        Replay::Retry
    }
}

/// Whether the provider has got what it wanted: success, and in time.
fn is_settled(seen: &Seen<'_>) -> bool {
    let limit = seen.provider.answer_within;
    let limit = if limit.is_zero() { USUAL_ANSWER } else { limit };
    matches!(seen.answer, Some((200..300, took)) if took <= limit)
}

/// Whether the source lies in the networks that the provider publishes, if it does.
fn is_from_provider(seen: &Seen<'_>) -> bool {
    seen.provider.networks.iter().any(|network| network.contains(&seen.source))
}

/// Whether the identifier is signed, so that nobody else can give a body another one.
fn covers_id(provider: &Provider) -> bool {
    let in_body = |source: &crate::config::Source| matches!(source, crate::config::Source::Json(_));
    provider.signature.iter().any(|scheme| scheme.signed.0.contains(&Part::Id))
        || provider.delivery_id.first().is_some_and(in_body)
}

fn horizon(provider: &Provider) -> Duration {
    if provider.retry_for.is_zero() { USUAL_HORIZON } else { provider.retry_for }
}

fn name(parts: &[&[u8]]) -> Name {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update(part.len().to_be_bytes());
        digest.update(part);
    }
    let mut name = Name::default();
    name.copy_from_slice(&digest.finalize()[..size_of::<Name>()]);
    name
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::webhook::table::Table;

    const MINUTE: u64 = 60_000_000_000;

    /// Delivery `id` at a minute, from a source, with a body and an answer after some seconds.
    #[derive(Clone, Copy)]
    struct Step(&'static str, u64, &'static str, u8, Option<(u16, u64)>, Option<Status>);

    fn check(description: &str, provider: &str, steps: &[(Step, Replay)]) {
        let table = Table::new(&[]);
        let mut provider = Arc::clone(&table.providers()[table.position(provider).unwrap()]);
        if provider.name == "github" {
            Arc::make_mut(&mut provider).networks = vec!["140.82.112.0/20".parse().unwrap()];
        }
        let mut memory = Memory::default();
        for (index, (Step(id, minute, source, body, answer, signature), expected)) in
            steps.iter().enumerate()
        {
            let seen = Seen {
                provider: &provider,
                delivery_id: id,
                source: source.parse().unwrap(),
                time: Timestamp(minute * MINUTE),
                answer: answer.map(|(status, took)| (status, Duration::from_secs(took))),
                body: Some(std::slice::from_ref(body)),
                signature: *signature,
            };
            assert_eq!(memory.judge(&seen), *expected, "{description}, step {index}");
            // What outlives a restart is enough to go on with.
            let kept: Vec<_> = memory.remembered().copied().collect();
            memory = Memory::restored(kept);
        }
    }

    #[test]
    fn retries_and_replays() {
        use Replay::{First, Replayed, Retry};
        let (home, away) = ("140.82.112.1", "203.0.113.9");
        let ok = Some((200, 1));
        let valid = Some(Status::Valid);
        check(
            "our failure, twice, then success, then once more",
            "github",
            &[
                (Step("a", 0, home, 1, Some((500, 1)), valid), First),
                (Step("a", 1, home, 1, Some((503, 1)), valid), Retry),
                (Step("a", 2, home, 1, ok, valid), Retry),
                (Step("a", 3, home, 1, ok, valid), Replayed(Why::AfterSuccess)),
                (Step("b", 3, home, 2, ok, valid), First),
            ],
        );
        check(
            "an answer too late, and none at all",
            "github",
            &[
                (Step("a", 0, home, 1, Some((200, 11)), valid), First),
                (Step("a", 1, home, 1, None, valid), Retry),
                (Step("a", 2, home, 1, ok, valid), Retry),
            ],
        );
        check(
            "from elsewhere, though the first failed",
            "github",
            &[
                (Step("a", 0, home, 1, Some((500, 1)), valid), First),
                (Step("a", 1, away, 1, ok, valid), Replayed(Why::OtherSource)),
            ],
        );
        check(
            "an old signature",
            "slack",
            &[
                (Step("a", 0, away, 1, Some((500, 1)), valid), First),
                (Step("a", 30, away, 1, ok, Some(Status::Stale)), Replayed(Why::OldTimestamp)),
            ],
        );
    }

    #[test]
    fn forged_and_forgotten() {
        use Replay::{First, Replayed};
        let (home, away) = ("140.82.112.1", "203.0.113.9");
        let ok = Some((200, 1));
        let valid = Some(Status::Valid);
        check(
            "one body under two identifiers, where those are not signed, and where they are",
            "github",
            &[
                (Step("a", 0, home, 1, ok, valid), First),
                (Step("b", 1, home, 1, ok, valid), Replayed(Why::SameBodyNewId)),
            ],
        );
        check(
            "the same where identifiers are signed",
            "svix",
            &[(Step("a", 0, home, 1, ok, valid), First), (Step("b", 1, home, 1, ok, valid), First)],
        );
        check(
            "beyond the horizon, which is three days",
            "github",
            &[
                (Step("a", 0, home, 1, ok, valid), First),
                (Step("a", 3 * 24 * 60 + 1, home, 1, ok, valid), First),
            ],
        );
        check(
            "a forged one is not remembered",
            "github",
            &[
                (Step("a", 0, away, 1, ok, Some(Status::Invalid)), First),
                (Step("a", 1, home, 1, ok, valid), First),
            ],
        );
    }
}
