//! Why the choke point refuses, in words that say what to do.
//!
//! It must not know who asked.

use std::fmt;
use std::time::Duration;

use ipnet::IpNet;

use super::MAX_REASON;
use super::protected::Why;
use crate::config::format_duration;

/// Why a ban was not granted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The target contains, or lies in, a protected prefix.
    Protected {
        /// What was to be banned.
        target: IpNet,
        /// The protected prefix.
        prefix: IpNet,
        /// Why it is protected.
        why: Why,
    },
    /// The target is wider than a ban may be.
    TooWide {
        /// What was to be banned.
        target: IpNet,
        /// The shortest prefix length permitted.
        widest: u8,
    },
    /// The ban would hold longer than any may.
    TooLong {
        /// What was asked for.
        duration: Duration,
        /// The longest permitted.
        longest: Duration,
    },
    /// The ban would not hold at all.
    NoTime,
    /// The reason says nothing, or more than may be kept, or more than text.
    Reason,
    /// The scope names no port.
    NoPort,
    /// The scope names a port that is not watched.
    NotWatched(u16),
    /// A ban on the same addresses, or on more, is in force already.
    Already(IpNet),
    /// What was found calls for an alert and for no ban.
    AlertOnly,
    /// As many automatic bans as a minute may have were made in the last one.
    Budget(u32),
}

impl Refusal {
    /// The name that stands in metrics.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Protected { .. } => "protected",
            Self::TooWide { .. } => "too_wide",
            Self::TooLong { .. } => "too_long",
            Self::NoTime => "no_time",
            Self::Reason => "reason",
            Self::NoPort => "no_port",
            Self::NotWatched(_) => "not_watched",
            Self::Already(_) => "already",
            Self::AlertOnly => "alert_only",
            Self::Budget(_) => "budget",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Protected { target, prefix, why } if target == prefix => {
                write!(formatter, "{target} is protected: it is {why}")
            }
            Self::Protected { target, prefix, why } => {
                let relation = if prefix.contains(target) { "lies in" } else { "would cover" };
                write!(formatter, "{target} {relation} {prefix}, which is protected: it is {why}")
            }
            Self::TooWide { target, widest } => write!(
                formatter,
                "{target} is too wide for a ban: the widest is /{widest} (ban.widest_v4 and \
                 ban.widest_v6)"
            ),
            Self::TooLong { duration, longest } => write!(
                formatter,
                "{} is too long for a ban: the longest is {} (ban.max_duration)",
                format_duration(*duration),
                format_duration(*longest)
            ),
            Self::NoTime => formatter.write_str("a ban needs a duration, for example 4h"),
            Self::Reason => write!(
                formatter,
                "a ban needs a reason of 1 to {MAX_REASON} characters, none of them a control \
                 character"
            ),
            Self::NoPort => formatter.write_str("a ban on ports needs a port"),
            Self::NotWatched(port) => write!(
                formatter,
                "port {port} is not watched; name watched ports, or ban on the whole host"
            ),
            Self::Already(target) => {
                write!(formatter, "{target} is banned already")
            }
            Self::AlertOnly => formatter.write_str("the rule alerts and does not ban"),
            Self::Budget(most) => write!(
                formatter,
                "{most} automatic bans were made in the last minute, as many as may be \
                 (ban.per_minute)"
            ),
        }
    }
}

impl std::error::Error for Refusal {}
