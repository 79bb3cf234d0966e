//! What outlives a restart: one file of named sections, written whole or not at all.
//!
//! It must not know what a section holds; each stage writes and reads its own.

use std::collections::BTreeMap;

mod file;
mod format;
mod keeper;

pub use file::Store;
pub use format::Refused;
pub use keeper::{Keeper, KeeperFigures};

/// What stages want to find again, each under a name of its own.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sections(BTreeMap<String, Vec<u8>>);

impl Sections {
    /// With a section more.
    #[must_use]
    pub fn with(mut self, name: &str, octets: Vec<u8>) -> Self {
        self.0.insert(name.to_owned(), octets);
        self
    }

    /// The section of this name; empty when there is none.
    #[must_use]
    pub fn section(&self, name: &str) -> &[u8] {
        self.0.get(name).map_or(&[], Vec::as_slice)
    }

    /// Octets of all sections together.
    #[must_use]
    pub fn octets(&self) -> usize {
        self.0.values().map(Vec::len).sum()
    }
}
