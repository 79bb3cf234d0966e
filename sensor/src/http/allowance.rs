//! Owns how much memory the contents of all bodies under way may take together, and one client's.
//!
//! It must not know bodies.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use crate::net::one_host;

/// Octets for the contents of bodies unless said otherwise: two of the largest that a provider
/// sends, or thirty thousand usual ones.
const USUAL: usize = 64 << 20;

/// Accounts that clients share by a hash: enough for two that hold much to hardly ever meet in one,
/// and few enough to need no allocation for a client.
const ACCOUNTS: usize = 1024;

/// Of all there is, one client may hold this part in several bodies, so that it takes more than
/// three to leave nothing to the others.
const SEVERAL: usize = 4;

/// Of all there is, one client may hold this part in a single body: the largest that a provider
/// sends, 25 MB, must fit into what is usual.
const SINGLE: usize = 2;

/// Octets that may be lent out, to the bodies of one engine or of several.
#[derive(Debug, Clone)]
pub struct Allowance {
    pool: Arc<Pool>,
    refused: Arc<AtomicU64>,
}

/// What all have in common.
#[derive(Debug)]
struct Pool {
    octets: usize,
    left: AtomicUsize,
    /// What is lent to each account.
    lent: [AtomicUsize; ACCOUNTS],
}

/// Octets lent to one body; they go back when it is dropped.
#[derive(Debug)]
pub(super) struct Loan {
    allowance: Allowance,
    account: usize,
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
        let left = AtomicUsize::new(octets);
        let lent = [const { AtomicUsize::new(0) }; ACCOUNTS];
        Self { pool: Arc::new(Pool { octets, left, lent }), refused: Arc::default() }
    }

    /// Lends of the same octets, and counts what it refuses itself.
    pub(super) fn share(&self) -> Self {
        Self { pool: Arc::clone(&self.pool), refused: Arc::default() }
    }

    /// Times that more was asked for than was left.
    pub(super) fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }
}

impl Loan {
    /// Nothing yet, for a body of this client.
    pub(super) fn new(allowance: &Allowance, client: IpAddr) -> Self {
        Self { allowance: allowance.clone(), account: account(client), octets: 0 }
    }

    /// Takes so many octets more, unless that is more than is left, or than the client may have.
    pub(super) fn grow(&mut self, octets: usize) -> bool {
        let Allowance { pool, refused } = &self.allowance;
        let lent = &pool.lent[self.account];
        let others = lent.load(Ordering::Relaxed).saturating_sub(self.octets);
        let part = if others == 0 { SINGLE } else { SEVERAL };
        let less = |left: usize| left.checked_sub(octets);
        let granted = others + self.octets + octets <= pool.octets / part
            && pool.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).is_ok();
        if granted {
            lent.fetch_add(octets, Ordering::Relaxed);
            self.octets += octets;
        } else {
            refused.fetch_add(1, Ordering::Relaxed);
        }
        granted
    }

    /// Gives back all but so many octets.
    pub(super) fn keep(&mut self, octets: usize) {
        let kept = self.octets.min(octets);
        let returned = self.octets - kept;
        self.octets = kept;
        let Pool { left, lent, .. } = &*self.allowance.pool;
        left.fetch_add(returned, Ordering::Relaxed);
        lent[self.account].fetch_sub(returned, Ordering::Relaxed);
    }
}

impl Drop for Loan {
    fn drop(&mut self) {
        self.keep(0);
    }
}

/// The same in every run, for a replay must give the same records. Whoever looks for another
/// client's account has addresses enough to take everything in accounts of their own.
fn account(client: IpAddr) -> usize {
    let mut hasher = DefaultHasher::new();
    one_host(client).hash(&mut hasher);
    let accounts = ACCOUNTS as u64;
    usize::try_from(hasher.finish() % accounts).expect("there are fewer accounts than octets")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(last: u8) -> IpAddr {
        [192, 0, 2, last].into()
    }

    #[test]
    fn what_is_lent_comes_back() {
        let allowance = Allowance::new(100);
        let [mut first, mut second, mut third] =
            [1, 2, 3].map(|last| Loan::new(&allowance, client(last)));
        assert!(first.grow(30) && first.grow(10));
        assert!(second.grow(50));
        assert!(!third.grow(11));
        assert!(third.grow(10));
        drop(first);
        assert!(third.grow(40));
        second.keep(0);
        assert!(second.grow(50) && !Loan::new(&allowance, client(4)).grow(1));
        assert_eq!(allowance.refused(), 2);
    }

    #[test]
    fn one_client_has_a_quarter_in_several_bodies_and_a_half_in_one() {
        let allowance = Allowance::new(100);
        let loan = |address: &str| Loan::new(&allowance, address.parse().unwrap());
        let mut bodies = [loan("2001:db8::1"), loan("2001:db8::2")];
        assert!(bodies[0].grow(20) && bodies[1].grow(5));
        assert!(!bodies[0].grow(1) && !bodies[1].grow(1));
        bodies[1].keep(0);
        assert!(bodies[0].grow(30) && !bodies[0].grow(1));
        assert!(!bodies[1].grow(1));
        assert!(loan("2001:db8:0:1::1").grow(50));
    }

    #[test]
    fn what_is_shared_is_lent_once_and_refused_by_each() {
        let one = Allowance::new(10);
        let other = one.share();
        let (mut first, mut second) = (Loan::new(&one, client(1)), Loan::new(&one, client(2)));
        assert!(first.grow(5) && second.grow(5));
        assert!(!Loan::new(&other, client(3)).grow(1));
        assert_eq!((one.refused(), other.refused()), (0, 1));
        drop(first);
        assert!(Loan::new(&other, client(3)).grow(5));
    }
}
