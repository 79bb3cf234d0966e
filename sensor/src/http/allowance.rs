//! Owns how much memory the contents of all bodies under way may take together.
//!
//! It must not know bodies.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// Octets for the contents of bodies unless said otherwise: two of the largest that a provider sends,
/// or thirty thousand usual ones.
const USUAL: usize = 64 << 20;

/// Octets that may be lent out, to the bodies of one engine or of several.
#[derive(Debug, Clone)]
pub struct Allowance {
    left: Arc<AtomicUsize>,
    refused: Arc<AtomicU64>,
}

/// Octets lent to one body; they go back when it is dropped.
#[derive(Debug)]
pub(super) struct Loan {
    allowance: Allowance,
    octets: usize,
}

impl Default for Allowance {
    /// One of its own, of 64 MiB.
    fn default() -> Self {
        Self::new(USUAL)
    }
}

impl Allowance {
    /// So many octets, of which none is lent out.
    #[must_use]
    pub fn new(octets: usize) -> Self {
        Self { left: Arc::new(AtomicUsize::new(octets)), refused: Arc::default() }
    }

    /// Lends of the same octets, and counts what it refuses itself.
    pub(super) fn share(&self) -> Self {
        Self { left: Arc::clone(&self.left), refused: Arc::default() }
    }

    /// Times that more was asked for than was left.
    pub(super) fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }
}

impl Loan {
    pub(super) fn new(allowance: &Allowance) -> Self {
        Self { allowance: allowance.clone(), octets: 0 }
    }

    /// Takes so many octets more, unless that is more than is left.
    pub(super) fn grow(&mut self, octets: usize) -> bool {
        let Allowance { left, refused } = &self.allowance;
        let less = |left: usize| left.checked_sub(octets);
        let granted = left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).is_ok();
        if granted {
            self.octets += octets;
        } else {
            refused.fetch_add(1, Ordering::Relaxed);
        }
        granted
    }
}

impl Drop for Loan {
    fn drop(&mut self) {
        self.allowance.left.fetch_add(self.octets, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_lent_comes_back() {
        let allowance = Allowance::new(10);
        let mut first = Loan::new(&allowance);
        let mut second = Loan::new(&allowance);
        assert!(first.grow(6) && first.grow(2));
        assert!(!second.grow(3));
        assert!(second.grow(2));
        drop(first);
        assert!(second.grow(8) && !second.grow(1));
        assert_eq!(allowance.refused(), 2);
    }

    #[test]
    fn what_is_shared_is_lent_once_and_refused_by_each() {
        let one = Allowance::new(10);
        let other = one.share();
        let mut first = Loan::new(&one);
        assert!(first.grow(10));
        assert!(!Loan::new(&other).grow(1));
        assert_eq!((one.refused(), other.refused()), (0, 1));
        drop(first);
        assert!(Loan::new(&other).grow(10));
    }
}
