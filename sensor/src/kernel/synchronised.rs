//! Whether something keeps the wall clock on time.
//!
//! It must not know what the time is for, and changes nothing.
#![expect(unsafe_code, reason = "the call has no safe form in nix")]

use std::io;
use std::mem::MaybeUninit;

use nix::libc::{STA_UNSYNC, adjtimex, timex};

/// Whether the kernel was told of late, by a time service, how far off its clock is (adjtimex(2)).
///
/// # Errors
///
/// When the kernel refuses to say.
pub fn clock_is_synchronised() -> io::Result<bool> {
    let mut state = MaybeUninit::<timex>::zeroed();
    // SAFETY: all zero is a valid `timex`, whose `modes` of zero changes nothing; the kernel fills
    // it before the call returns.
    let (returned, state) = unsafe { (adjtimex(state.as_mut_ptr()), state.assume_init()) };
    if returned < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(state.status & STA_UNSYNC == 0)
}
