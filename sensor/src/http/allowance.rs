//! Owns how much memory the contents of all bodies under way may take together.
//!
//! It must not know bodies.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// Octets that may be lent out, shared by the bodies of one engine.
#[derive(Debug, Clone)]
pub(super) struct Allowance(Arc<State>);

#[derive(Debug)]
struct State {
    left: AtomicUsize,
    refused: AtomicU64,
}

/// Octets lent to one body; they go back when it is dropped.
#[derive(Debug)]
pub(super) struct Loan {
    allowance: Allowance,
    octets: usize,
}

impl Allowance {
    pub(super) fn new(octets: usize) -> Self {
        Self(Arc::new(State { left: AtomicUsize::new(octets), refused: AtomicU64::new(0) }))
    }

    /// Bodies that asked for more than was left.
    pub(super) fn refused(&self) -> u64 {
        self.0.refused.load(Ordering::Relaxed)
    }
}

impl Loan {
    pub(super) fn new(allowance: &Allowance) -> Self {
        Self { allowance: allowance.clone(), octets: 0 }
    }

    /// Takes so many octets more, unless that is more than is left.
    pub(super) fn grow(&mut self, octets: usize) -> bool {
        let state = &*self.allowance.0;
        let less = |left: usize| left.checked_sub(octets);
        let granted = state.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).is_ok();
        if granted {
            self.octets += octets;
        } else {
            state.refused.fetch_add(1, Ordering::Relaxed);
        }
        granted
    }
}

impl Drop for Loan {
    fn drop(&mut self) {
        self.allowance.0.left.fetch_add(self.octets, Ordering::Relaxed);
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
}
