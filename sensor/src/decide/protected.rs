//! The protected set: the addresses no decision can touch, each with the reason why.
//!
//! It must not know how the addresses were found.

use std::fmt;

use ipnet::IpNet;

/// Why an address is protected.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Why {
    /// The loopback range.
    Loopback,
    /// An address of this host, on the interface of this name.
    OwnAddress(String),
    /// A gateway, on the interface of this name.
    Gateway(String),
    /// A name server of this host.
    Resolver,
    /// The far end of an established SSH session.
    SshPeer,
    /// The configuration says so.
    Configured,
    /// A proxy whose address stands for all of its clients'.
    TrustedProxy,
}

impl Why {
    /// Whether a ban already in force ends when its target comes to be protected for this reason.
    /// Not for a session: whoever can open one could end a ban on himself.
    #[must_use]
    pub const fn lifts_bans(&self) -> bool {
        !matches!(self, Self::SshPeer)
    }
}

/// Prefixes with the reason each is protected.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Protected {
    entries: Vec<(IpNet, Why)>,
}

impl Protected {
    /// The set of these entries, in order and each prefix once.
    #[must_use]
    pub fn new(mut entries: Vec<(IpNet, Why)>) -> Self {
        entries.sort();
        entries.dedup_by(|one, other| one.0 == other.0);
        Self { entries }
    }

    /// The first entry that shares an address with `target`.
    #[must_use]
    pub fn touched_by(&self, target: &IpNet) -> Option<&(IpNet, Why)> {
        self.entries.iter().find(|(net, _)| net.contains(target) || target.contains(net))
    }

    /// Every entry, in order.
    #[must_use]
    pub fn entries(&self) -> &[(IpNet, Why)] {
        &self.entries
    }

    /// The prefixes alone, in order.
    #[must_use]
    pub fn prefixes(&self) -> Vec<IpNet> {
        self.entries.iter().map(|(net, _)| *net).collect()
    }
}

impl fmt::Display for Why {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Loopback => formatter.write_str("loopback"),
            Self::OwnAddress(interface) => {
                write!(formatter, "an address of this host on {interface}")
            }
            Self::Gateway(interface) => write!(formatter, "a gateway on {interface}"),
            Self::Resolver => formatter.write_str("a name server of this host"),
            Self::SshPeer => formatter.write_str("the peer of an SSH session"),
            Self::Configured => formatter.write_str("protected by the configuration"),
            Self::TrustedProxy => formatter.write_str("a trusted proxy"),
        }
    }
}
