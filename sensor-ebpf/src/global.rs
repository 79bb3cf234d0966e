//! Global variables of the programs, which are reached without a lookup.
//!
//! Each is the value of a map that the loader makes, and the kernel puts its address into a program
//! when it loads it (Linux 5.2, commit d8eca5bbb2be). It must not know what the values mean.
#![expect(unsafe_code, reason = "others write the variables")]

use core::cell::UnsafeCell;

use hooksensor_ebpf::abi::Settings;

/// The settings in force, all zero until the agent writes them, which it does before it attaches
/// a program. Each agent has its own; programs that an earlier one left keep theirs until they are
/// replaced.
#[unsafe(link_section = ".bss.settings")]
#[unsafe(no_mangle)]
static SETTINGS: Shared<Settings> = Shared::new(Settings::ZERO);

/// A value that other processors, or the agent, change at any moment.
pub(crate) struct Shared<T>(UnsafeCell<T>);

// SAFETY: words are what is read and written of it at once. Who reads a value of several may see
// one of them before another.
unsafe impl<T> Sync for Shared<T> {}

impl<T> Shared<T> {
    /// A variable; its section takes zeros only.
    pub(crate) const fn new(value: T) -> Self {
        Self(UnsafeCell::new(value))
    }

    /// Where it lies.
    #[inline(always)]
    pub(crate) const fn place(&self) -> *mut T {
        self.0.get()
    }
}

/// How often the agent has changed something that decides who is dropped.
#[inline(always)]
pub(crate) fn generation() -> u64 {
    // SAFETY: as below; the word is read once, and where it is asked for.
    unsafe { (&raw const (*SETTINGS.place()).generation).read_volatile() }
}

/// The settings in force.
#[inline(always)]
pub(crate) fn settings() -> &'static Settings {
    // SAFETY: no program writes them; the kernel copies the agent's over them.
    unsafe { &*SETTINGS.place() }
}
