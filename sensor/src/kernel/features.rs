//! What this kernel can do, found by asking it and not from its version: distributions carry
//! features back, and turn others off.
//!
//! Nothing is attached, pinned or left loaded by asking. It must not know what is done without a
//! feature.

use std::io::ErrorKind;

use anyhow::{Result, bail};
use aya::maps::MapType;
use aya::programs::links::LinkError;
use aya::programs::{ProgramError, ProgramType, SchedClassifier, TcAttachType, loaded_links};
use aya::sys::{BpfHelper, is_helper_supported, is_map_supported};

use super::again::{is_cut_short, until_judged};
use super::{batch, instructions};

/// Something the programs or the agent use where it is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Feature {
    /// Rings of records.
    RingBuffer,
    /// Links that can be pinned and whose program can be replaced.
    Links,
    /// The clock in steps of a tick.
    CoarseClock,
    /// Compare-and-swap of a word in a map.
    CompareAndSwap,
    /// Reading packets of several buffers at the XDP hook.
    SeveralBuffers,
    /// Many entries of a map in one system call.
    Batches,
    /// Classifiers attached by link.
    Tcx,
}

impl Feature {
    /// Every feature, those without which nothing works first.
    pub const ALL: [Self; 7] = [
        Self::RingBuffer,
        Self::Links,
        Self::CoarseClock,
        Self::CompareAndSwap,
        Self::SeveralBuffers,
        Self::Batches,
        Self::Tcx,
    ];

    /// The name in listings.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::RingBuffer => "ring buffer",
            Self::Links => "links",
            Self::CoarseClock => "coarse clock",
            Self::CompareAndSwap => "compare-and-swap",
            Self::SeveralBuffers => "packets of several buffers",
            Self::Batches => "batch operations",
            Self::Tcx => "tcx",
        }
    }

    /// The first release that has it.
    #[must_use]
    pub const fn since(self) -> &'static str {
        match self {
            Self::RingBuffer => "5.8",
            Self::Links => "5.9",
            Self::CoarseClock => "5.11",
            Self::CompareAndSwap => "5.12",
            Self::SeveralBuffers => "5.18",
            Self::Batches => "5.6",
            Self::Tcx => "6.6",
        }
    }

    /// What is done where it is missing, or nothing where the agent does not run then.
    #[must_use]
    pub const fn without(self) -> Option<&'static str> {
        match self {
            Self::Batches => Some("bans are loaded one by one"),
            Self::Tcx => Some("classifiers are netlink filters, which no pin holds"),
            _ => None,
        }
    }

    /// Whether this kernel has it. An unprivileged process is told no.
    #[must_use]
    pub fn is_there(self) -> bool {
        let helper = |kind, helper| {
            let was_cut_short = |error: &ProgramError| match error {
                ProgramError::SyscallError(error) => is_cut_short(&error.io_error),
                _ => false,
            };
            until_judged(|| is_helper_supported(kind, helper), was_cut_short).unwrap_or(false)
        };
        match self {
            Self::RingBuffer => is_map_supported(MapType::RingBuf).unwrap_or(false),
            // None at all is an answer too; a kernel without links has no such question.
            Self::Links => loaded_links().next().is_none_or(|link| match link {
                Ok(_) => true,
                // One that went before it could be looked at, or is not ready yet, is one.
                Err(LinkError::SyscallError(error)) => {
                    matches!(error.io_error.kind(), ErrorKind::NotFound | ErrorKind::WouldBlock)
                }
                Err(_) => false,
            }),
            Self::CoarseClock => helper(ProgramType::Xdp, BpfHelper::BPF_FUNC_ktime_get_coarse_ns),
            Self::CompareAndSwap => instructions::has_compare_and_swap(),
            Self::SeveralBuffers => helper(ProgramType::Xdp, BpfHelper::BPF_FUNC_xdp_load_bytes),
            Self::Batches => batch::is_known(),
            Self::Tcx => SchedClassifier::query_tcx("lo", TcAttachType::Ingress).is_ok(),
        }
    }
}

/// Refuses a kernel that lacks what nothing replaces: the verifier's own words would be many, and
/// would not say so.
pub(super) fn require() -> Result<()> {
    let missing: Vec<_> = Feature::ALL
        .into_iter()
        .filter(|feature| feature.without().is_none() && !feature.is_there())
        .map(|feature| format!("{} (Linux {})", feature.name(), feature.since()))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    bail!(
        "this kernel lacks what the programs need: {}; run Linux 5.18 or later",
        missing.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nothing_replaces_comes_first() {
        let optional: Vec<_> =
            Feature::ALL.into_iter().map(|feature| feature.without().is_some()).collect();
        assert!(optional.is_sorted(), "{optional:?}");
    }
}
