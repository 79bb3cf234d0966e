//! Header fields as an object: lower-case names, secrets covered, repeated ones as arrays, bounded.
//!
//! It must not know the record around it.

use std::borrow::Cow;

use serde::ser::{Serialize, SerializeMap, Serializer};

use super::fields::Text;
use super::redact;
use crate::http::Headers;
use crate::webhook::Roles;

/// Fields that a record shows. Real deliveries have under forty; common servers refuse over a
/// hundred.
pub(super) const MAX_FIELDS: usize = 128;

/// Octets of a value that a record shows. Common servers refuse lines over 8 KiB.
pub(super) const MAX_VALUE_BYTES: usize = 8 << 10;

/// Octets of a name that a record shows. No registered name is half as long.
const MAX_NAME_BYTES: usize = 256;

/// Octets of a value that has its place whatever is in it: covering a secret puts ten octets where
/// there were at least four, with the name of the parameter or the marks around it.
const SHORT_VALUE_BYTES: usize = MAX_VALUE_BYTES / 4;

/// The lengths and last letters of names, as far as it takes to know that one is there once.
#[derive(Default)]
struct Shapes {
    once: u128,
    again: u128,
}

/// Header fields, as a record shows them.
pub(super) struct HeaderFields<'a> {
    headers: &'a Headers,
    roles: &'a Roles,
}

impl<'a> HeaderFields<'a> {
    pub(super) fn new(headers: &'a Headers, roles: &'a Roles) -> Self {
        Self { headers, roles }
    }

    /// Whether a field, or the end of a name or value, is left out.
    pub(super) fn is_cut(&self) -> bool {
        let is_cut = |(name, value): (&[u8], &[u8])| {
            name.len() > MAX_NAME_BYTES
                || (value.len() > SHORT_VALUE_BYTES
                    && shown(&name.to_ascii_lowercase(), value, self.roles).1)
        };
        self.headers.iter().nth(MAX_FIELDS).is_some() || self.headers.iter().any(is_cut)
    }

    /// The fields that are shown, with as much of their names as is.
    fn fields(&self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> {
        let fields = self.headers.iter().take(MAX_FIELDS);
        fields.map(|(name, value)| (&name[..name.len().min(MAX_NAME_BYTES)], value))
    }

    fn shapes(&self) -> Shapes {
        self.fields().fold(Shapes::default(), |mut shapes, (name, _)| {
            let shape = Shapes::bit(name);
            shapes.again |= shapes.once & shape;
            shapes.once |= shape;
            shapes
        })
    }

    /// The values of the fields called `name`, in lower case.
    fn values(&self, name: &[u8]) -> Vec<Text<'a>> {
        let fields = self.fields().filter(|(other, _)| other.eq_ignore_ascii_case(name));
        fields.map(|(_, value)| Text(shown(name, value, self.roles).0)).collect()
    }

    /// Whether the field at `index` comes after another one of its name, or before one.
    fn is_repeated(&self, index: usize, name: &[u8]) -> (bool, bool) {
        let (mut after, mut before) = (false, false);
        for (place, (other, _)) in self.fields().enumerate() {
            let is_same = place != index && other.eq_ignore_ascii_case(name);
            after |= is_same && place < index;
            before |= is_same && place > index;
        }
        (after, before)
    }
}

impl Shapes {
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

impl Serialize for HeaderFields<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_map(None)?;
        let shapes = self.shapes();
        let mut lower = [0; MAX_NAME_BYTES];
        for (index, (name, value)) in self.fields().enumerate() {
            let lower = lower_case(name, &mut lower);
            let repeated = shapes.has_again(name).then(|| self.is_repeated(index, name));
            match repeated.unwrap_or_default() {
                (true, _) => {}
                (false, true) => {
                    object.serialize_entry(&Text::from(lower), &self.values(lower))?;
                }
                (false, false) => {
                    let value = Text(shown(lower, value, self.roles).0);
                    object.serialize_entry(&Text::from(lower), &value)?;
                }
            }
        }
        object.end()
    }
}

/// A name in lower case. Whole blocks are turned, which takes a step or two for most names.
fn lower_case<'n>(name: &[u8], room: &'n mut [u8; MAX_NAME_BYTES]) -> &'n [u8] {
    const BLOCK: usize = 32;
    room[..name.len()].copy_from_slice(name);
    let blocks = room.as_chunks_mut::<BLOCK>().0.iter_mut();
    blocks.take(name.len().div_ceil(BLOCK)).for_each(|block| block.make_ascii_lowercase());
    &room[..name.len()]
}

/// The value of the header `name`, in lower case, as it may be shown, and whether its end is left
/// out.
fn shown<'v>(name: &[u8], value: &'v [u8], roles: &Roles) -> (Cow<'v, [u8]>, bool) {
    cut(redact::header_value(name, value, roles))
}

/// The value of the first header called `name`, in lower case, as it may be shown.
pub(super) fn shown_value<'a>(
    headers: &'a Headers,
    name: &'a str,
    roles: &Roles,
) -> Option<Text<'a>> {
    let value = headers.first(name)?;
    Some(Text(shown(name.as_bytes(), value, roles).0))
}

/// Leaves out the end of a value that is too long, between characters, and says whether it did.
fn cut(value: Cow<'_, [u8]>) -> (Cow<'_, [u8]>, bool) {
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
            prop_assert!(!shown(name.as_bytes(), &value, &Roles::default()).1);
        }
    }
}
