//! The shapes of every kind of delivery: which is which, and what is remembered of them.
//!
//! Pure. It must not know how what it remembers outlives a restart.

use lru::LruCache;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::kept;
use super::shape::{Drift, Shape};

/// Kinds of delivery whose shape is remembered; the longest unseen is forgotten first.
const REMEMBERED: usize = 256;

/// Octets of all shapes at most, as they are saved; the longest unseen is forgotten first. It is
/// room for all kinds at some 450 nodes each, which take some 15 MiB of memory; shapes made to take
/// most have 50 MiB. Twenty of the largest fit in.
const MAX_BYTES: usize = 4 << 20;

/// Deliveries that are learnt from where the configuration names no number: an event that comes
/// daily has shown its optional members after a quarter of a year.
const USUAL_ENOUGH: u32 = 100;

/// A kind of delivery, by a hash of what names it.
type Name = [u8; 16];

/// What makes deliveries alike.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kind<'a> {
    pub(super) endpoint: &'a str,
    pub(super) provider: &'a str,
    pub(super) event_type: &'a str,
    /// What GitHub and others call the action: events of one type differ by it.
    pub(super) action: &'a str,
}

/// Every shape that is remembered.
#[derive(Debug)]
pub struct Shapes {
    kinds: LruCache<Name, Known>,
    /// Octets that all of them are saved in at most.
    octets: usize,
}

/// What is known of one kind.
#[derive(Debug, Default)]
struct Known {
    shape: Shape,
    /// Octets that it is saved in at most.
    octets: usize,
}

impl Default for Shapes {
    fn default() -> Self {
        Self { kinds: LruCache::unbounded(), octets: 0 }
    }
}

impl Shapes {
    /// The shapes that [`Shapes::to_octets`] wrote; what is not whole at their end is left out.
    #[must_use]
    pub fn from_octets(mut octets: &[u8]) -> Self {
        let mut shapes = Self::default();
        while let Some((name, mut rest)) = octets.split_first_chunk() {
            let Some(shape) = kept::read(&mut rest) else { break };
            shapes.change(*name, |known| *known = shape);
            octets = rest;
        }
        shapes
    }

    /// What is remembered, the longest unseen first: hashes of what names a kind, names of members,
    /// types and counts. No value of a payload is in it.
    #[must_use]
    pub fn to_octets(&self) -> Vec<u8> {
        let mut octets = Vec::new();
        for (name, known) in self.kinds.iter().rev() {
            octets.extend(name);
            kept::write(&known.shape, &mut octets);
        }
        octets
    }

    /// How a payload differs from others of its kind; it is learnt from when it `teaches`.
    pub(super) fn look(
        &mut self,
        kind: Kind<'_>,
        (payload, octets): (&Value, u64),
        enough: u32,
        teaches: bool,
    ) -> Vec<Drift> {
        let name = kind.name();
        let enough = if enough == 0 { USUAL_ENOUGH } else { enough };
        let known = self.kinds.get(&name);
        let drifts = known.map(|known| known.shape.drifts(payload, octets, enough));
        if teaches {
            self.change(name, |shape| shape.learn(payload, octets));
        }
        drifts.unwrap_or_default()
    }

    /// Changes the shape of one kind, and forgets others until all fit.
    fn change(&mut self, name: Name, change: impl FnOnce(&mut Shape)) {
        let known = self.kinds.get_or_insert_mut(name, Known::default);
        let nodes = known.shape.nodes;
        change(&mut known.shape);
        // A shape of as many nodes as before is no larger, and most deliveries add none.
        if known.octets == 0 || known.shape.nodes != nodes {
            self.octets -= known.octets;
            known.octets = size_of::<Name>() + kept::most_octets(&known.shape);
            self.octets += known.octets;
        }
        while self.kinds.len() > REMEMBERED || self.octets > MAX_BYTES {
            let Some((_, forgotten)) = self.kinds.pop_lru() else { return };
            self.octets -= forgotten.octets;
        }
    }
}

impl Kind<'_> {
    fn name(&self) -> Name {
        let mut digest = Sha256::new();
        for part in [self.endpoint, self.provider, self.event_type, self.action] {
            digest.update(part.len().to_be_bytes());
            digest.update(part);
        }
        let mut name = Name::default();
        name.copy_from_slice(&digest.finalize()[..size_of::<Name>()]);
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(event_type: &str) -> Kind<'_> {
        Kind { endpoint: "e", provider: "p", event_type, action: "" }
    }

    #[test]
    fn only_what_is_fit_teaches() {
        let (usual, other) = (serde_json::json!({ "a": 1 }), serde_json::json!({ "b": 1 }));
        let mut shapes = Shapes::default();
        (0..3).for_each(|_| assert_eq!(shapes.look(kind("x"), (&usual, 7), 3, true), []));
        assert_eq!(shapes.look(kind("y"), (&other, 7), 3, false), []);
        (0..9).for_each(|_| assert_eq!(shapes.look(kind("x"), (&other, 7), 3, false).len(), 2));
        let octets = shapes.to_octets();
        shapes = Shapes::from_octets(&octets);
        assert_eq!(shapes.to_octets(), octets);
        assert_eq!(shapes.look(kind("x"), (&other, 7), 3, true).len(), 2);
        assert_eq!(shapes.look(kind("x"), (&other, 7), 3, true), []);
    }

    #[test]
    fn kinds_are_bounded() {
        let payload = serde_json::json!({});
        let mut shapes = Shapes::default();
        for number in 0..2 * REMEMBERED {
            shapes.look(kind(&number.to_string()), (&payload, 2), 0, true);
        }
        assert_eq!(shapes.kinds.len(), REMEMBERED);
        let octets = shapes.to_octets();
        let more = [&octets[..], &octets[..octets.len() - 1]].concat();
        assert_eq!(Shapes::from_octets(&more).kinds.len(), REMEMBERED);
    }

    /// A payload of as many nodes as a shape may have, with names that differ by `number`.
    fn large(number: u32) -> Value {
        let name = |place| format!("{number:>032}{place:>032}");
        let inner: Value = (0..127).map(|place| (name(place), Value::Null)).collect();
        (0..16).map(|place| (name(place), inner.clone())).collect()
    }

    #[test]
    fn shapes_together_are_bounded_and_the_longest_unseen_goes_first() {
        let mut shapes = Shapes::default();
        let first = large(0);
        for number in 0..130 {
            shapes.look(kind(&number.to_string()), (&large(number), 7), 1, true);
            shapes.look(kind("0"), (&first, 7), 1, true);
        }
        let sum: usize = shapes.kinds.iter().map(|(_, known)| known.octets).sum();
        assert_eq!(shapes.octets, sum);
        assert!((MAX_BYTES / 2..=MAX_BYTES).contains(&sum), "{sum}");
        let octets = shapes.to_octets();
        assert!((MAX_BYTES / 2..=MAX_BYTES).contains(&octets.len()), "{}", octets.len());
        assert_eq!(Shapes::from_octets(&octets).to_octets(), octets);
        let other = (&Value::Bool(true), 7);
        let knows = |number| shapes.look(kind(number), other, 1, false).len() == 1;
        assert_eq!(["0", "1", "129"].map(knows), [true, false, true]);
    }
}
