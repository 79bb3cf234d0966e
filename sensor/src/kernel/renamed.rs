//! Interfaces that got another name: a link goes with its interface, and its pin keeps the name.
//!
//! It must not know which names are wanted.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use super::attach::{Attachment, Mode, egress_pin, ingress_pin, pinned_interfaces};
use super::classifier::filter_pin;
use super::interfaces::{find, index_of, name_of};
use super::journal::{Journal, Step};
use super::{pins, qdisc, takeover};

/// The name that a watched interface has now, where its programs are still on it.
pub(super) fn name_now(at: &Attachment, folder: &Path) -> Option<String> {
    let pin = ingress_pin(folder, &at.interface, at.mode);
    let stands = filter_pin(&pin).exists() || is_link_to(at.index, &pin).unwrap_or_default();
    name_of(at.index).filter(|_| stands)
}

/// Gives what is pinned for an earlier name of an interface the one it has now: it would be in the
/// way as another's program, and be taken off for a name that is no longer wanted.
///
/// # Errors
///
/// When the kernel does not say where a link stands, or a pin cannot be renamed.
pub(super) fn take_along(interface: &str, folder: &Path, journal: &mut Journal) -> Result<()> {
    if all_pins(folder, interface).iter().any(|pin| pin.exists()) {
        return Ok(());
    }
    let index = index_of(interface)?;
    let pinned = pinned_interfaces(folder)?;
    let Some(earlier) = pinned.iter().find(|name| was_called(name, index, folder)) else {
        return Ok(());
    };
    tracing::info!(interface, earlier, "an interface was renamed; its programs stay");
    for (from, to) in all_pins(folder, earlier).into_iter().zip(all_pins(folder, interface)) {
        if from.exists() {
            rename(&from, &to)?;
            journal.note(Step::Renamed { from, to });
        }
    }
    Ok(())
}

/// Gives a pin another name.
///
/// # Errors
///
/// As the file system's.
pub(super) fn rename(from: &Path, to: &Path) -> Result<()> {
    fs::rename(from, to)
        .with_context(|| format!("cannot rename {} to {}", from.display(), to.display()))
}

/// Whether nothing is called `name` any more, and what is pinned for it stands on the interface of
/// this index.
fn was_called(name: &str, index: u32, folder: &Path) -> bool {
    let is_free = matches!(find(name), Ok(None));
    let mut places = Mode::ALL.map(|mode| ingress_pin(folder, name, mode)).into_iter();
    is_free && places.any(|pin| is_link_to(index, &pin).unwrap_or_default())
}

fn is_link_to(index: u32, pin: &Path) -> Result<bool> {
    let Some(link) = pins::open(pin)? else { return Ok(false) };
    Ok(takeover::info(&link, pin)?.index == index)
}

/// Everything that may be pinned for an interface, always in the same order.
fn all_pins(folder: &Path, interface: &str) -> Vec<PathBuf> {
    let ingress = Mode::ALL.map(|mode| ingress_pin(folder, interface, mode));
    let links = ingress.into_iter().chain([egress_pin(folder, interface)]);
    let mut pins: Vec<_> = links.flat_map(|pin| [filter_pin(&pin), pin]).collect();
    pins.push(qdisc::mark(folder, interface));
    pins
}
