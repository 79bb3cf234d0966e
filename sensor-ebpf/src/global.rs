//! What every program reads of each packet: in place, without a lookup.
//!
//! A global variable is the value of a map that the loader makes, and the kernel resolves its
//! address when it loads a program (Linux 5.2, commit d8eca5bbb2be). It must not know what the
//! values mean.
#![expect(unsafe_code, reason = "another writes the variable")]

use core::cell::UnsafeCell;

use hooksensor_ebpf::abi::Settings;

/// The settings in force, all zero until the agent writes them, which it does before it attaches
/// a program. Each agent has its own; programs that an earlier one left keep theirs until they are
/// replaced.
#[unsafe(link_section = ".bss.settings")]
#[unsafe(no_mangle)]
static SETTINGS: Shared<Settings> = Shared(UnsafeCell::new(Settings::ZERO));

/// A value that the agent changes at any moment.
struct Shared<T>(UnsafeCell<T>);

// SAFETY: programs only read it. The kernel copies a new value over it, of which a program may see
// one field before another.
unsafe impl<T> Sync for Shared<T> {}

/// The settings in force.
#[inline(always)]
pub(crate) fn settings() -> &'static Settings {
    // SAFETY: as above.
    unsafe { &*SETTINGS.0.get() }
}
