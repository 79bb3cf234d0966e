//! Owns which bodies are kept: of which part of which port, and how much.
//!
//! Pure. It must not know why a body is wanted, nor how it is kept.

use super::{BodyPolicy, Target, canonical_path};

/// What is kept of the bodies of requests, by where they go.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BodyPolicies {
    otherwise: BodyPolicy,
    places: Vec<Place>,
}

/// A part of a port.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    port: u16,
    path_prefix: Vec<u8>,
    policy: BodyPolicy,
}

impl BodyPolicies {
    /// Those under which every body is treated alike.
    #[must_use]
    pub fn all(policy: BodyPolicy) -> Self {
        Self { otherwise: policy, places: Vec::new() }
    }

    /// Treats requests for paths that start so, however they are spelled, by a policy of their own.
    /// The longest prefix wins; of two that are the same, the later one.
    pub fn add(&mut self, port: u16, path_prefix: &[u8], policy: BodyPolicy) {
        let path_prefix = canonical_path(path_prefix).into_owned();
        self.places.push(Place { port, path_prefix, policy });
    }

    /// The policy for a request to `port` whose target has this path; one without a path is
    /// treated as one that no prefix fits.
    #[must_use]
    pub fn of(&self, port: u16, path: Option<&[u8]>) -> BodyPolicy {
        let Some(path) = path.map(canonical_path) else { return self.otherwise };
        self.places
            .iter()
            .filter(|place| place.port == port && path.starts_with(&place.path_prefix))
            .max_by_key(|place| place.path_prefix.len())
            .map_or(self.otherwise, |place| place.policy)
    }

    /// The policy for a request as its line says it.
    pub(super) fn of_request(&self, port: u16, method: &[u8], target: &[u8]) -> BodyPolicy {
        if self.places.is_empty() {
            return self.otherwise;
        }
        self.of(port, Target::parse(method, target).path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn keep(content_cap: usize) -> BodyPolicy {
        BodyPolicy { sha256: false, content_cap }
    }

    #[test]
    fn the_longest_prefix_of_the_port_wins() {
        let mut policies = BodyPolicies::all(keep(0));
        policies.add(80, b"/hooks", keep(1));
        policies.add(80, b"/hooks/github", keep(2));
        policies.add(80, b"/hooks/none", keep(0));
        policies.add(81, b"/", keep(3));
        let check = |port, target: &str, expected| {
            let policy = policies.of_request(port, b"POST", target.as_bytes());
            assert_eq!(policy.content_cap, expected, "{target} on port {port}");
        };
        check(80, "/", 0);
        check(80, "/hook", 0);
        check(80, "/hooks", 1);
        check(80, "/hooks/github?x=/", 2);
        check(80, "/hooks/none/1", 0);
        check(80, "http://example.com/hooks/github", 2);
        check(80, "/%68ooks//github", 2);
        check(80, "/x/../hooks", 1);
        check(80, "/hooks/../x", 0);
        check(80, "*", 0);
        check(80, "", 0);
        check(81, "/hooks", 3);
        check(82, "/hooks", 0);
        assert_eq!(policies.of_request(81, b"CONNECT", b"/x:1").content_cap, 0);
    }
}
