//! A queue that nearly always holds one element or none, and then takes no memory of its own.
//!
//! It must not know what it holds.

use std::collections::VecDeque;

/// First in, first out.
#[derive(Debug)]
pub(super) struct Entries<T> {
    first: Option<T>,
    /// What came after `first`; empty whenever that is.
    rest: VecDeque<T>,
}

impl<T> Default for Entries<T> {
    fn default() -> Self {
        Self { first: None, rest: VecDeque::new() }
    }
}

impl<T> Entries<T> {
    pub(super) fn push_back(&mut self, entry: T) {
        if self.first.is_none() {
            self.first = Some(entry);
        } else {
            self.rest.push_back(entry);
        }
    }

    pub(super) fn pop_front(&mut self) -> Option<T> {
        let entry = self.first.take();
        self.first = self.rest.pop_front();
        if self.rest.is_empty() {
            self.rest = VecDeque::new();
        }
        entry
    }

    /// Takes out the one behind the first.
    pub(super) fn pop_second(&mut self) -> Option<T> {
        self.rest.pop_front()
    }

    pub(super) fn pop_back(&mut self) -> Option<T> {
        self.rest.pop_back().or_else(|| self.first.take())
    }

    pub(super) fn front(&self) -> Option<&T> {
        self.first.as_ref()
    }

    pub(super) fn front_mut(&mut self) -> Option<&mut T> {
        self.first.as_mut()
    }

    pub(super) fn back_mut(&mut self) -> Option<&mut T> {
        self.rest.back_mut().or(self.first.as_mut())
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.first.iter().chain(&self.rest)
    }

    pub(super) fn iter_mut(&mut self) -> impl DoubleEndedIterator<Item = &mut T> {
        self.first.iter_mut().chain(&mut self.rest)
    }

    pub(super) fn get(&self, index: usize) -> Option<&T> {
        match index.checked_sub(1) {
            None => self.first.as_ref(),
            Some(index) => self.rest.get(index),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    pub(super) fn len(&self) -> usize {
        usize::from(self.first.is_some()) + self.rest.len()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use proptest::prelude::*;

    use super::Entries;

    proptest! {
        #[test]
        fn it_is_a_queue(steps in prop::collection::vec(0..5, 0..60)) {
            let (mut entries, mut model) = (Entries::default(), VecDeque::new());
            for (step, turn) in steps.into_iter().enumerate() {
                if turn < 3 {
                    entries.push_back(step);
                    model.push_back(step);
                } else if turn == 3 {
                    prop_assert_eq!(entries.pop_second(), model.remove(1));
                } else {
                    prop_assert_eq!(entries.pop_front(), model.pop_front());
                }
                prop_assert!(entries.iter().eq(&model));
                prop_assert!(entries.iter_mut().rev().eq(model.iter_mut().rev()));
                prop_assert_eq!(entries.len(), model.len());
                prop_assert_eq!(entries.is_empty(), model.is_empty());
                prop_assert_eq!(entries.front(), model.front());
                prop_assert_eq!(entries.front_mut(), model.front_mut());
                prop_assert_eq!(entries.back_mut(), model.back_mut());
                prop_assert_eq!(entries.get(step / 2), model.get(step / 2));
            }
        }
    }
}
