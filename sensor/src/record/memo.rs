//! What was made last of what comes again and again, so that it is made once.
//!
//! It must not know what it is.

/// The last two that were made of each place, which their keys give them. Of a few dozen in a
/// thousand places, some do meet; that three do is rare, and then one is made anew.
#[derive(Debug, Default)]
pub(super) struct Memo<V, const PLACES: usize>(Vec<[V; 2]>);

impl<V: Default, const PLACES: usize> Memo<V, PLACES> {
    /// The one that `is_it` knows, and true; or, in the place of the one that was used longer ago,
    /// one to make anew, and false.
    #[inline]
    pub(super) fn of(&mut self, key: u64, is_it: impl Fn(&V) -> bool) -> (&mut V, bool) {
        /// The fraction of the golden ratio, which spreads what it multiplies (Knuth, volume 3,
        /// 6.4).
        const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;
        if self.0.is_empty() {
            self.0.resize_with(PLACES, Default::default);
        }
        let place = key.wrapping_mul(SPREAD) >> (u64::BITS - PLACES.ilog2());
        let place = usize::try_from(place).expect("no more bits than places have");
        let pair = &mut self.0[place];
        let is_known = is_it(&pair[0]) || {
            pair.swap(0, 1);
            is_it(&pair[0])
        };
        (&mut pair[0], is_known)
    }
}

/// A key of `octets`, the same in any case: their end, in which most names and paths differ, and
/// their length.
#[inline]
pub(super) fn key(octets: &[u8]) -> u64 {
    /// The bit by which upper and lower case differ, in each octet.
    const CASE: u64 = 0x2020_2020_2020_2020;
    let last = match octets.last_chunk() {
        Some(last) => u64::from_le_bytes(*last),
        None => octets.iter().fold(0, |all, octet| all << 8 | u64::from(*octet)),
    };
    (last | CASE) ^ octets.len() as u64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Among keys of one place, the last two are known, and no other one is.
        #[test]
        fn the_last_two_are_known(sent in prop::collection::vec(0..4_u64, 1..40)) {
            let mut memo = Memo::<Option<u64>, 2>::default();
            let mut last = [None, None];
            for one in sent {
                let (known, is_known) = memo.of(0, |known| *known == Some(one));
                prop_assert_eq!(is_known, last.contains(&Some(one)));
                *known = Some(one);
                if last[0] != Some(one) {
                    last = [Some(one), last[0]];
                }
            }
        }

        #[test]
        fn case_makes_no_other_key(name in "[a-zA-Z0-9_-]{0,20}") {
            prop_assert_eq!(key(name.as_bytes()), key(name.to_ascii_lowercase().as_bytes()));
        }
    }
}
