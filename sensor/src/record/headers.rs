//! Header fields as an object: lower-case names, secrets covered, repeated ones as arrays, bounded.
//!
//! It must not know the record around it.

use std::borrow::Cow;
use std::sync::Arc;

use super::fields::{Encoded, Text};
use super::json::write_line;
use super::names::Names;
use crate::http::Headers;
use crate::webhook::{Roles, redact};

/// Fields that a record shows. Real deliveries have under forty; common servers refuse over a
/// hundred.
pub(super) const MAX_FIELDS: usize = 128;

/// Octets of a value that a record shows. Common servers refuse lines over 8 KiB.
pub(super) const MAX_VALUE_BYTES: usize = 8 << 10;

/// Octets of a name that a record shows. No registered name is half as long.
pub(super) const MAX_NAME_BYTES: usize = 256;

/// Octets of a value that has its place whatever is in it: covering a secret puts ten octets where
/// there were at least four, with the name of the parameter or the marks around it.
const SHORT_VALUE_BYTES: usize = MAX_VALUE_BYTES / 4;

/// The lengths and last letters of names, as far as it takes to know that one is there once.
#[derive(Default)]
struct Shapes {
    once: u128,
    again: u128,
}

/// Header fields as a record shows them, encoded.
#[derive(Clone, Copy)]
pub(super) struct HeaderFields<'a> {
    pub(super) fields: Encoded<'a>,
    /// Whether a field, or the end of a name or value, is left out.
    pub(super) is_cut: bool,
}

/// Makes [`HeaderFields`], in memory that is used again.
#[derive(Debug, Default)]
pub(super) struct HeaderEncoder {
    names: Names,
    object: Vec<u8>,
}

impl HeaderEncoder {
    /// Those of `headers`, whose names have these roles.
    pub(super) fn encode(&mut self, headers: &Headers, roles: &Arc<Roles>) -> HeaderFields<'_> {
        let Self { names, object } = self;
        names.believe(roles);
        object.clear();
        object.push(b'{');
        let shapes = Shapes::of(headers);
        let mut is_cut = headers.iter().nth(MAX_FIELDS).is_some();
        for (index, (name, value)) in shown_fields(headers).enumerate() {
            let known = names.of(name);
            let repeated = shapes.has_again(name).then(|| is_repeated(headers, index, name));
            let (is_after, is_before) = repeated.unwrap_or_default();
            if !is_after {
                let separator = if object.len() > 1 { &b","[..] } else { b"" };
                object.extend_from_slice(separator);
                known.write_name(object);
            }
            match (is_after, is_before) {
                (true, _) => {}
                (false, true) => {
                    let fields = shown_fields(headers);
                    let same = fields.filter(|(other, _)| other.eq_ignore_ascii_case(name));
                    let shown = same.map(|(_, value)| Text(known.shown(value).0));
                    write_line(&shown.collect::<Vec<_>>(), object);
                }
                (false, false) => known.write_value(value, object),
            }
            is_cut |= value.len() > SHORT_VALUE_BYTES && known.shown(value).1;
        }
        is_cut |= headers.iter().any(|(name, _)| name.len() > MAX_NAME_BYTES);
        object.push(b'}');
        HeaderFields { fields: Encoded(object), is_cut }
    }
}

/// The fields that are shown, with as much of their names as is.
fn shown_fields(headers: &Headers) -> impl Iterator<Item = (&[u8], &[u8])> {
    let fields = headers.iter().take(MAX_FIELDS);
    fields.map(|(name, value)| (&name[..name.len().min(MAX_NAME_BYTES)], value))
}

/// Whether the field at `index` comes after another one of its name, or before one.
fn is_repeated(headers: &Headers, index: usize, name: &[u8]) -> (bool, bool) {
    let (mut after, mut before) = (false, false);
    for (place, (other, _)) in shown_fields(headers).enumerate() {
        let is_same = place != index && other.eq_ignore_ascii_case(name);
        after |= is_same && place < index;
        before |= is_same && place > index;
    }
    (after, before)
}

impl Shapes {
    fn of(headers: &Headers) -> Self {
        shown_fields(headers).fold(Self::default(), |mut shapes, (name, _)| {
            let shape = Self::bit(name);
            shapes.again |= shapes.once & shape;
            shapes.once |= shape;
            shapes
        })
    }

    /// Whether there may be another name like this one: comparing every two takes long.
    fn has_again(&self, name: &[u8]) -> bool {
        self.again & Self::bit(name) != 0
    }

    /// What differs between most names that a message has, whatever their case.
    fn bit(name: &[u8]) -> u128 {
        /// The bit by which upper and lower case differ.
        const CASE: u8 = 0x20;
        let last = name.last().map_or(0, |letter| usize::from(letter | CASE));
        1 << ((name.len() + 8 * last) % u128::BITS as usize)
    }
}

/// The value of the first header called `name`, in lower case, as it may be shown.
pub(super) fn shown_value<'a>(
    headers: &'a Headers,
    name: &'a str,
    roles: &Roles,
) -> Option<Text<'a>> {
    let value = headers.first(name)?;
    Some(Text(cut(redact::header_value(redact::holding(name.as_bytes(), roles), value)).0))
}

/// Leaves out the end of a value that is too long, between characters, and says whether it did.
pub(super) fn cut(value: Cow<'_, [u8]>) -> (Cow<'_, [u8]>, bool) {
    if value.len() <= MAX_VALUE_BYTES {
        return (value, false);
    }
    let is_inside = |place: &usize| value[*place] & 0b1100_0000 == 0b1000_0000;
    // A character has at most four octets, so that one of four places is between two.
    let end = (MAX_VALUE_BYTES - 3..=MAX_VALUE_BYTES).rev().find(|place| !is_inside(place));
    let end = end.unwrap_or(MAX_VALUE_BYTES);
    let shown = match value {
        Cow::Borrowed(value) => Cow::Borrowed(&value[..end]),
        Cow::Owned(mut value) => {
            value.truncate(end);
            Cow::Owned(value)
        }
    };
    (shown, true)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What is around secrets in URLs, and the shortest secrets there are.
    fn piece() -> impl Strategy<Value = &'static [u8]> {
        let pieces =
            ["://", "@", "?", "#", "&", "=", ";", "/", "a", "key=", "sig=a", "://@", "?key=&"];
        prop::sample::select(pieces.map(str::as_bytes).to_vec())
    }

    proptest! {
        /// The densest secrets are the same few pieces again and again.
        #[test]
        fn a_short_value_has_its_place_whatever_is_covered(
            name in prop::sample::select(vec!["referer", "x-forwarded-host"]),
            pieces in prop::collection::vec(piece(), 1..5),
        ) {
            let value: Vec<u8> =
                pieces.concat().into_iter().cycle().take(SHORT_VALUE_BYTES).collect();
            let holding = redact::holding(name.as_bytes(), &Roles::default());
            prop_assert!(!cut(redact::header_value(holding, &value)).1);
        }
    }
}
