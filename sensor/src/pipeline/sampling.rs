//! How many connections are copied up, by whether the agent keeps up with them.
//!
//! Pure. It must not know how a rate is put in force.

use crate::detect::Watch;

/// Doublings of the configured rate at most: one connection in a thousand of those that were
/// wanted. What costs more is not the copying.
const MOST_DOUBLINGS: u32 = 10;

/// Doublings in a round that lost records: few rounds must do, for every one of them loses some.
const STEP_OF_LOSS: u32 = 2;

/// Rounds without pressure before more connections are copied up again, so that a rate just below
/// what is too much is not left every second.
const QUIET_ROUNDS: u32 = 10;

/// The rate in force. It is the agent's to decide, once a round, and not the kernel's with each
/// packet: connections are copied up whole, and a rate that follows the ring would cut them. Each
/// rate is twice the one before, so that the connections of a coarser one are among those of a
/// finer one.
#[derive(Debug)]
pub(super) struct Sampling {
    configured: u32,
    doublings: u32,
    quiet: u32,
    /// Records lost until the last round; none is known before the first, for the kernel's counts
    /// outlive an agent.
    lost: Option<u64>,
}

impl Sampling {
    pub(super) fn new(configured: u32) -> Self {
        Self { configured, doublings: 0, quiet: 0, lost: None }
    }

    /// Takes on another configured rate; the pressure is what it was.
    pub(super) fn configure(&mut self, configured: u32) {
        self.configured = configured;
    }

    /// One connection in this many is to be copied up.
    pub(super) fn one_in(&self) -> u32 {
        self.configured.saturating_mul(1 << self.doublings)
    }

    /// How much is seen of what the configuration wants seen. Losses count for as long as they make
    /// the rate coarser.
    pub(super) fn watch(&self) -> Watch {
        if self.doublings == 0 { Watch::Full } else { Watch::Partial }
    }

    /// Ends a round until which `lost` records were lost in all, and in which the reader of the
    /// ring may have been `behind`; whether the rate changes.
    pub(super) fn round(&mut self, lost: u64, behind: bool) -> bool {
        let before = self.one_in();
        let step = if self.lost.is_some_and(|before| lost > before) {
            STEP_OF_LOSS
        } else {
            u32::from(behind)
        };
        self.lost = Some(lost);
        self.quiet = if step > 0 { 0 } else { self.quiet + 1 };
        self.doublings = (self.doublings + step).min(MOST_DOUBLINGS);
        if self.quiet >= QUIET_ROUNDS {
            self.quiet = 0;
            self.doublings = self.doublings.saturating_sub(1);
        }
        self.one_in() != before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rates after each round of (lost in it, behind).
    fn rates(configured: u32, rounds: &[(u64, bool)]) -> Vec<u32> {
        let (mut sampling, mut lost) = (Sampling::new(configured), 7);
        assert!(!sampling.round(lost, false), "what an earlier agent lost is no pressure");
        let mut rates = Vec::new();
        for (more, behind) in rounds {
            lost += more;
            let before = sampling.one_in();
            assert_eq!(sampling.round(lost, *behind), sampling.one_in() != before);
            rates.push(sampling.one_in());
        }
        rates
    }

    #[test]
    fn it_gives_way_at_once_and_comes_back_slowly() {
        let quiet = (0, false);
        assert_eq!(rates(1, &[quiet; 30]), [1; 30]);
        assert_eq!(rates(3, &[quiet, (5, false), (0, true), (1, true)]), [3, 12, 24, 96]);
        let mut rounds = vec![(9, true)];
        rounds.extend([quiet; 25]);
        let expected = [vec![4; 10], vec![2; 10], vec![1; 6]].concat();
        assert_eq!(rates(1, &rounds), expected);
    }

    #[test]
    fn a_coarser_rate_is_a_watch_in_part() {
        let mut sampling = Sampling::new(5);
        sampling.round(0, false);
        assert_eq!(sampling.watch(), Watch::Full);
        sampling.round(1, false);
        assert_eq!(sampling.watch(), Watch::Partial);
        for _ in 0..STEP_OF_LOSS * QUIET_ROUNDS {
            assert_eq!(sampling.watch(), Watch::Partial);
            sampling.round(1, false);
        }
        assert_eq!(sampling.watch(), Watch::Full);
    }

    #[test]
    fn it_is_bounded_in_both_directions() {
        assert_eq!(rates(1, &[(1, true); 20]).last(), Some(&1024));
        assert_eq!(rates(u32::MAX, &[(1, true); 20]).last(), Some(&u32::MAX));
    }
}
