//! Whether two names of header fields are the same.
//!
//! It must not know what any name means.

/// Octets that are compared at once. Most names have more, and few have more than two times as
/// many.
const PART: usize = 8;

/// Whether two names are the same, whatever their case (RFC 9110, section 5.1).
pub(crate) fn is_same_name(one: &[u8], other: &[u8]) -> bool {
    if one.len() != other.len() {
        return false;
    }
    match (ends(one), ends(other)) {
        (Some([a, b]), Some([c, d])) => is_same_part(a, c) && is_same_part(b, d),
        _ => one.eq_ignore_ascii_case(other),
    }
}

/// The first part of a name and the last, if these are all of it; they may overlap.
fn ends(name: &[u8]) -> Option<[[u8; PART]; 2]> {
    let ends = [*name.first_chunk()?, *name.last_chunk()?];
    (name.len() <= 2 * PART).then_some(ends)
}

/// The same of parts, without a branch for each octet, so that the compiler takes them together.
fn is_same_part(one: [u8; PART], other: [u8; PART]) -> bool {
    one.iter().zip(&other).fold(true, |is_same, (a, b)| is_same & a.eq_ignore_ascii_case(b))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_what_the_standard_library_says(
            one in prop::collection::vec(any::<u8>(), 0..2 * PART + 3),
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..2),
        ) {
            let mut other = one.to_ascii_uppercase();
            for (place, octet) in changes {
                if !other.is_empty() {
                    let place = place.index(other.len());
                    other[place] ^= octet & 0x21;
                }
            }
            let expected = one.eq_ignore_ascii_case(&other);
            prop_assert_eq!(is_same_name(&one, &other), expected, "{:?} {:?}", one, other);
            prop_assert!(!is_same_name(&one, &[&other[..], b"a"].concat()));
        }
    }
}
