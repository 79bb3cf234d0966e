//! Header names as records write them, and what their values may hold: the same few names come in
//! every delivery, and so are looked into once.
//!
//! It must not know the values.

use std::borrow::Cow;
use std::sync::Arc;

use super::fields::Text;
use super::headers::{MAX_NAME_BYTES, cut};
use super::json::write_line;
use super::redact::{self, Holding};
use crate::webhook::Roles;

/// Names that are remembered: several times those that a host's senders use, so that hardly two of
/// them have one place. Each takes as many octets as it has, three times at most.
const NAMES: usize = 256;

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
    pub(super) member: Vec<u8>,
    holding: Holding,
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
    pub(super) fn of(&mut self, name: &[u8]) -> &Known {
        let known = &mut self.places[place(name)];
        // A peer may choose names of one place: they are looked into again, which costs no more than
        // the first time.
        if known.name != name || known.member.is_empty() {
            known.learn(name, &self.roles);
        }
        known
    }
}

impl Known {
    /// `value` of this name as it may be shown, and whether its end is left out.
    pub(super) fn shown<'v>(&self, value: &'v [u8]) -> (Cow<'v, [u8]>, bool) {
        cut(redact::header_value(self.holding, value))
    }

    fn learn(&mut self, name: &[u8], roles: &Roles) {
        debug_assert!(name.len() <= MAX_NAME_BYTES, "the caller cuts it");
        self.name.clear();
        self.name.extend_from_slice(name);
        let lower = name.to_ascii_lowercase();
        self.member.clear();
        write_line(&Text::from(&*lower), &mut self.member);
        self.member.push(b':');
        self.holding = redact::holding(&lower, roles);
    }
}

/// The place of a name, by its last letters, in which most names differ, and its length.
fn place(name: &[u8]) -> usize {
    /// The fraction of the golden ratio, which spreads what it multiplies (Knuth, volume 3, 6.4).
    const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;
    let last = match name.last_chunk() {
        Some(last) => u64::from_le_bytes(*last),
        None => name.iter().fold(0, |all, octet| all << 8 | u64::from(*octet)),
    };
    let spread = (last ^ name.len() as u64).wrapping_mul(SPREAD) >> (64 - NAMES.ilog2());
    usize::try_from(spread).expect("as many bits as there are places")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::webhook::Table;

    proptest! {
        /// Whatever names came before, and in whatever case, a name is known as if it were the first.
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

    #[test]
    fn other_roles_are_believed_at_once() {
        let mut names = Names::default();
        names.believe(&Arc::default());
        assert_eq!(names.of(b"x-event-key").holding, Holding::Secret);
        names.believe(&Arc::new(Table::new(&[]).roles().clone()));
        assert_eq!(names.of(b"x-event-key").holding, Holding::Text);
    }
}
