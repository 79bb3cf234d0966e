//! bpf(2) with a command and its attributes.
//!
//! It must not know commands.
#![expect(unsafe_code, reason = "bpf(2) has no safe wrapper for every command")]

use std::io;
use std::os::fd::{FromRawFd as _, OwnedFd, RawFd};

use nix::libc::{SYS_bpf, c_long, syscall};

/// Has the kernel carry out a command.
///
/// # Safety
///
/// `attributes` must be what `command` reads, and writes where it writes any, and point to nothing
/// that it must not use.
pub(super) unsafe fn bpf<T>(command: c_long, attributes: &mut T) -> io::Result<RawFd> {
    // SAFETY: the caller's word for the attributes, which live through the call.
    let answer = unsafe { syscall(SYS_bpf, command, &raw mut *attributes, size_of::<T>()) };
    match RawFd::try_from(answer) {
        Ok(answer) if answer >= 0 => Ok(answer),
        _ => Err(io::Error::last_os_error()),
    }
}

/// What a command gives a descriptor of.
///
/// # Safety
///
/// As for [`bpf`], and `command` must be one that opens something.
pub(super) unsafe fn obtain<T>(command: c_long, attributes: &mut T) -> io::Result<OwnedFd> {
    // SAFETY: the caller's word for command and attributes. The descriptor was given to this
    // process just now, and nothing else knows it.
    unsafe { bpf(command, attributes).map(|descriptor| OwnedFd::from_raw_fd(descriptor)) }
}
