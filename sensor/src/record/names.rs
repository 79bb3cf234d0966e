//! Header fields as records write them: the same few names, and often values, come in every
//! delivery, and so are looked into once.
//!
//! It must not know what other fields a message has.

use std::borrow::Cow;
use std::sync::Arc;

use super::fields::Text;
use super::headers::{MAX_NAME_BYTES, cut};
use super::json::write_line;
use crate::webhook::Roles;
use crate::webhook::redact::{self, Holding};

/// Names that are remembered: several times those that a host's senders use, so that hardly two of
/// them have one place. Each takes its octets twice, and those of its value: some 100 KiB if all
/// are as long as they may be.
const NAMES: usize = 256;

/// Octets of a value that is remembered. Those that come again and again are shorter, such as the
/// name of a host or of a program.
const MAX_KEPT_VALUE: usize = 128;

/// The names that came last, each in the place that its end gives it.
#[derive(Debug, Default)]
pub(super) struct Names {
    roles: Arc<Roles>,
    places: Vec<Known>,
}

/// What is known of a name.
#[derive(Debug, Clone, Default)]
pub(super) struct Known {
    /// As it was sent.
    name: Vec<u8>,
    /// In lower case, as the start of a member of an object.
    member: Vec<u8>,
    holding: Holding,
    /// The value that came last of those in which nothing is covered, and what was written for it.
    value: Vec<u8>,
    written: Vec<u8>,
}

impl Names {
    /// From now on, names have these roles.
    pub(super) fn believe(&mut self, roles: &Arc<Roles>) {
        if self.places.is_empty() || !Arc::ptr_eq(&self.roles, roles) {
            self.roles = Arc::clone(roles);
            self.places = vec![Known::default(); NAMES];
        }
    }

    /// What is known of `name`, which has at most [`MAX_NAME_BYTES`].
    pub(super) fn of(&mut self, name: &[u8]) -> &mut Known {
        let known = &mut self.places[place::<NAMES>(name)];
        // A peer may choose names of one place: they are looked into again, which costs no more
        // than the first time.
        if known.name != name || known.member.is_empty() {
            known.learn(name, &self.roles);
        }
        known
    }
}

impl Known {
    /// Writes the name, as the start of a member of `object`.
    pub(super) fn write_name(&self, object: &mut Vec<u8>) {
        object.extend_from_slice(&self.member);
    }

    /// Writes `value` of this name as it may be shown.
    pub(super) fn write_value(&mut self, value: &[u8], object: &mut Vec<u8>) {
        if self.value == value && !self.written.is_empty() {
            return object.extend_from_slice(&self.written);
        }
        let (shown, _) = self.shown(value);
        let is_uncovered = std::ptr::eq(&raw const *shown, &raw const *value);
        let start = object.len();
        write_line(&Text(shown), object);
        if is_uncovered && value.len() <= MAX_KEPT_VALUE {
            value.clone_into(&mut self.value);
            object[start..].clone_into(&mut self.written);
        }
    }

    /// `value` of this name as it may be shown, and whether its end is left out.
    pub(super) fn shown<'v>(&self, value: &'v [u8]) -> (Cow<'v, [u8]>, bool) {
        cut(redact::header_value(self.holding, value))
    }

    fn learn(&mut self, name: &[u8], roles: &Roles) {
        debug_assert!(name.len() <= MAX_NAME_BYTES, "the caller cuts it");
        name.clone_into(&mut self.name);
        self.written.clear();
        let lower = name.to_ascii_lowercase();
        self.member.clear();
        write_line(&Text::from(&*lower), &mut self.member);
        self.member.push(b':');
        self.holding = redact::holding(&lower, roles);
    }
}

/// The place of `octets` among `PLACES`, a power of two: by their end, in which most names and
/// paths differ, and their length.
pub(super) fn place<const PLACES: usize>(octets: &[u8]) -> usize {
    /// The fraction of the golden ratio, which spreads what it multiplies (Knuth, volume 3, 6.4).
    const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;
    let last = match octets.last_chunk() {
        Some(last) => u64::from_le_bytes(*last),
        None => octets.iter().fold(0, |all, octet| all << 8 | u64::from(*octet)),
    };
    let spread = (last ^ octets.len() as u64).wrapping_mul(SPREAD);
    usize::try_from(spread >> (u64::BITS - PLACES.ilog2())).expect("no more bits than places have")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::webhook::Table;

    proptest! {
        /// Whatever names came before, and in whatever case, a name is known as if it were the
        /// first.
        #[test]
        fn what_is_remembered_is_what_would_be_learnt(
            sent in prop::collection::vec("|[xX]-[a-c]{0,9}|[a-zA-Z:\"\x00-]{0,20}|x-hub-signature(-256)?", 1..40),
        ) {
            let roles = Arc::new(Table::new(&[]).roles().clone());
            let mut names = Names::default();
            names.believe(&roles);
            for name in &sent {
                let mut expected = Known::default();
                expected.learn(name.as_bytes(), &roles);
                let known = names.of(name.as_bytes());
                prop_assert_eq!(&known.name, &expected.name);
                prop_assert_eq!(&known.member, &expected.member);
                prop_assert_eq!(known.holding, expected.holding);
            }
        }
    }

    proptest! {
        /// Whatever values came before, one is written as if it were the first.
        #[test]
        fn a_value_is_written_as_if_it_were_the_first(
            fields in prop::collection::vec(
                ("a|host|x-url|link", "a|b|\"|https://u:p@h/|/\\?token=x|bearer x|b{127,130}|"),
                1..40,
            ),
        ) {
            let roles = Arc::default();
            let mut names = Names::default();
            names.believe(&roles);
            for (name, value) in &fields {
                let mut first = Known::default();
                first.learn(name.as_bytes(), &roles);
                let (mut written, mut expected) = (Vec::new(), Vec::new());
                first.write_value(value.as_bytes(), &mut expected);
                names.of(name.as_bytes()).write_value(value.as_bytes(), &mut written);
                prop_assert_eq!(written, expected);
            }
        }
    }

    #[test]
    fn other_roles_are_believed_at_once() {
        let mut names = Names::default();
        names.believe(&Arc::default());
        assert_eq!(names.of(b"x-event-key").holding, Holding::Secret);
        names.believe(&Arc::new(Table::new(&[]).roles().clone()));
        assert_eq!(names.of(b"x-event-key").holding, Holding::Text);
    }
}
