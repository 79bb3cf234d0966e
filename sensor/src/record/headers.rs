//! Header fields as an object: lower-case names, secrets covered, repeated ones as arrays, bounded.
//!
//! It must not know the record around it.

use std::borrow::Cow;
use std::ops::Range;

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

/// Header fields, ready to be shown.
pub(super) struct HeaderFields<'a> {
    /// The names one after the other, in lower case.
    names: Vec<u8>,
    fields: Vec<Field<'a>>,
    cut: bool,
}

struct Field<'a> {
    name: Range<usize>,
    value: Cow<'a, [u8]>,
}

impl<'a> HeaderFields<'a> {
    pub(super) fn new(headers: &'a Headers, roles: &Roles) -> Self {
        let mut shown = Self { names: Vec::with_capacity(256), fields: Vec::new(), cut: false };
        for (name, value) in headers.iter() {
            if shown.fields.len() == MAX_FIELDS {
                shown.cut = true;
                break;
            }
            shown.push(name, value, roles);
        }
        shown
    }

    /// Whether a field, or the end of a name or value, was left out.
    pub(super) fn is_cut(&self) -> bool {
        self.cut
    }

    fn push(&mut self, name: &[u8], value: &'a [u8], roles: &Roles) {
        let start = self.names.len();
        self.names.extend(name.iter().take(MAX_NAME_BYTES).map(u8::to_ascii_lowercase));
        let (value, is_cut) = cut(redact::header_value(&self.names[start..], value, roles));
        self.cut |= name.len() > MAX_NAME_BYTES || is_cut;
        self.fields.push(Field { name: start..self.names.len(), value });
    }

    fn name(&self, field: &Field<'_>) -> &[u8] {
        &self.names[field.name.clone()]
    }

    fn is_repeat(&self, index: usize) -> bool {
        let name = self.name(&self.fields[index]);
        self.fields[..index].iter().any(|field| self.name(field) == name)
    }

    /// The values of the field at `index` and of every later one of the same name.
    fn values_from(&self, index: usize) -> impl Iterator<Item = Text<'_>> {
        let name = self.name(&self.fields[index]);
        let fields = self.fields[index..].iter().filter(move |field| self.name(field) == name);
        fields.map(|field| Text::from(&*field.value))
    }
}

/// The value of the first header called `name`, in lower case, as it may be shown.
pub(super) fn shown_value<'a>(
    headers: &'a Headers,
    name: &'a str,
    roles: &Roles,
) -> Option<Text<'a>> {
    let value = headers.first(name)?;
    Some(Text(cut(redact::header_value(name.as_bytes(), value, roles)).0))
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

impl Serialize for HeaderFields<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_map(None)?;
        for (index, field) in self.fields.iter().enumerate() {
            if self.is_repeat(index) {
                continue;
            }
            object.serialize_key(&Text::from(self.name(field)))?;
            match self.values_from(index).count() {
                1 => object.serialize_value(&Text::from(&*field.value))?,
                _ => object.serialize_value(&self.values_from(index).collect::<Vec<_>>())?,
            }
        }
        object.end()
    }
}
