//! Retry or replay: what is remembered of deliveries to tell one that comes again.
//!
//! Pure: time is the packet's. It must not know how what it remembers outlives a restart.

use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use lru::LruCache;

use super::remembered::{self, Name, Remembered};
use super::signature::Status;
use crate::config::{Part, Provider};
use crate::net::{is_local, one_host};
use crate::time::Timestamp;

/// Deliveries that are remembered; the longest unseen is forgotten first, and then passes for a
/// first one. At some 200 octets each this is 13 MiB.
const REMEMBERED: NonZeroUsize = NonZeroUsize::new(65_536).expect("not zero");

/// How long a delivery is remembered at least, and where its provider says nothing of retries: a
/// copy that is sent after the provider gave up is a replay all the more.
const SHORTEST_HORIZON: Duration = Duration::from_hours(24);

/// How soon an answer has come in time where the provider does not say: as most of them want it.
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
    /// Its body came before under another identifier, which the signature does not cover, and from
    /// the same host. Two hooks of one sender do this too.
    SameBodyNewId,
    /// As that, and from another host: one outside the networks that are known of the provider, or
    /// any where nothing vouches for the body. The hooks of an organisation and of its repository
    /// send the same payload from whichever of the provider's hosts comes next.
    SameBodyOtherSource,
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
            Self::SameBodyOtherSource => {
                "the same body came before under another identifier, from another source"
            }
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
    /// Whether its endpoint has secrets, so that what is genuine proves it.
    pub expects_signature: bool,
}

/// Deliveries of the recent past.
#[derive(Debug)]
pub struct Memory {
    by_id: LruCache<Name, Remembered>,
    /// The delivery of each body, by the start of its hash.
    by_body: LruCache<Name, Name>,
}

impl Default for Memory {
    fn default() -> Self {
        Self { by_id: LruCache::new(REMEMBERED), by_body: LruCache::new(REMEMBERED) }
    }
}

impl Memory {
    /// The memory that [`Memory::to_octets`] wrote; what is not whole at its end is left out.
    #[must_use]
    pub fn from_octets(octets: &[u8]) -> Self {
        let mut memory = Self::default();
        for one in octets.as_chunks().0 {
            memory.put(Remembered::from_octets(one));
        }
        memory
    }

    /// What is remembered, the longest unseen first. Neither an identifier nor anything of a body
    /// is in it, only hashes of them; addresses are.
    #[must_use]
    pub fn to_octets(&self) -> Vec<u8> {
        self.by_id.iter().rev().flat_map(|(_, one)| one.to_octets()).collect()
    }

    /// Says what a delivery is, and remembers it.
    pub fn judge(&mut self, seen: &Seen<'_>) -> Replay {
        let name = remembered::name(&[seen.provider.name.as_bytes(), seen.delivery_id.as_bytes()]);
        let body = seen.body.filter(|_| !covers_id(seen.provider));
        let body = body.map(|body| remembered::name(&[seen.provider.name.as_bytes(), body]));
        let source = one_host(seen.source).addr();
        let from_provider = is_from_provider(seen);
        let earlier = self.by_id.get(&name).copied().filter(|one| one.is_near(seen.time));
        let replay = match earlier {
            Some(earlier) => again(&earlier, seen, from_provider),
            None => match self.same_body(name, body, seen) {
                Some(other) if other.source == source || is_plausible(seen, from_provider) => {
                    Replay::Replayed(Why::SameBodyNewId)
                }
                Some(_) => Replay::Replayed(Why::SameBodyOtherSource),
                None => Replay::First,
            },
        };
        let settled = is_settled(seen) || earlier.is_some_and(|earlier| earlier.settled);
        if is_worth_remembering(seen) {
            let horizon = horizon(seen.provider).as_nanos();
            let horizon = u64::try_from(horizon).unwrap_or(u64::MAX);
            let last = seen.time.0;
            self.put(Remembered { name, body, source, last, horizon, settled, from_provider });
        }
        replay
    }

    /// The delivery that brought the body of this one before, under an identifier that nothing
    /// vouches for.
    fn same_body(&mut self, name: Name, body: Option<Name>, seen: &Seen<'_>) -> Option<Remembered> {
        let other = *self.by_body.get(&body?)?;
        let other = self.by_id.peek(&other).filter(|one| one.name != name)?;
        other.is_near(seen.time).then_some(*other)
    }

    fn put(&mut self, one: Remembered) {
        if let Some(body) = one.body {
            self.by_body.put(body, one.name);
        }
        self.by_id.put(one.name, one);
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

/// Whether it may be genuine: a forged one must not make the genuine one that follows look like a
/// replay, and where signatures can be checked, what bears none that stands, under identifiers that
/// a stranger chose, must not push out what does.
fn is_worth_remembering(seen: &Seen<'_>) -> bool {
    match seen.signature {
        Some(Status::Valid | Status::Stale) => true,
        Some(Status::Invalid | Status::Missing) => false,
        None | Some(Status::Unverifiable | Status::Unchecked) => !seen.expects_signature,
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

/// Whether the provider itself may have sent it, as far as its source and its signature tell.
fn is_plausible(seen: &Seen<'_>, from_provider: bool) -> bool {
    let is_signed = seen.signature == Some(Status::Valid);
    let is_from_anywhere = seen.provider.networks.is_empty() || is_local(seen.source);
    from_provider || (is_signed && is_from_anywhere)
}

/// Whether the identifier is signed, so that nobody else can give a body another one.
fn covers_id(provider: &Provider) -> bool {
    let in_body = |source: &crate::config::Source| matches!(source, crate::config::Source::Json(_));
    provider.signature.iter().any(|scheme| scheme.signed.0.contains(&Part::Id))
        || provider.delivery_id.first().is_some_and(in_body)
}

fn horizon(provider: &Provider) -> Duration {
    provider.retry_for.max(SHORTEST_HORIZON)
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
                expects_signature: *signature != Some(Status::Unchecked),
            };
            assert_eq!(memory.judge(&seen), *expected, "{description}, step {index}");
            // What outlives a restart is enough to go on with.
            memory = Memory::from_octets(&memory.to_octets());
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
                (Step("c", 2, "140.82.112.7", 1, ok, valid), Replayed(Why::SameBodyNewId)),
                (Step("d", 3, away, 1, ok, valid), Replayed(Why::SameBodyOtherSource)),
                (Step("e", 4, "10.1.2.3", 1, ok, valid), Replayed(Why::SameBodyNewId)),
            ],
        );
        let unchecked = Some(Status::Unchecked);
        check(
            "the same from two hosts of a provider whose networks are not known",
            "gitea",
            &[
                (Step("a", 0, home, 1, ok, valid), First),
                (Step("b", 1, away, 1, ok, valid), Replayed(Why::SameBodyNewId)),
                (Step("c", 2, home, 1, ok, unchecked), Replayed(Why::SameBodyOtherSource)),
            ],
        );
        check(
            "the same where identifiers are signed",
            "svix",
            &[(Step("a", 0, home, 1, ok, valid), First), (Step("b", 1, home, 1, ok, valid), First)],
        );
        check(
            "after its provider gave up, within minutes",
            "discord",
            &[
                (Step("a", 0, away, 1, ok, valid), First),
                (Step("a", 23 * 60, away, 1, ok, valid), Replayed(Why::AfterSuccess)),
                (Step("a", 2 * 24 * 60, away, 1, ok, valid), First),
            ],
        );
        check(
            "beyond the horizon, which is three days",
            "github",
            &[
                (Step("a", 0, home, 1, ok, valid), First),
                (Step("a", 3 * 24 * 60 + 1, home, 1, ok, valid), First),
            ],
        );
    }

    #[test]
    fn what_is_not_remembered() {
        use Replay::{First, Replayed, Retry};
        let (home, away) = ("140.82.112.1", "203.0.113.9");
        let ok = Some((200, 1));
        let valid = Some(Status::Valid);
        check(
            "before the clock was put back by an hour, and by a minute",
            "github",
            &[
                (Step("a", 120, home, 1, ok, valid), First),
                (Step("a", 60, home, 1, ok, valid), First),
                (Step("a", 59, home, 1, ok, valid), Replayed(Why::AfterSuccess)),
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
        check(
            "one that cannot be verified is not remembered where it should be, nor changes what is",
            "github",
            &[
                (Step("a", 0, home, 1, ok, Some(Status::Unverifiable)), First),
                (Step("a", 1, home, 1, Some((500, 1)), valid), First),
                (Step("a", 2, away, 1, ok, Some(Status::Unverifiable)), Replayed(Why::OtherSource)),
                (Step("a", 3, home, 1, ok, valid), Retry),
                (Step("b", 4, away, 2, ok, None), First),
                (Step("b", 5, away, 2, ok, None), First),
            ],
        );
    }
}
