//! Owns what an engine is told: which ports, how much memory, what to keep of bodies.
//!
//! It must not know the configuration file.

use std::collections::BTreeSet;

use super::{Allowance, BodyPolicies, TrustedProxies};
use crate::tcp;

/// Octets of a message head that are taken. Servers refuse more: nginx at 32 KiB, Apache at 8 KiB a
/// field, Go at 1 MiB; what real senders send stays below 16 KiB.
pub(super) const MAX_HEAD: usize = 64 * 1024;
/// Requests of one connection that may wait for their responses; browsers and proxies that pipeline
/// at all stay below ten.
pub(super) const MAX_PIPELINED: usize = 128;

/// Octets of a body that nobody needs from which on it is worth saying so: a dozen full segments,
/// of which the last few are under way before it is heard.
pub(super) const WORTH_SKIPPING: u64 = 16 * 1024;
/// Octets that are skipped at once: sequence numbers are compared over half their range, and what
/// the kernel is told must not wrap. The rest of a larger body is asked for when this much is over.
pub(super) const MAX_SKIPPED: u64 = 1 << 30;

/// The TCP ports whose traffic is read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum PortFilter {
    /// Every port on which HTTP is spoken.
    #[default]
    Any,
    /// These ports, of the side that answers.
    Only(BTreeSet<u16>),
}

impl PortFilter {
    /// Whether the port is read.
    #[must_use]
    pub fn has(&self, port: u16) -> bool {
        match self {
            Self::Any => true,
            Self::Only(ports) => ports.contains(&port),
        }
    }
}

/// What is kept of message bodies besides their length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BodyPolicy {
    /// Whether the SHA-256 of the content is computed.
    pub sha256: bool,
    /// Octets of content that are kept, whole; of a longer one, no more than 64 KiB.
    pub content_cap: usize,
}

impl BodyPolicy {
    pub(super) fn keeps_anything(self) -> bool {
        self.sha256 || self.content_cap > 0
    }
}

/// Bounds on memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bounds of the stage below.
    pub tcp: tcp::Limits,
    /// Octets of message heads that are not complete yet or whose exchange is not, over all
    /// connections.
    pub head_octets: usize,
}

impl Limits {
    /// 32 MiB: five hundred of the longest heads, or a hundred thousand usual ones.
    pub const HEAD_OCTETS: usize = 32 << 20;
}

impl Default for Limits {
    /// Those of one engine that is alone.
    fn default() -> Self {
        Self { tcp: tcp::Limits::default(), head_octets: Self::HEAD_OCTETS }
    }
}

/// What an engine is told at its start.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The ports read.
    pub ports: PortFilter,
    /// Bounds on memory.
    pub limits: Limits,
    /// Memory for the contents of bodies, which other engines may share.
    pub contents: Allowance,
    /// What is kept of bodies.
    pub bodies: BodyPolicies,
    /// The proxies whose word on the client's address is taken.
    pub proxies: TrustedProxies,
    /// Secret that keeps peers from choosing addresses that collide in the connection table. It
    /// does not change what is put out.
    pub seed: u64,
}
