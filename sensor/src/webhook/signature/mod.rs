//! Whether a delivery is signed by whom it says: the schemes of the table, checked.
//!
//! Pure: time is the packet's. It must not read secrets, only hold them.

mod check;
mod der;
mod explain;
mod guess;
mod key;
mod presented;
mod rewritten;
mod sign;
mod time;

use std::fmt;
use std::sync::Arc;

use super::message::NoContent;

pub use check::{Check, Terms};
pub use explain::{explain, is_misshapen};
pub use guess::Guess;
pub use key::{Key, KeyError, Secret};
pub(crate) use presented::hexadecimal;

/// What is known of a delivery's signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// The result.
    pub status: Status,
    /// Why it is not valid.
    pub reason: Option<Reason>,
    /// The algorithm, where a signature was there.
    pub scheme: Option<&'static str>,
    /// The reference of the secret that made it.
    pub key_id: Option<Arc<str>>,
    /// Milliseconds from the signed time to the packet's; negative when it was signed later.
    pub skew_ms: Option<i64>,
}

/// The result of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// One of the secrets made it.
    Valid,
    /// None of the secrets made it.
    Invalid,
    /// The provider signs, and there is no signature.
    Missing,
    /// One of the secrets made it, and too long ago or in the future.
    Stale,
    /// What would be needed to check it is not known.
    Unverifiable,
    /// No secret is configured to check it.
    Unchecked,
}

impl Status {
    /// Every status, in the order of their numbers.
    pub const ALL: [Self; 6] = [
        Self::Valid,
        Self::Invalid,
        Self::Missing,
        Self::Stale,
        Self::Unverifiable,
        Self::Unchecked,
    ];

    /// The name that stands in records.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::Invalid => "invalid",
            Self::Missing => "missing",
            Self::Stale => "stale",
            Self::Unverifiable => "unverifiable",
            Self::Unchecked => "unchecked",
        }
    }
}

/// Why a signature is not valid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// No secret is configured for the endpoint.
    NoSecret,
    /// No configured secret can be a key of this scheme.
    NoUsableKey,
    /// The body is not there, or not whole.
    Body(NoContent),
    /// The request may be none, but part of the body of another one.
    Doubtful,
    /// The signature covers the URL, and the endpoint has no `public_url`.
    NoPublicUrl,
    /// The signature covers the subscription, and the endpoint has none.
    NoSubscription,
    /// The signed time is not there, or is none.
    NoTimestamp,
    /// The signed identifier is not there.
    NoId,
    /// It is not written as this provider writes signatures.
    Malformed,
    /// The body's hash in the URL is not that of the body.
    BodyHash,
    /// It is of another text or of another secret.
    Mismatch,
    /// It is a token, and another one than the secret.
    OtherToken,
    /// It would be valid under another condition.
    WouldMatch(Guess),
    /// It was made longer ago than is tolerated.
    TooOld,
    /// It says it was made later than it arrived.
    InFuture,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSecret => f.write_str("no secret is configured for the endpoint"),
            Self::NoUsableKey => {
                f.write_str("no configured secret is written as this provider's are")
            }
            Self::Body(NoContent::NotKept) => f.write_str("the body was not kept"),
            Self::Body(NoContent::Cut) => f.write_str("the body was cut"),
            Self::Body(NoContent::NoMemory) => f.write_str("no memory was left for the body"),
            Self::Body(NoContent::Gap) => f.write_str("segments of the body are missing"),
            Self::Body(NoContent::CutHead) => {
                f.write_str("nothing of the body was seen, and fields of the head may be missing")
            }
            Self::Body(NoContent::Sampled) => f.write_str("the body was sampled out"),
            Self::Body(NoContent::Disputed) => {
                f.write_str("segments of the request contradict each other")
            }
            Self::Doubtful => {
                f.write_str("the request may be part of the body of one whose head was not seen")
            }
            Self::NoPublicUrl => {
                f.write_str("the signature covers the URL; the endpoint needs public_url")
            }
            Self::NoSubscription => {
                f.write_str("the signature covers the subscription; the endpoint needs it")
            }
            Self::NoTimestamp => f.write_str("the signed time is missing"),
            Self::NoId => f.write_str("the signed identifier is missing"),
            Self::Malformed => f.write_str("not written as this provider writes signatures"),
            Self::BodyHash => f.write_str("the hash in the URL is not that of the body"),
            Self::Mismatch => f.write_str("made with another secret, or over another text"),
            Self::OtherToken => f.write_str("it is another token than the secret"),
            Self::WouldMatch(guess) => write!(f, "would be valid {guess}"),
            Self::TooOld => f.write_str("signed longer ago than is tolerated"),
            Self::InFuture => f.write_str("signed for a later time than is tolerated"),
        }
    }
}

impl Signature {
    /// The same of a request that may be part of another one's body. Only a valid one proves that
    /// it is a request.
    #[must_use]
    pub fn doubted(self) -> Self {
        match self.status {
            Status::Missing | Status::Invalid | Status::Stale => {
                Self { status: Status::Unverifiable, reason: Some(Reason::Doubtful), ..self }
            }
            Status::Valid | Status::Unverifiable | Status::Unchecked => self,
        }
    }

    fn new(
        status: Status,
        reason: impl Into<Option<Reason>>,
        scheme: Option<&'static str>,
    ) -> Self {
        Self { status, reason: reason.into(), scheme, key_id: None, skew_ms: None }
    }
}

#[cfg(test)]
mod tests;
