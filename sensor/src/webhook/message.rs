//! A request as one place to look values up in: headers, query, the JSON or the form
//! of its body.
//!
//! It must not know what a value means.

use std::borrow::Cow;

use crate::config::{Mark, Source};
use crate::http::{Anomaly, Coverage, Exchange, Headers, Request, Target};

use super::{form, json};

/// Longest identifier or event type that is taken. Providers use up to 64 octets; what is several
/// times longer is not an identifier, and would only make records large.
const MAX_IDENTIFIER_BYTES: usize = 256;

/// A request and what is known of its body.
#[derive(Debug, Clone, Copy)]
pub struct Message<'a> {
    /// The method.
    pub method: &'a [u8],
    /// The request target.
    pub target: &'a [u8],
    /// The header fields.
    pub headers: &'a Headers,
    /// The content, or why it is not there whole.
    pub content: Result<&'a [u8], NoContent>,
}

/// Why the content of a body is not there, or not whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoContent {
    /// Bodies of this port are not kept.
    NotKept,
    /// It ended early, or is longer than what is kept.
    Cut,
    /// No memory was left for it: too much of other bodies was under way.
    NoMemory,
    /// Segments are missing.
    Gap,
    /// Nothing of it was seen, so that the head may have ended early too.
    CutHead,
    /// Its connection was not being copied up.
    Sampled,
    /// Segments that contradict each other carried it, and which of them the server took is not
    /// known (RFC 9293 leaves that to it).
    Disputed,
}

impl<'a> Message<'a> {
    /// The message that `request` of `exchange` was.
    #[must_use]
    pub fn new(request: &'a Request, exchange: &Exchange) -> Self {
        Self {
            method: &request.method,
            target: &request.target,
            headers: &request.headers,
            content: content(request, exchange),
        }
    }

    /// The value at `source`, as it was sent; a JSON number or truth value as its text.
    pub(super) fn find(&self, source: &Source) -> Option<Cow<'a, [u8]>> {
        match source {
            Source::Header(name) => self.headers.first(name).map(Cow::Borrowed),
            Source::Json(pointer) => {
                json::at(self.content.ok()?, pointer).map(|text| Cow::Owned(text.into_bytes()))
            }
            Source::Form(name) => field(self.content.ok()?, name),
            Source::Query(name) => field(Target::parse(self.method, self.target).query?, name),
            Source::Item(_) => None,
        }
    }

    /// The identifier at the first of `sources` that has one.
    #[must_use]
    pub fn identifier(&self, sources: &[Source]) -> Option<String> {
        sources.iter().find_map(|source| identifier(&self.find(source)?))
    }

    /// Whether `mark` is on the message: a header starts as it says, any other value is it.
    pub(super) fn bears(&self, mark: &Mark) -> bool {
        let value = mark.value.as_bytes();
        self.find(&mark.source).is_some_and(|found| match mark.source {
            Source::Header(_) => found.starts_with(value),
            Source::Json(_) | Source::Form(_) | Source::Query(_) | Source::Item(_) => {
                value.is_empty() || *found == *value
            }
        })
    }

    /// Whether all that it has is the field of a form that `mark` names, with a number.
    pub(super) fn is_only(&self, mark: &Mark) -> bool {
        let (Source::Form(name), Ok(content)) = (&mark.source, self.content) else { return false };
        let mut fields = form::fields(content);
        let is_it = |(field, value): (Cow<'_, [u8]>, Cow<'_, [u8]>)| {
            *field == *name.as_bytes() && value.iter().all(u8::is_ascii_digit)
        };
        fields.next().is_some_and(is_it) && fields.next().is_none()
    }
}

/// The value of the first field of this name in a form.
fn field<'a>(form: &'a [u8], name: &str) -> Option<Cow<'a, [u8]>> {
    form::fields(form).find(|(field, _)| **field == *name.as_bytes()).map(|(_, value)| value)
}

fn content<'r>(request: &'r Request, exchange: &Exchange) -> Result<&'r [u8], NoContent> {
    let (body, coverage) = (&request.body, exchange.coverage);
    match &body.content {
        _ if exchange.anomalies.contains(&Anomaly::ConflictingSegments) => Err(NoContent::Disputed),
        _ if may_lack_fields(request, coverage) => Err(NoContent::CutHead),
        Some(content) if !body.truncated => Ok(content),
        None if body.unkept && !body.truncated => Err(NoContent::NoMemory),
        _ if coverage.has(Coverage::GAP) || coverage.has(Coverage::MIDSTREAM) => {
            Err(NoContent::Gap)
        }
        _ if coverage.has(Coverage::SAMPLED) => Err(NoContent::Sampled),
        _ if body.truncated || coverage.has(Coverage::TRUNCATED) => Err(NoContent::Cut),
        _ if body.bytes == 0 => Ok(&[]),
        _ => Err(NoContent::NotKept),
    }
}

/// Whether the head of `request` may have ended early: something is missing, and no body began.
fn may_lack_fields(request: &Request, coverage: Coverage) -> bool {
    let causes = [Coverage::GAP, Coverage::TRUNCATED, Coverage::SAMPLED];
    request.body.bytes == 0 && causes.into_iter().any(|cause| coverage.has(cause))
}

/// `value` as an identifier: not empty, and not too long to be one.
pub(super) fn identifier(value: &[u8]) -> Option<String> {
    let value = value.trim_ascii();
    let fits = (1..=MAX_IDENTIFIER_BYTES).contains(&value.len());
    // Nearly all are text, which is seen in much less than a look for what is none.
    fits.then(|| match std::str::from_utf8(value) {
        Ok(text) => text.to_owned(),
        Err(_) => String::from_utf8_lossy(value).into_owned(),
    })
}
