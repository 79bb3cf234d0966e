//! The header fields of a message, over one shared buffer.
//!
//! It must not know what any field means.

use std::ops::Range;

use bytes::Bytes;

use super::is_same_name;

/// Header fields in the order they were sent, over one shared buffer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Headers {
    head: Bytes,
    fields: Vec<(Range<u32>, Range<u32>)>,
    names: Names,
}

/// Which names may be among fields: a bit for what most of them differ in. A message is asked for
/// some twenty names and has few of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Names(u64);

impl Headers {
    /// Fields as ranges (name, value) into `head`, the octets of the message head.
    #[must_use]
    pub fn new(head: Bytes, fields: Vec<(Range<u32>, Range<u32>)>) -> Self {
        let names = fields.iter().map(|(name, _)| Names::of(part(&head, name)));
        let names = Names(names.fold(0, |all, one| all | one.0));
        Self { head, fields, names }
    }

    /// Every field as (name, value), in the order sent.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.fields.iter().map(|(name, value)| (part(&self.head, name), part(&self.head, value)))
    }

    /// Octets of memory that they take.
    pub(super) fn octets(&self) -> usize {
        self.head.len() + self.fields.capacity() * size_of::<(Range<u32>, Range<u32>)>()
    }

    /// The values of every field of this name, compared without case (RFC 9110, section 5.1).
    #[inline]
    pub fn all<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        let fields = if self.may_have(name) { &*self.fields } else { &[] };
        // The length of most is another, which is known before they are looked at.
        let is_it = move |key: &Range<u32>| {
            key.len() == name.len() && is_same_name(part(&self.head, key), name.as_bytes())
        };
        let found = fields.iter().filter(move |(key, _)| is_it(key));
        found.map(|(_, value)| part(&self.head, value))
    }

    /// The value of the first field of this name.
    #[must_use]
    #[inline]
    pub fn first(&self, name: &str) -> Option<&[u8]> {
        self.all(name).next()
    }

    /// False where no field has this name.
    #[inline]
    fn may_have(&self, name: &str) -> bool {
        self.names.0 & Names::of(name.as_bytes()).0 != 0
    }
}

impl Names {
    /// The bit of a name, the same in any case: by its length and its last letter.
    #[inline]
    fn of(name: &[u8]) -> Self {
        /// The bit by which upper and lower case differ.
        const CASE: u8 = 0x20;
        let last = name.last().map_or(0, |letter| usize::from(letter | CASE));
        Self(1 << ((name.len() + 8 * last) % 64))
    }
}

fn part<'a>(head: &'a [u8], range: &Range<u32>) -> &'a [u8] {
    head.get(range.start as usize..range.end as usize).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whatever may be known before they are looked at, the fields of a name are those that
        /// have it.
        #[test]
        fn fields_are_found_by_their_name(
            names in prop::collection::vec("[-a-cA-C_@`]{0,3}", 0..12),
            name in "[-a-cA-C_@`]{0,3}",
        ) {
            let mut head = Vec::new();
            let mut fields = Vec::new();
            for (number, name) in names.iter().enumerate() {
                let start = u32::try_from(head.len()).unwrap();
                head.extend_from_slice(name.as_bytes());
                let middle = u32::try_from(head.len()).unwrap();
                head.push(u8::try_from(number).unwrap());
                fields.push((start..middle, middle..middle + 1));
            }
            let headers = Headers::new(Bytes::from(head), fields);
            let is_it = |(_, other): &(usize, &String)| other.eq_ignore_ascii_case(&name);
            let expected = names.iter().enumerate().filter(is_it).map(|(number, _)| number);
            let found = headers.all(&name).map(|value| usize::from(value[0]));
            prop_assert!(found.eq(expected));
        }
    }
}
