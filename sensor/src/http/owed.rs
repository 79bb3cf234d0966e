//! Owns how many answers may come before the one that the first request in the queue waits for.
//!
//! It must not know requests, nor why they are not in the queue.

/// The shortest request there is, `GET / HTTP/1.0` with its two line ends: so many fit into octets
/// that were not seen at most.
const SHORTEST_REQUEST: u64 = 18;

/// Answers that are owed to requests nobody waits for here: so many at least, and at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Owed {
    least: u16,
    /// [`u16::MAX`] where no limit is known.
    most: u16,
}

impl Owed {
    pub(super) const NONE: Self = Self { least: 0, most: 0 };
    pub(super) const UNKNOWN: Self = Self { least: 0, most: u16::MAX };

    /// What the requests in so many octets ask for, of which `least` are sure to be there.
    pub(super) fn within(octets: u64, least: u16) -> Self {
        let most = u16::try_from(octets / SHORTEST_REQUEST).unwrap_or(u16::MAX);
        Self { least, most: most.max(least) }
    }

    pub(super) fn is_none(self) -> bool {
        self.most == 0
    }

    /// Whether the next response is sure to be one of them.
    pub(super) fn is_due(self) -> bool {
        self.least > 0
    }

    pub(super) fn add(&mut self, more: Self) {
        self.least = self.least.saturating_add(more.least);
        self.most = self.most.saturating_add(more.most);
    }

    /// Adds so many that are owed for sure.
    pub(super) fn add_sure(&mut self, count: u16) {
        self.add(Self { least: count, most: count });
    }

    /// Adds up to so many.
    pub(super) fn add_possible(&mut self, count: usize) {
        self.add(Self { least: 0, most: u16::try_from(count).unwrap_or(u16::MAX) });
    }

    /// What is left when so many of them came.
    pub(super) fn without(self, came: u16) -> Self {
        let most = if self.most == u16::MAX { self.most } else { self.most.saturating_sub(came) };
        Self { least: self.least.saturating_sub(came), most }
    }

    /// Takes note that one of them came.
    pub(super) fn take_one(&mut self) {
        *self = self.without(1);
    }

    /// Takes note that one of them may have come.
    pub(super) fn take_perhaps(&mut self) {
        self.least = self.least.saturating_sub(1);
    }

    /// Takes note that any number of them may have come.
    pub(super) fn take_any(&mut self) {
        self.least = 0;
    }
}
