//! Has the kernel verify again what a signal kept it from.
//!
//! The verifier gives up as soon as a signal waits for the process, whichever it is (Linux 4.20,
//! commit c3494801cd17): the SIGHUP of a reload, or a stop and what follows it. It must not know
//! what is verified.

use std::io;

use anyhow::{Context as _, Result};
use aya::programs::ProgramError;

/// Attempts at one program, which takes a good part of a second on a busy machine: whoever sends
/// signals faster than that, again and again, is told that they are in the way.
const ATTEMPTS: usize = 10;

/// Loads a program, of which the kernel has not said no before.
pub(super) fn load(name: &str, load: impl FnMut() -> Result<(), ProgramError>) -> Result<()> {
    let was_cut_short = |error: &ProgramError| match error {
        ProgramError::LoadError { io_error, .. } => is_cut_short(io_error),
        _ => false,
    };
    until_judged(load, was_cut_short)
        .with_context(|| format!("the kernel does not accept program {name}"))
}

/// Makes another attempt as long as the last one says nothing of its subject.
pub(super) fn until_judged<T, E>(
    mut attempt: impl FnMut() -> Result<T, E>,
    was_cut_short: impl Fn(&E) -> bool,
) -> Result<T, E> {
    for _ in 1..ATTEMPTS {
        match attempt() {
            Err(error) if was_cut_short(&error) => {}
            judged => return judged,
        }
    }
    attempt()
}

/// Whether the kernel says that it was kept from it.
pub(super) fn is_cut_short(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock
}

#[cfg(test)]
mod tests {
    use nix::errno::Errno;

    use super::*;

    /// The attempts at what is cut short so often and then ends in `last`, and whether it was good.
    fn check(cut_short: usize, last: Result<(), Errno>, expected: (usize, bool)) {
        let mut attempts = 0;
        let attempt = || {
            attempts += 1;
            let cut = Err(Errno::EAGAIN);
            let outcome = if attempts > cut_short { last } else { cut };
            outcome.map_err(io::Error::from)
        };
        let is_good = until_judged(attempt, is_cut_short).is_ok();
        assert_eq!((attempts, is_good), expected, "{cut_short} times, then {last:?}");
    }

    #[test]
    fn what_is_cut_short_is_tried_again_and_what_is_refused_is_not() {
        check(0, Ok(()), (1, true));
        check(0, Err(Errno::EINVAL), (1, false));
        check(3, Ok(()), (4, true));
        check(3, Err(Errno::EACCES), (4, false));
        check(ATTEMPTS, Ok(()), (ATTEMPTS, false));
    }
}
