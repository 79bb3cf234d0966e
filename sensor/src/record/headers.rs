//! Header fields as an object: lower-case names, secrets covered, repeated ones as arrays, bounded.
//!
//! It must not know the record around it.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use super::fields::{Encoded, Text};
use super::json::write_line;
use super::names::Names;
use crate::http::{Headers, is_same_name};
use crate::webhook::Roles;

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

/// Header fields as a record shows them, encoded.
#[derive(Clone, Copy)]
pub(super) struct HeaderFields<'a> {
    pub(super) fields: Encoded<'a>,
    pub(super) user_agent: Option<Encoded<'a>>,
    pub(super) referrer: Option<Encoded<'a>>,
    /// Whether a field, or the end of a name or value, is left out.
    pub(super) is_cut: bool,
}

/// Makes [`HeaderFields`], in memory that is used again.
#[derive(Debug, Default)]
pub(super) struct HeaderEncoder {
    names: Names,
    text: Vec<u8>,
}

impl HeaderEncoder {
    /// Those of `headers`, whose names have these roles.
    pub(super) fn encode(&mut self, headers: &Headers, roles: &Arc<Roles>) -> HeaderFields<'_> {
        self.names.begin(roles);
        self.text.clear();
        self.text.push(b'{');
        if !self.write_distinct(headers) {
            self.text.truncate(1);
            self.write_repeated(headers);
        }
        match self.text.last_mut() {
            Some(comma) if *comma == b',' => *comma = b'}',
            _ => self.text.push(b'}'),
        }
        let fields = 0..self.text.len();
        let user_agent = self.write_first(headers, "user-agent");
        let referrer = self.write_first(headers, "referer");
        let is_cut = self.is_cut(headers);
        let encoded = |place: Range<usize>| Encoded(&self.text[place]);
        HeaderFields {
            fields: encoded(fields),
            user_agent: user_agent.map(encoded),
            referrer: referrer.map(encoded),
            is_cut,
        }
    }

    /// Writes all fields, or returns false where two may have the same name.
    fn write_distinct(&mut self, headers: &Headers) -> bool {
        for (name, value) in shown_fields(headers) {
            let (known, is_again) = self.names.of(name);
            if is_again {
                return false;
            }
            known.write(value, &mut self.text);
        }
        true
    }

    /// Writes all fields, those of the same name in the place of the first.
    fn write_repeated(&mut self, headers: &Headers) {
        for (index, (name, value)) in shown_fields(headers).enumerate() {
            let (known, _) = self.names.of(name);
            match is_repeated(headers, index, name) {
                (true, _) => {}
                (false, true) => {
                    let fields = shown_fields(headers);
                    let same = fields.filter(|(other, _)| is_same_name(other, name));
                    let shown = same.map(|(_, value)| Text(known.shown(value).0));
                    self.text.extend_from_slice(known.member());
                    write_line(&shown.collect::<Vec<_>>(), &mut self.text);
                    self.text.push(b',');
                }
                (false, false) => known.write(value, &mut self.text),
            }
        }
    }

    /// Writes the first field called `name`, in lower case, and returns where its value is.
    fn write_first(&mut self, headers: &Headers, name: &str) -> Option<Range<usize>> {
        let value = headers.first(name)?;
        let (known, _) = self.names.of(name.as_bytes());
        let start = self.text.len() + known.member().len();
        known.write(value, &mut self.text);
        Some(start..self.text.len() - 1)
    }

    fn is_cut(&mut self, headers: &Headers) -> bool {
        headers.iter().enumerate().any(|(index, (name, value))| {
            index >= MAX_FIELDS
                || name.len() > MAX_NAME_BYTES
                || value.len() > SHORT_VALUE_BYTES && self.names.of(name).0.shown(value).1
        })
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
        let is_same = place != index && is_same_name(other, name);
        after |= is_same && place < index;
        before |= is_same && place > index;
    }
    (after, before)
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
    use crate::webhook::{fixture, redact};

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
    proptest! {
        /// However many names meet in one place, each is there once, with all its values.
        #[test]
        fn a_name_is_there_once(
            messages in prop::collection::vec(
                prop::collection::vec("[a-dA-D]-of-one-place", 0..8),
                1..4,
            ),
        ) {
            let mut encoder = HeaderEncoder::default();
            for names in messages {
                let mut expected: Vec<(String, Vec<String>)> = Vec::new();
                let mut lines = String::new();
                for (number, name) in names.iter().enumerate() {
                    lines += &format!("{name}: {number}\n");
                    let (name, value) = (name.to_ascii_lowercase(), format!("\"{number}\""));
                    match expected.iter_mut().find(|(other, _)| *other == name) {
                        Some((_, values)) => values.push(value),
                        None => expected.push((name, vec![value])),
                    }
                }
                let members = expected.iter().map(|(name, values)| match &**values {
                    [value] => format!("\"{name}\":{value}"),
                    values => format!("\"{name}\":[{}]", values.join(",")),
                });
                let expected = format!("{{{}}}", members.collect::<Vec<_>>().join(","));
                let request = fixture::exchange("/", lines.trim_end()).request.unwrap();
                let shown = encoder.encode(&request.headers, &Arc::default());
                prop_assert_eq!(String::from_utf8_lossy(shown.fields.0), expected);
            }
        }
    }
}
