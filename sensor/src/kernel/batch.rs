//! Many entries into a map with one system call (`BPF_MAP_UPDATE_BATCH`, Linux 5.6), which aya
//! does not offer: a hundred thousand single calls take seconds.
//!
//! It must not know what entries mean.
#![expect(unsafe_code, reason = "bpf(2) has no safe wrapper for this command")]

use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _};

use aya::Pod;
use aya::maps::{MapData, MapType};
use aya::util::nr_cpus;
use nix::libc::c_long;

use super::call::bpf;

const BPF_MAP_UPDATE_BATCH: c_long = 26;

/// The part of `union bpf_attr` that batch commands use (bpf.h).
#[repr(C)]
#[derive(Default)]
struct Attributes {
    in_batch: u64,
    out_batch: u64,
    keys: u64,
    values: u64,
    count: u32,
    map: u32,
    element_flags: u64,
    flags: u64,
}

/// What a batch came to.
pub(super) struct Written {
    /// Entries written: the first so many.
    pub(super) count: usize,
    /// Why the next one was not.
    pub(super) error: Option<io::Error>,
}

/// Writes entries until one fails. A kernel or a kind of map that knows no batches fails at the
/// first. Where a map has a value for each processor, those of a key stand together, each of a
/// multiple of eight octets.
///
/// # Panics
///
/// When the map's keys or values have another size, or there are not as many for each key.
pub(super) fn update<K: Pod, V: Pod>(map: &MapData, keys: &[K], values: &[V]) -> Written {
    let each = match map.info().and_then(|info| info.map_type()) {
        Ok(MapType::PerCpuArray) => match nr_cpus() {
            Ok(processors) => processors,
            Err((_, error)) => return Written { count: 0, error: Some(error) },
        },
        _ => 1,
    };
    assert!(each == 1 || size_of::<V>().is_multiple_of(8), "the kernel fills them up to eight");
    assert_eq!(keys.len() * each, values.len(), "every key has its values");
    let info = map.info().map(|info| (info.key_size(), info.value_size())).ok();
    let sizes = (u32::try_from(size_of::<K>()).ok(), u32::try_from(size_of::<V>()).ok());
    assert_eq!(info.unzip(), sizes, "the map holds such entries");
    let mut attributes = Attributes {
        keys: keys.as_ptr().addr() as u64,
        values: values.as_ptr().addr() as u64,
        count: u32::try_from(keys.len()).unwrap_or(u32::MAX),
        map: u32::try_from(map.fd().as_fd().as_raw_fd()).unwrap_or(u32::MAX),
        ..Attributes::default()
    };
    // SAFETY: the attributes are those the command reads, of their size, and live through the
    // call. It reads at most `count` entries of each slice, whose sizes were compared with the
    // map's above, and writes nothing but the count.
    let Err(error) = (unsafe { bpf(BPF_MAP_UPDATE_BATCH, &mut attributes) }) else {
        return Written { count: keys.len(), error: None };
    };
    // A command the kernel does not know leaves the count as it was given.
    let known =
        error.raw_os_error() != Some(nix::libc::EINVAL) && error.raw_os_error() != Some(ENOTSUPP);
    let count = if known { attributes.count as usize } else { 0 };
    Written { count: count.min(keys.len()), error: Some(error) }
}

/// Whether this kernel has the command: one that has looks for the map, of which there is none.
pub(super) fn is_known() -> bool {
    let mut attributes = Attributes { map: u32::MAX, ..Attributes::default() };
    // SAFETY: the attributes are those the command reads, of their size, and live through the
    // call. Without a map it reads and writes nothing else.
    let known = unsafe { bpf(BPF_MAP_UPDATE_BATCH, &mut attributes) };
    known.is_err_and(|error| error.raw_os_error() == Some(nix::libc::EBADF))
}

/// What the kernel answers for a map that has no batches (`errno.h` of the kernel's inside).
const ENOTSUPP: i32 = 524;
