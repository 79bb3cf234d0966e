//! Puts the programs on interfaces and keeps them there: links are pinned, and a restart replaces
//! the program behind a pinned link in one step.
//!
//! It must not know what the programs do with a packet, nor which interfaces are wanted and why.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow};
use aya::Ebpf;

use super::classifier::{EGRESS, FILTER, INGRESS};
use super::interfaces::index_of;
use super::journal::{Journal, Place, Step, Xdp};
use super::{link, load, pins, qdisc, seated, takeover, xdp};
use crate::config::XdpMode as Wanted;

/// Name of the program at the XDP hook.
pub(super) const INGRESS_PROGRAM: &str = "hooksensor_ingress";

/// Where in the receive path the ingress program runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// In the driver, before a packet costs anything.
    Native,
    /// In the network stack, where the driver has no hook.
    Generic,
    /// As a classifier behind XDP, where another program has that.
    Stack,
}

/// What an interface got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attachment {
    /// The interface.
    pub interface: String,
    /// Its index.
    pub index: u32,
    /// Where the ingress program runs.
    pub mode: Mode,
    /// Why it does not run in a better place, where it does not.
    pub why: Option<String>,
    /// Whether a program that was there already was replaced.
    pub replaced: bool,
    /// Why nothing is seen there any more, where that is so.
    pub lost: Option<String>,
    /// The name it has now, where it got another one while it is watched.
    pub renamed: Option<String>,
}

impl Attachment {
    /// Takes note that nothing is seen there any more.
    pub fn lose(&mut self, why: &str) {
        if self.lost.as_deref() != Some(why) {
            tracing::warn!(interface = self.interface, why, "an interface is no longer watched");
            self.lost = Some(why.to_owned());
            self.renamed = None;
        }
    }

    /// Takes note of the name that the interface has now.
    pub fn rename(&mut self, name: Option<String>) {
        if self.renamed == name {
            return;
        }
        let interface = &self.interface;
        if let Some(now) = &name {
            tracing::warn!(
                interface,
                now,
                "an interface was renamed; it is watched still, and recorded with the name that the \
                 configuration has: change that there, and reload"
            );
        } else {
            tracing::info!(interface, "an interface has its name again");
        }
        self.renamed = name;
    }
}

impl Mode {
    pub(super) const ALL: [Self; 3] = [Self::Native, Self::Generic, Self::Stack];

    /// The name that stands in `status` and in pin names.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Generic => "generic",
            Self::Stack => "tc",
        }
    }
}

/// Attaches the ingress program in the best place there is, or replaces the one an earlier agent
/// left. What it left in other places goes when the journal is kept.
pub(super) fn ingress(
    programs: &mut Ebpf,
    interface: &str,
    wanted: Wanted,
    pins: &Path,
    journal: &mut Journal,
) -> Result<Attachment> {
    let index = index_of(interface)?;
    let mut attachment = Attachment {
        interface: interface.to_owned(),
        index,
        mode: Mode::Stack,
        why: None,
        replaced: false,
        lost: None,
        renamed: None,
    };
    let modes = || Mode::ALL.into_iter().filter(|mode| accepts(wanted, *mode));
    for mode in modes() {
        if replace(programs, interface, mode, &ingress_pin(pins, interface, mode), journal)? {
            leave_others(interface, mode, pins, journal);
            return Ok(Attachment { mode, replaced: true, ..attachment });
        }
    }
    let mut first: Option<anyhow::Error> = None;
    for mode in modes() {
        match place(programs, &attachment, mode, pins, journal) {
            Ok(()) => {
                leave_others(interface, mode, pins, journal);
                attachment.why = first.map(|why| why.to_string());
                return Ok(Attachment { mode, ..attachment });
            }
            Err(error) => first = first.or(Some(error)),
        }
    }
    Err(first.unwrap_or_else(|| anyhow!("no place is left to try on {interface}")))
}

/// Attaches the egress program, or replaces the one an earlier agent left.
pub(super) fn egress(
    programs: &mut Ebpf,
    interface: &str,
    pins: &Path,
    journal: &mut Journal,
) -> Result<()> {
    let (program, pin) = (load::classifier(programs, EGRESS)?, egress_pin(pins, interface));
    if EGRESS.replace(program, interface, &pin, journal)? {
        Ok(())
    } else {
        EGRESS.attach(program, interface, &pin, journal)
    }
}

/// Detaches both programs from an interface.
pub(super) fn detach(interface: &str, pins: &Path) -> Result<()> {
    for mode in Mode::ALL {
        pins::remove(&ingress_pin(pins, interface, mode))?;
    }
    pins::remove(&egress_pin(pins, interface))?;
    INGRESS.leave_filter(interface, &ingress_pin(pins, interface, Mode::Stack))?;
    EGRESS.leave_filter(interface, &egress_pin(pins, interface))?;
    qdisc::remove(interface, pins)
}

/// The interfaces an earlier agent left programs on.
pub(super) fn pinned_interfaces(pins: &Path) -> Result<Vec<String>> {
    let mut interfaces = Vec::new();
    for file in fs::read_dir(pins).with_context(|| format!("cannot list {}", pins.display()))? {
        let name = file?.file_name();
        let name = name.to_string_lossy();
        let name = name.strip_prefix(FILTER).unwrap_or(&name);
        for mode in Mode::ALL {
            if let Some(interface) = name.strip_prefix(&ingress_prefix(mode)) {
                interfaces.push(pins::interface_of(interface));
            }
        }
    }
    Ok(interfaces)
}

pub(super) const fn accepts(wanted: Wanted, mode: Mode) -> bool {
    match wanted {
        Wanted::Auto => true,
        Wanted::Native => matches!(mode, Mode::Native),
        Wanted::Generic => matches!(mode, Mode::Generic),
        Wanted::Tc => matches!(mode, Mode::Stack),
    }
}

pub(super) fn ingress_pin(pins: &Path, interface: &str, mode: Mode) -> PathBuf {
    pins.join(ingress_prefix(mode) + &pins::name_of(interface))
}

fn ingress_prefix(mode: Mode) -> String {
    format!("ingress-{}-", mode.name())
}

pub(super) fn egress_pin(pins: &Path, interface: &str) -> PathBuf {
    pins.join(format!("egress-{}", pins::name_of(interface)))
}

fn replace(
    programs: &mut Ebpf,
    interface: &str,
    mode: Mode,
    pin: &Path,
    journal: &mut Journal,
) -> Result<bool> {
    if mode == Mode::Stack {
        let program = load::classifier(programs, INGRESS)?;
        return INGRESS.replace(program, interface, pin, journal);
    }
    let index = index_of(interface)?;
    let program = load::xdp(programs, INGRESS_PROGRAM)?.fd()?;
    takeover::take_over(program, interface, pin, |id| seated::runs_xdp(index, id), journal)
}

/// Has what an earlier agent left in other places go, once nothing is taken back any more.
fn leave_others(interface: &str, mode: Mode, pins: &Path, journal: &mut Journal) {
    for other in Mode::ALL.into_iter().filter(|other| *other != mode) {
        journal.note(Step::Leaves(place_of(interface, other, pins)));
    }
}

fn place_of(interface: &str, mode: Mode, pins: &Path) -> Place {
    Place {
        interface: interface.to_owned(),
        pin: ingress_pin(pins, interface, mode),
        hook: (mode == Mode::Stack).then_some(INGRESS),
    }
}

/// Attaches the ingress program where none of ours is.
fn place(
    programs: &mut Ebpf,
    at: &Attachment,
    mode: Mode,
    pins: &Path,
    journal: &mut Journal,
) -> Result<()> {
    let pin = ingress_pin(pins, &at.interface, mode);
    if mode == Mode::Stack {
        let program = load::classifier(programs, INGRESS)?;
        return INGRESS.attach(program, &at.interface, &pin, journal);
    }
    // One XDP program stands on an interface at a time: of an earlier agent's in the other mode
    // there is a moment without, and it is put back where this one is refused.
    let mut change = Journal::default();
    let other = if mode == Mode::Native { Mode::Generic } else { Mode::Native };
    make_way(at, other, &ingress_pin(pins, &at.interface, other), &mut change)?;
    xdp::attach(load::xdp(programs, INGRESS_PROGRAM)?, &at.interface, mode, &pin)?;
    change.note(Step::Placed(place_of(&at.interface, mode, pins)));
    journal.append(change);
    Ok(())
}

/// Detaches what an earlier agent left on the interface at the XDP hook in another mode.
fn make_way(at: &Attachment, mode: Mode, pin: &Path, change: &mut Journal) -> Result<()> {
    let Some(link) = pins::open(pin)? else { return Ok(()) };
    let info = takeover::info(&link, pin)?;
    if info.index != at.index || !seated::runs_xdp(at.index, info.program)? {
        return Ok(());
    }
    let program = link::program(info.program).context("cannot open an earlier agent's program")?;
    link.detach().context("cannot detach an earlier agent's program")?;
    let native = mode == Mode::Native;
    change.note(Step::GaveWay(Xdp { program, index: at.index, native, pin: pin.to_path_buf() }));
    pins::remove(pin)
}
