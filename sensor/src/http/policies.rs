//! Owns which bodies are kept: of which part of which port, and how much.
//!
//! Pure. It must not know why a body is wanted, nor how it is kept.

use super::{BodyPolicy, Places};

/// What is kept of the bodies of requests, by where they go.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BodyPolicies {
    otherwise: BodyPolicy,
    places: Places<BodyPolicy>,
}

impl BodyPolicies {
    /// Those under which every body is treated alike.
    #[must_use]
    pub fn all(policy: BodyPolicy) -> Self {
        Self { otherwise: policy, places: Places::default() }
    }

    /// Treats requests for paths that start so by a policy of their own, as [`Places::add`] has it.
    pub fn add(&mut self, port: u16, path_prefix: &[u8], policy: BodyPolicy) {
        self.places.add(port, path_prefix, policy);
    }

    /// The policy for a request to `port` as its line says it.
    pub(super) fn of_request(&self, port: u16, method: &[u8], target: &[u8]) -> BodyPolicy {
        self.places.of(port, method, target).copied().unwrap_or(self.otherwise)
    }
}
