//! Sets of octets, such as those of a grammar rule, in which one look at a table finds an octet.
//!
//! It must not know what the sets are for.

/// A set of octets.
pub(super) struct OctetSet([bool; 256]);

impl OctetSet {
    /// The set of these octets.
    pub(super) const fn of(octets: &[u8]) -> Self {
        let mut set = Self([false; 256]);
        let mut rest = octets;
        while let [octet, others @ ..] = rest {
            set.0[*octet as usize] = true;
            rest = others;
        }
        set
    }

    /// Adds the octets from `first` to `last`.
    pub(super) const fn with_range(mut self, first: u8, last: u8) -> Self {
        let mut octet = first as usize;
        while octet <= last as usize {
            self.0[octet] = true;
            octet += 1;
        }
        self
    }

    pub(super) const fn has(&self, octet: u8) -> bool {
        self.0[octet as usize]
    }
}
