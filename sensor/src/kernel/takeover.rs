//! Puts a program behind the link that an earlier agent pinned, where the link still stands on the
//! interface that its pin is named after.
//!
//! A link goes with the interface and not with its name: that may have been given to another since,
//! or the agent may have been started in another network namespace. It must not know which hook a
//! link is for.

use std::os::fd::AsFd as _;
use std::path::Path;

use anyhow::{Context as _, Result};
use aya::programs::ProgramFd;

use super::interfaces::index_of;
use super::journal::{Journal, Step};
use super::link::{self, Info, Link};
use super::pins;

/// Puts `program` behind the link at `pin`; whether there was one on `interface`. One that stands
/// elsewhere, or nowhere any more, loses its pin. `runs` is whether the interface runs the program
/// of this identifier.
///
/// # Errors
///
/// When the kernel does not say where the link stands, or refuses the program.
pub(super) fn take_over(
    program: &ProgramFd,
    interface: &str,
    pin: &Path,
    runs: impl FnOnce(u32) -> Result<bool>,
    journal: &mut Journal,
) -> Result<bool> {
    let Some(link) = pins::open(pin)? else { return Ok(false) };
    let info = info(&link, pin)?;
    // Interfaces of two namespaces may have one index, but they do not run one program.
    if info.index != index_of(interface)? || !runs(info.program)? {
        tracing::warn!(
            interface, pin = %pin.display(),
            "what is pinned for this interface stands elsewhere: it was made anew, or another has its name"
        );
        pins::remove(pin)?;
        journal.note(Step::Unpinned(link, pin.to_path_buf()));
        return Ok(false);
    }
    let earlier =
        link::program(info.program).context("cannot open the program that stands there")?;
    link.put(program.as_fd()).with_context(|| {
        format!(
            "cannot take over the link that is pinned at {}; `hooksensor detach`              removes it, and the agent then attaches anew",
            pin.display()
        )
    })?;
    journal.note(Step::Replaced(link, earlier));
    Ok(true)
}

/// Where a pinned link stands.
///
/// # Errors
///
/// When the kernel does not say.
pub(super) fn info(link: &Link, pin: &Path) -> Result<Info> {
    link.info().with_context(|| format!("the kernel does not say where {} stands", pin.display()))
}
