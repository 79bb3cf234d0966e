//! What outlives a restart: one file of named sections, written whole or not at all.
//!
//! It must not know what a section holds; each stage writes and reads its own.

mod file;
mod format;
mod keeper;

pub use file::Store;
pub use format::Refused;
pub use keeper::{Keeper, KeeperFigures};

/// What stages want to find again, each under a name of its own. Where there is not room for all,
/// the later are left out first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sections(Vec<(String, Vec<u8>)>);

impl Sections {
    /// With a section more, after the others.
    #[must_use]
    pub fn with(mut self, name: &str, octets: Vec<u8>) -> Self {
        self.0.push((name.to_owned(), octets));
        self
    }

    /// The section of this name; empty when there is none.
    #[must_use]
    pub fn section(&self, name: &str) -> &[u8] {
        let mut sections = self.0.iter();
        sections.find(|(known, _)| known == name).map_or(&[], |(_, octets)| octets.as_slice())
    }

    /// Octets of all sections together.
    #[must_use]
    pub fn octets(&self) -> usize {
        self.0.iter().map(|(_, octets)| octets.len()).sum()
    }
}
