//! Why the kernel does not take a ban, in words that say what to do.
//!
//! It must not know which ban it was.

use aya::maps::{MapError, MapType};
use nix::errno::Errno;

/// Why the kernel did not take a ban.
#[derive(Debug)]
pub enum BanError {
    /// The map for this kind of ban holds no more.
    Full(MapType),
    /// The kernel refused for another reason.
    Refused(anyhow::Error),
}

impl std::fmt::Display for BanError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Full(MapType::LpmTrie) => formatter.write_str(
                "the kernel's table of CIDR bans is full; raise kernel.max_cidr_bans and restart",
            ),
            Self::Full(_) => formatter
                .write_str("the kernel's table of bans is full; raise kernel.max_bans and restart"),
            Self::Refused(error) => write!(formatter, "the kernel refused the ban: {error:#}"),
        }
    }
}

impl std::error::Error for BanError {}

/// What a map's answer to a ban means, which is on a single address or not.
pub(super) fn refusal(error: MapError, is_exact: bool) -> BanError {
    match &error {
        MapError::SyscallError(syscall) => {
            let errno = syscall.io_error.raw_os_error().map(Errno::from_raw);
            if matches!(errno, Some(Errno::E2BIG | Errno::ENOSPC)) {
                return BanError::Full(if is_exact { MapType::Hash } else { MapType::LpmTrie });
            }
            BanError::Refused(error.into())
        }
        _ => BanError::Refused(error.into()),
    }
}
