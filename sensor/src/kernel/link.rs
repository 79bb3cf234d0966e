//! Links as bpf(2) shows them: where one stands, which program is behind it, and another put there.
//!
//! It must not know whose program it is.
#![expect(unsafe_code, reason = "aya says neither where a link stands nor puts programs back")]

use std::ffi::{CString, NulError};
use std::io;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use nix::libc::c_long;

use super::call::{bpf, obtain};

// Commands, and where XDP programs are attached (bpf.h).
const BPF_OBJ_PIN: c_long = 6;
const BPF_OBJ_GET: c_long = 7;
const BPF_PROG_GET_FD_BY_ID: c_long = 13;
const BPF_OBJ_GET_INFO_BY_FD: c_long = 15;
const BPF_LINK_CREATE: c_long = 28;
const BPF_LINK_UPDATE: c_long = 29;
const BPF_LINK_DETACH: c_long = 34;
const BPF_XDP: u32 = 37;

// From if_link.h.
const XDP_FLAGS_SKB_MODE: u32 = 1 << 1;
const XDP_FLAGS_DRV_MODE: u32 = 1 << 2;

/// A link, which holds its program in place while this or a pin of it is there.
#[derive(Debug)]
pub(super) struct Link(OwnedFd);

/// What the kernel says of a link to an interface: the start of `struct bpf_link_info` (bpf.h).
#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Info {
    kind: u32,
    id: u32,
    /// The identifier of the program behind it.
    pub(super) program: u32,
    padding: u32,
    /// The index of the interface, in the network namespace that has it; 0 when it is gone
    /// (`bpf_xdp_link_fill_link_info` in net/core/dev.c, `tcx_link_fill_info` in kernel/bpf/tcx.c).
    pub(super) index: u32,
    direction: u32,
}

/// Of `union bpf_attr`, what the commands on pins read.
#[repr(C)]
struct Pin {
    path: u64,
    descriptor: u32,
    flags: u32,
}

/// Of `union bpf_attr`, what the question about a link reads.
#[repr(C)]
struct Question {
    descriptor: u32,
    length: u32,
    info: u64,
}

impl Link {
    /// The link pinned at `pin`, if there is one.
    ///
    /// # Errors
    ///
    /// When it cannot be opened.
    pub(super) fn open(pin: &Path) -> io::Result<Option<Self>> {
        let path = c_path(pin)?;
        let mut attributes = Pin { path: address_of(&path), descriptor: 0, flags: 0 };
        // SAFETY: the attributes are those of the command, and the path lives through the call,
        // which gives a descriptor.
        match unsafe { obtain(BPF_OBJ_GET, &mut attributes) } {
            Ok(link) => Ok(Some(Self(link))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Attaches an XDP program to an interface, in the driver or in the network stack.
    ///
    /// # Errors
    ///
    /// As the kernel's.
    pub(super) fn attach_xdp(
        program: BorrowedFd<'_>,
        index: u32,
        native: bool,
    ) -> io::Result<Self> {
        let flags = if native { XDP_FLAGS_DRV_MODE } else { XDP_FLAGS_SKB_MODE };
        let mut attributes = [number(program), index, BPF_XDP, flags];
        // SAFETY: the attributes are those of the command, which gives a descriptor.
        unsafe { obtain(BPF_LINK_CREATE, &mut attributes) }.map(Self)
    }

    /// Pins it at `pin`.
    ///
    /// # Errors
    ///
    /// When there is something, or it is not on a BPF file system.
    pub(super) fn pin(&self, pin: &Path) -> io::Result<()> {
        let path = c_path(pin)?;
        let mut attributes =
            Pin { path: address_of(&path), descriptor: number(self.0.as_fd()), flags: 0 };
        // SAFETY: the attributes are those of the command, and the path lives through the call.
        unsafe { bpf(BPF_OBJ_PIN, &mut attributes) }.map(drop)
    }

    /// Where it stands, and what is behind it.
    ///
    /// # Errors
    ///
    /// As the kernel's.
    pub(super) fn info(&self) -> io::Result<Info> {
        let mut info = Info::default();
        let mut attributes = Question {
            descriptor: number(self.0.as_fd()),
            length: u32::try_from(size_of::<Info>()).map_err(io::Error::other)?,
            info: (&raw mut info).expose_provenance() as u64,
        };
        // SAFETY: the attributes are those of the command, which writes so many octets at most to
        // what they point to. Any octets are numbers.
        unsafe { bpf(BPF_OBJ_GET_INFO_BY_FD, &mut attributes) }?;
        Ok(info)
    }

    /// Puts `program` behind it, in place of the one that was there.
    ///
    /// # Errors
    ///
    /// As the kernel's.
    pub(super) fn put(&self, program: BorrowedFd<'_>) -> io::Result<()> {
        let mut attributes = [number(self.0.as_fd()), number(program), 0, 0];
        // SAFETY: the attributes are those of the command.
        unsafe { bpf(BPF_LINK_UPDATE, &mut attributes) }.map(drop)
    }

    /// Takes its program off the interface at once. When only its pin is removed, the kernel does
    /// that a little later.
    ///
    /// # Errors
    ///
    /// As the kernel's.
    pub(super) fn detach(&self) -> io::Result<()> {
        // SAFETY: the attributes are those of the command.
        unsafe { bpf(BPF_LINK_DETACH, &mut [number(self.0.as_fd())]) }.map(drop)
    }
}

/// A loaded program by its identifier.
///
/// # Errors
///
/// When there is none.
pub(super) fn program(id: u32) -> io::Result<OwnedFd> {
    // SAFETY: the attributes are those of the command, which gives a descriptor.
    unsafe { obtain(BPF_PROG_GET_FD_BY_ID, &mut [id, 0, 0]) }
}

fn number(descriptor: BorrowedFd<'_>) -> u32 {
    descriptor.as_raw_fd().cast_unsigned()
}

fn address_of(path: &CString) -> u64 {
    path.as_ptr().expose_provenance() as u64
}

fn c_path(path: &Path) -> Result<CString, NulError> {
    CString::new(path.as_os_str().as_bytes())
}
