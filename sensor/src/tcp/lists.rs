//! Owns the order in which connections leave: doubly linked lists threaded through slot numbers.
//!
//! It must not know what is in a slot.

/// Why a connection is kept, from what is worth least to what is worth most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum List {
    /// Its streams ended; it is remembered so that late packets do not start it again.
    Closed,
    /// One side was seen and no data.
    HalfOpen,
    /// A side sent a reset; over, unless more data comes.
    Resetting,
    /// Not both sides are known to hold it open: the handshake is not over, one side was not
    /// captured, or has sent FIN.
    OneSided,
    /// Both sides hold it open, nothing held back.
    Open,
    /// Waiting for octets that are missing.
    Stalled,
}

/// How many lists there are.
pub(super) const LISTS: usize = 6;
/// Marks the end of a list; the table's limit keeps slot numbers below it.
const NONE: u32 = u32::MAX;

impl List {
    /// Each of them, by its number.
    pub(super) const ALL: [Self; LISTS] =
        [Self::Closed, Self::HalfOpen, Self::Resetting, Self::OneSided, Self::Open, Self::Stalled];
}

#[derive(Debug, Clone, Copy)]
struct Links {
    previous: u32,
    next: u32,
    list: List,
}

#[derive(Debug, Clone, Copy)]
struct Ends {
    first: u32,
    last: u32,
    length: usize,
}

/// Every slot in use, each in one list, longest waiting first.
#[derive(Debug)]
pub(super) struct Lists {
    links: Vec<Links>,
    ends: [Ends; LISTS],
}

impl Lists {
    pub(super) fn new() -> Self {
        Self { links: Vec::new(), ends: [Ends { first: NONE, last: NONE, length: 0 }; LISTS] }
    }

    pub(super) fn first(&self, list: List) -> Option<u32> {
        let first = self.ends[list as usize].first;
        (first != NONE).then_some(first)
    }

    pub(super) fn length(&self, list: List) -> usize {
        self.ends[list as usize].length
    }

    /// Adds a slot that is in no list, at the end of `list`.
    #[inline]
    pub(super) fn insert(&mut self, slot: u32, list: List) {
        let ends = &mut self.ends[list as usize];
        let links = Links { previous: ends.last, next: NONE, list };
        let last = std::mem::replace(&mut ends.last, slot);
        ends.length += 1;
        if last == NONE {
            ends.first = slot;
        } else {
            self.links[last as usize].next = slot;
        }
        let index = slot as usize;
        if index == self.links.len() {
            self.links.push(links);
        } else {
            self.links[index] = links;
        }
    }

    /// Takes a slot out of the list it is in.
    #[inline]
    pub(super) fn remove(&mut self, slot: u32) {
        let Links { previous, next, list } = self.links[slot as usize];
        let ends = &mut self.ends[list as usize];
        ends.length -= 1;
        if previous == NONE {
            ends.first = next;
        } else {
            self.links[previous as usize].next = next;
        }
        if next == NONE {
            self.ends[list as usize].last = previous;
        } else {
            self.links[next as usize].previous = previous;
        }
    }

    /// Moves a slot to the end of `list`.
    pub(super) fn touch(&mut self, slot: u32, list: List) {
        let links = self.links[slot as usize];
        if links.list != list || links.next != NONE {
            self.remove(slot);
            self.insert(slot, list);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{List, Lists};

    fn drain(lists: &mut Lists, list: List) -> Vec<u32> {
        std::iter::from_fn(|| {
            let slot = lists.first(list)?;
            lists.remove(slot);
            Some(slot)
        })
        .collect()
    }

    #[test]
    fn touched_slots_leave_last() {
        let mut lists = Lists::new();
        for slot in 0..4 {
            lists.insert(slot, List::Open);
        }
        lists.touch(0, List::Open);
        lists.touch(2, List::Stalled);
        lists.touch(1, List::Stalled);
        lists.touch(2, List::Stalled);
        assert_eq!(lists.length(List::Open), 2);
        assert_eq!(drain(&mut lists, List::Open), [3, 0]);
        assert_eq!(drain(&mut lists, List::Stalled), [1, 2]);
        assert_eq!(lists.first(List::Open), None);
    }
}
