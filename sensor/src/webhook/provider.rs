//! How a provider is told from its headers, and what else its headers say.
//!
//! It must not know any provider by name; those are in the table.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::Signature;
use super::providers::PROVIDERS;
use crate::http::Headers;

/// Longest identifier or event type that is taken. Providers use up to 64 octets; what is several
/// times longer is not an identifier, and would only make records large.
const MAX_IDENTIFIER_BYTES: usize = 256;

/// A sender of webhooks, by its headers. Names of headers are in lower case.
#[derive(Debug)]
pub(super) struct Provider {
    /// The name in records.
    pub(super) name: &'static str,
    /// Any of these tells the provider.
    pub(super) marks: &'static [Mark],
    /// Headers with the name of what happened; the first that is there counts.
    pub(super) event_type: &'static [&'static str],
    /// Headers with the identifier that stays over retries; the first that is there counts.
    pub(super) delivery_id: &'static [&'static str],
    /// The header with the number of the attempt.
    pub(super) attempt: Option<Attempt>,
    /// Headers with a signature or a shared secret; empty when it signs elsewhere or not at all.
    pub(super) signatures: &'static [&'static str],
}

/// A header whose presence, or whose value's start, tells a provider.
#[derive(Debug)]
pub(super) struct Mark {
    pub(super) header: &'static str,
    pub(super) value_prefix: &'static str,
}

impl Mark {
    pub(super) const fn header(header: &'static str) -> Self {
        Self { header, value_prefix: "" }
    }

    pub(super) const fn value(header: &'static str, value_prefix: &'static str) -> Self {
        Self { header, value_prefix }
    }

    fn is_on(&self, headers: &Headers) -> bool {
        headers.all(self.header).any(|value| value.starts_with(self.value_prefix.as_bytes()))
    }
}

/// A header that counts attempts.
#[derive(Debug)]
pub(super) struct Attempt {
    header: &'static str,
    /// What is added to its number, so that the first attempt is 1.
    offset: u32,
}

impl Attempt {
    /// A header that is 1 on the first attempt.
    pub(super) const fn counted(header: &'static str) -> Self {
        Self { header, offset: 0 }
    }

    /// A header that counts retries: 1 on the second attempt.
    pub(super) const fn retries(header: &'static str) -> Self {
        Self { header, offset: 1 }
    }
}

impl Provider {
    /// The provider that these headers tell.
    pub(super) fn of(headers: &Headers) -> Option<&'static Self> {
        PROVIDERS.iter().find(|provider| provider.marks.iter().any(|mark| mark.is_on(headers)))
    }

    /// The provider's name for what happened.
    pub(super) fn event_type(&self, headers: &Headers) -> Option<String> {
        first_identifier(self.event_type, headers)
    }

    /// The provider's identifier of the delivery.
    pub(super) fn delivery_id(&self, headers: &Headers) -> Option<String> {
        first_identifier(self.delivery_id, headers)
    }

    /// The number of this attempt, from 1.
    pub(super) fn attempt(&self, headers: &Headers) -> Option<u32> {
        let attempt = self.attempt.as_ref()?;
        let value = std::str::from_utf8(headers.first(attempt.header)?).ok()?;
        value.trim().parse::<u32>().ok()?.checked_add(attempt.offset)
    }

    /// Whether the signature that the provider always sends is there.
    pub(super) fn signature(&self, headers: &Headers) -> Signature {
        if self.signatures.is_empty() {
            Signature::NotApplicable
        } else if self.signatures.iter().any(|name| headers.first(name).is_some()) {
            Signature::Unchecked
        } else {
            Signature::Missing
        }
    }
}

/// What the table says of a header, for those who decide what may be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeaderRole {
    /// It holds a signature or a shared secret of a provider.
    Signature,
    /// It holds an identifier or an event type of a provider.
    Identifier,
}

/// The role of the header `name`, in lower case, in any row of the table. One that is both to
/// different providers is a signature.
#[must_use]
pub fn header_role(name: &[u8]) -> Option<HeaderRole> {
    /// The columns of the table turned around, because this is asked of every header.
    static ROLES: LazyLock<HashMap<&[u8], HeaderRole>> = LazyLock::new(|| {
        let identifiers =
            PROVIDERS.iter().flat_map(|row| row.delivery_id.iter().chain(row.event_type));
        let signatures = PROVIDERS.iter().flat_map(|row| row.signatures);
        let identifiers = identifiers.map(|name| (name.as_bytes(), HeaderRole::Identifier));
        identifiers.chain(signatures.map(|name| (name.as_bytes(), HeaderRole::Signature))).collect()
    });
    ROLES.get(name).copied()
}

fn first_identifier(names: &[&'static str], headers: &Headers) -> Option<String> {
    names.iter().find_map(|name| headers.first(name).and_then(identifier))
}

/// `value` as an identifier: not empty, and not too long to be one.
pub(super) fn identifier(value: &[u8]) -> Option<String> {
    let value = value.trim_ascii();
    let fits = (1..=MAX_IDENTIFIER_BYTES).contains(&value.len());
    fits.then(|| String::from_utf8_lossy(value).into_owned())
}
