//! One check of one delivery: its scheme, its keys, its time.
//!
//! It must not know which provider or endpoint it is for beyond what the terms say.

use std::borrow::Cow;
use std::time::Duration;

use super::key::{Key, Secret};
use super::presented::{Presented, Signatures};
use super::sign::Signed;
use super::{Reason, Signature, Status, guess, time};
use crate::config::{Algorithm, Part, Provider, Scheme, Source};
use crate::time::Timestamp;
use crate::webhook::message::{Message, NoContent};

/// The keys of one endpoint for one provider, by scheme.
#[derive(Debug)]
pub struct Check {
    /// For each scheme of the provider, the secrets that can be its keys.
    pub(super) keys: Vec<Vec<Key>>,
    has_secrets: bool,
}

/// What an endpoint adds to what the request says.
#[derive(Debug, Clone, Copy, Default)]
pub struct Terms<'a> {
    /// The URL by which the provider reached the endpoint; empty when not known.
    pub url: &'a str,
    /// What the provider calls the subscription; empty when not known.
    pub subscription: &'a str,
    /// Every secret there is, to say which other one would match; empty to say less.
    pub others: &'a [Secret],
    /// Whether to look for what an invalid signature would match.
    pub diagnose: bool,
}

impl Check {
    /// The keys that `secrets` are to the schemes of `provider`.
    #[must_use]
    pub fn new(provider: &Provider, secrets: &[Secret]) -> Self {
        let keys_of = |scheme: &Scheme| {
            let key = |secret| Key::new(secret, scheme.algorithm, scheme.key).ok();
            secrets.iter().filter_map(key).collect()
        };
        Self {
            keys: provider.signature.iter().map(keys_of).collect(),
            has_secrets: !secrets.is_empty(),
        }
    }

    /// Whether a secret can be a key of any scheme.
    #[must_use]
    pub fn has_keys(&self) -> bool {
        self.keys.iter().any(|keys| !keys.is_empty())
    }

    /// Checks `message`, which arrived at `now` and is from `provider`; `None` when that does not
    /// sign.
    #[must_use]
    pub fn judge(
        &self,
        provider: &Provider,
        message: &Message<'_>,
        now: Timestamp,
        terms: Terms<'_>,
    ) -> Option<Signature> {
        if provider.signature.is_empty() {
            return None;
        }
        let Some(choice) = self.choose(provider, message, terms) else {
            return Some(absent(&provider.signature, message));
        };
        let Choice { scheme, keys, presented, .. } = choice;
        let trial = Trial { scheme, keys, presented, message, provider, terms };
        Some(self.try_keys(&trial, now))
    }

    /// The scheme to check by: the first whose signature is there and which can be checked with
    /// what is known, or else the first whose signature is there.
    pub(super) fn choose<'c>(
        &'c self,
        provider: &'c Provider,
        message: &Message<'c>,
        terms: Terms<'_>,
    ) -> Option<Choice<'c>> {
        let mut there = provider.signature.iter().zip(&self.keys).filter_map(|(scheme, keys)| {
            let presented = Presented::new(scheme, message)?;
            Some(Choice { scheme, keys, presented, passed_over: None })
        });
        let first = there.next()?;
        let Some(lack) = first.lack(terms) else { return Some(first) };
        let Some(other) = there.find(|other| other.lack(terms).is_none()) else {
            return Some(first);
        };
        Some(Choice { passed_over: Some((first.scheme, lack)), ..other })
    }

    fn try_keys(&self, trial: &Trial<'_, '_>, now: Timestamp) -> Signature {
        let name = trial.scheme.algorithm.name();
        if !self.has_secrets {
            return Signature::new(Status::Unchecked, Reason::NoSecret, Some(name));
        }
        // The head is disputed with the body, so that not even a token proves what the server read.
        if trial.message.content == Err(NoContent::Disputed) {
            let reason = Reason::Body(NoContent::Disputed);
            return Signature::new(Status::Unverifiable, reason, Some(name));
        }
        let mut result = match trial.result() {
            Ok(key) => {
                let mut valid = Signature::new(Status::Valid, None, Some(name));
                valid.key_id = Some(key.reference.clone());
                valid
            }
            Err(reason) => Signature::new(status_of(&reason), reason, Some(name)),
        };
        // The field that does not fit, or is not there, may be the one that was cut.
        if result.status == Status::Invalid && trial.message.content == Err(NoContent::CutHead) {
            let reason = Reason::Body(NoContent::CutHead);
            return Signature::new(Status::Unverifiable, reason, Some(name));
        }
        let signed_at = trial.presented.timestamp(trial.scheme, trial.message);
        let signed_at = signed_at.and_then(|text| time::milliseconds(&text));
        result.skew_ms = signed_at.map(|signed_at| skew(signed_at, now));
        if result.status == Status::Valid && !trial.scheme.tolerance.is_zero() {
            judge_time(&mut result, trial.scheme.tolerance);
        }
        result
    }
}

/// The scheme that a message is checked by.
#[derive(Debug)]
pub(super) struct Choice<'c> {
    pub(super) scheme: &'c Scheme,
    pub(super) keys: &'c [Key],
    pub(super) presented: Presented<'c>,
    /// The scheme that comes before it, whose signature is there too, and why that says nothing.
    pub(super) passed_over: Option<(&'c Scheme, Reason)>,
}

impl Choice<'_> {
    /// What is not known without which no signature of the scheme can be checked.
    fn lack(&self, terms: Terms<'_>) -> Option<Reason> {
        let covers = |part| self.scheme.covers(&part);
        if self.keys.is_empty() {
            Some(Reason::NoUsableKey)
        } else if terms.url.is_empty() && (covers(Part::Url) || covers(Part::HubspotUrl)) {
            Some(Reason::NoPublicUrl)
        } else if terms.subscription.is_empty() && covers(Part::Subscription) {
            Some(Reason::NoSubscription)
        } else {
            None
        }
    }
}

/// One scheme tried on one message.
struct Trial<'t, 'm> {
    scheme: &'t Scheme,
    keys: &'t [Key],
    presented: Presented<'m>,
    message: &'t Message<'m>,
    provider: &'t Provider,
    terms: Terms<'t>,
}

impl Trial<'_, '_> {
    /// The key that made the signature, or why there is none.
    fn result(&self) -> Result<&Key, Reason> {
        let signatures = &self.presented.signatures(self.scheme);
        if signatures.count() == 0 {
            return Err(Reason::Malformed);
        }
        let ids: &[Source] = &self.provider.delivery_id;
        let surroundings = (self.terms.url, self.terms.subscription);
        let mut signed =
            Signed::new(self.scheme, ids, self.message, &self.presented, surroundings)?;
        if self.keys.is_empty() {
            return Err(Reason::NoUsableKey);
        }
        let mut key = self.key_of(signatures, &signed);
        if key.is_none()
            && let Some(url) = signed.other_url()
        {
            signed.url = Cow::Owned(url);
            key = self.key_of(signatures, &signed);
        }
        if let Some(key) = key {
            return Ok(key);
        }
        let is_token = self.scheme.algorithm == Algorithm::Token;
        let mismatch = if is_token { Reason::OtherToken } else { Reason::Mismatch };
        if !self.terms.diagnose {
            return Err(mismatch);
        }
        let guess = guess::guess(self.scheme, self.keys, self.terms.others, signatures, signed);
        Err(guess.map_or(mismatch, Reason::WouldMatch))
    }

    /// The key that made one of `signatures` over what is `signed`.
    fn key_of(&self, signatures: &Signatures, signed: &Signed<'_>) -> Option<&Key> {
        self.keys.iter().find(|key| key.made(signatures, signed))
    }
}

/// Without a signature: missing, unless it may be in a part that is not known.
fn absent(schemes: &[Scheme], message: &Message<'_>) -> Signature {
    let in_body = schemes.iter().all(|scheme| !matches!(scheme.signature, Source::Header(_)));
    match message.content {
        Err(why @ (NoContent::CutHead | NoContent::Disputed)) => {
            Signature::new(Status::Unverifiable, Reason::Body(why), None)
        }
        Err(why) if in_body => Signature::new(Status::Unverifiable, Reason::Body(why), None),
        _ => Signature::new(Status::Missing, None, None),
    }
}

const fn status_of(reason: &Reason) -> Status {
    match reason {
        Reason::NoSecret => Status::Unchecked,
        Reason::NoUsableKey
        | Reason::Body(_)
        | Reason::Doubtful
        | Reason::NoPublicUrl
        | Reason::NoSubscription => Status::Unverifiable,
        Reason::NoTimestamp
        | Reason::NoId
        | Reason::Malformed
        | Reason::BodyHash
        | Reason::Mismatch
        | Reason::OtherToken
        | Reason::WouldMatch(_) => Status::Invalid,
        Reason::TooOld | Reason::InFuture => Status::Stale,
    }
}

fn judge_time(result: &mut Signature, tolerance: Duration) {
    let tolerance = i64::try_from(tolerance.as_millis()).unwrap_or(i64::MAX);
    let reason = match result.skew_ms {
        None => Some(Reason::NoTimestamp),
        Some(skew) if skew > tolerance => Some(Reason::TooOld),
        Some(skew) if skew < -tolerance => Some(Reason::InFuture),
        Some(_) => None,
    };
    if let Some(reason) = reason {
        result.status = status_of(&reason);
        result.reason = Some(reason);
    }
}

/// Milliseconds from `signed_at` to `now`.
fn skew(signed_at: i64, now: Timestamp) -> i64 {
    let now = i64::try_from(now.0 / 1_000_000).unwrap_or(i64::MAX);
    now.saturating_sub(signed_at)
}
