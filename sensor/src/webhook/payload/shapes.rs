//! The shapes of every kind of delivery: which is which, and what is remembered of them.
//!
//! Pure. It must not know how what it remembers outlives a restart.

use std::num::NonZeroUsize;

use lru::LruCache;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::kept;
use super::shape::{Drift, Shape};

/// Kinds of delivery whose shape is remembered; the longest unseen is forgotten first. With most
/// of them at some 300 nodes this is some 10 MiB.
const REMEMBERED: NonZeroUsize = NonZeroUsize::new(256).expect("not zero");

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
pub struct Shapes(LruCache<Name, Shape>);

impl Default for Shapes {
    fn default() -> Self {
        Self(LruCache::new(REMEMBERED))
    }
}

impl Shapes {
    /// The shapes that [`Shapes::to_octets`] wrote; what is not whole at their end is left out.
    #[must_use]
    pub fn from_octets(mut octets: &[u8]) -> Self {
        let mut shapes = Self::default();
        while let Some((name, mut rest)) = octets.split_first_chunk() {
            let Some(shape) = kept::read(&mut rest) else { break };
            shapes.0.put(*name, shape);
            octets = rest;
        }
        shapes
    }

    /// What is remembered, the longest unseen first: hashes of what names a kind, names of members,
    /// types and counts. No value of a payload is in it.
    #[must_use]
    pub fn to_octets(&self) -> Vec<u8> {
        let mut octets = Vec::new();
        for (name, shape) in self.0.iter().rev() {
            octets.extend(name);
            kept::write(shape, &mut octets);
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
        let known = self.0.get(&name);
        let drifts = known.map(|shape| shape.drifts(payload, octets, enough)).unwrap_or_default();
        if teaches {
            self.0.get_or_insert_mut(name, Shape::default).learn(payload, octets);
        }
        drifts
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
        for number in 0..2 * REMEMBERED.get() {
            shapes.look(kind(&number.to_string()), (&payload, 2), 0, true);
        }
        assert_eq!(shapes.0.len(), REMEMBERED.get());
        let octets = shapes.to_octets();
        let more = [&octets[..], &octets[..octets.len() - 1]].concat();
        assert_eq!(Shapes::from_octets(&more).0.len(), REMEMBERED.get());
    }
}
