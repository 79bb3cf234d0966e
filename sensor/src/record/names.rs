//! Header fields as records write them: the same few names, and often values, come in every
//! delivery, and so are looked into once.
//!
//! It must not know what other fields a message has.

use std::borrow::Cow;
use std::sync::Arc;

use super::fields::Text;
use super::headers::{MAX_NAME_BYTES, cut};
use super::json::write_line;
use super::memo::{Memo, key};
use crate::http::is_same_name;
use crate::webhook::Roles;
use crate::webhook::redact::{self, Holding};

/// Places of names that are remembered, two in each: several times those that a host's senders use.
/// Each takes its octets three times, and those of its value twice: some 250 KiB if all are as long
/// as they may be.
const PLACES: usize = 128;

/// Octets of a value that is remembered. Those that come again and again are shorter, such as the
/// name of a host or of a program.
const MAX_KEPT_VALUE: usize = 128;

/// The names that came last.
#[derive(Debug, Default)]
pub(super) struct Names {
    roles: Arc<Roles>,
    known: Memo<Known, PLACES>,
    /// The number of the message whose fields are looked at.
    message: u64,
}

/// What is known of a name.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// As it was sent when it was looked into.
    name: Vec<u8>,
    /// In lower case, as the start of a member of an object.
    member: Vec<u8>,
    holding: Holding,
    /// The last message that has it, or had the name that was here before.
    message: u64,
    /// The value that came last of those in which nothing is covered; none where all are.
    value: Vec<u8>,
    /// The member that was written for it, with a comma behind it.
    written: Vec<u8>,
}

impl Names {
    /// From now on, names are those of another message, and have these roles.
    pub(super) fn begin(&mut self, roles: &Arc<Roles>) {
        if !Arc::ptr_eq(&self.roles, roles) {
            self.roles = Arc::clone(roles);
            self.known = Memo::default();
        }
        self.message += 1;
    }

    /// What is known of `name`, which has at most [`MAX_NAME_BYTES`], and whether this message may
    /// have it already, in whatever case. Where it does, that is never missed.
    #[inline]
    pub(super) fn of(&mut self, name: &[u8]) -> (&mut Known, bool) {
        let is_it = |known: &Known| {
            let is_same = known.name == name || is_same_name(&known.name, name);
            is_same && !known.member.is_empty()
        };
        let (known, is_known) = self.known.of(key(name), is_it);
        // A peer may choose names of one place: they are looked into again, which costs no more
        // than the first time.
        if !is_known {
            known.learn(name, &self.roles);
        }
        let is_again = std::mem::replace(&mut known.message, self.message) == self.message;
        (known, is_again)
    }
}

impl Known {
    /// The name, as the start of a member of an object.
    pub(super) fn member(&self) -> &[u8] {
        &self.member
    }

    /// Writes the member of this name with `value` as it may be shown, and a comma.
    #[inline]
    pub(super) fn write(&mut self, value: &[u8], object: &mut Vec<u8>) {
        let is_same = self.holding == Holding::Secret || self.value == value;
        if is_same && !self.written.is_empty() {
            object.extend_from_slice(&self.written);
        } else {
            self.write_anew(value, object);
        }
    }

    fn write_anew(&mut self, value: &[u8], object: &mut Vec<u8>) {
        let (shown, _) = self.shown(value);
        let is_uncovered = std::ptr::eq(&raw const *shown, &raw const *value);
        let start = object.len();
        object.extend_from_slice(&self.member);
        write_line(&Text(shown), object);
        object.push(b',');
        if self.holding == Holding::Secret {
            object[start..].clone_into(&mut self.written);
        } else if is_uncovered && value.len() <= MAX_KEPT_VALUE {
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
            names.begin(&roles);
            for name in &sent {
                let mut expected = Known::default();
                expected.learn(name.as_bytes(), &roles);
                let (known, _) = names.of(name.as_bytes());
                prop_assert!(known.name.eq_ignore_ascii_case(name.as_bytes()));
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
            names.begin(&roles);
            for (name, value) in &fields {
                let mut first = Known::default();
                first.learn(name.as_bytes(), &roles);
                let (mut written, mut expected) = (Vec::new(), Vec::new());
                first.write(value.as_bytes(), &mut expected);
                names.of(name.as_bytes()).0.write(value.as_bytes(), &mut written);
                prop_assert_eq!(written, expected);
            }
        }
    }

    #[test]
    fn other_roles_are_believed_at_once() {
        let mut names = Names::default();
        names.begin(&Arc::default());
        assert_eq!(names.of(b"x-event-key").0.holding, Holding::Secret);
        names.begin(&Arc::new(Table::new(&[]).roles().clone()));
        assert_eq!(names.of(b"x-event-key").0.holding, Holding::Text);
    }
}
