//! Puts the programs on interfaces and keeps them there: links are pinned, and a restart replaces
//! the program behind a pinned link in one step.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow, bail};
use aya::Ebpf;
use aya::programs::links::FdLink;
use aya::programs::xdp::XdpLink;
use aya::programs::{ProgramError, XdpMode};
use nix::errno::Errno;
use nix::ifaddrs::getifaddrs;
use nix::libc;
use nix::net::if_::{if_nameindex, if_nametoindex};

use super::classifier::{EGRESS, FILTER, INGRESS, filter_pin};
use super::{load, pins, qdisc};
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
}

impl Attachment {
    /// Takes note that nothing is seen there any more.
    pub fn lose(&mut self, why: &str) {
        if self.lost.as_deref() != Some(why) {
            tracing::warn!(interface = self.interface, why, "an interface is no longer watched");
            self.lost = Some(why.to_owned());
        }
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

/// The index of an interface.
///
/// # Errors
///
/// When there is none of this name; the message lists those there are.
pub(super) fn index_of(interface: &str) -> Result<u32> {
    if_nametoindex(interface).map_err(|_| {
        let known = if_nameindex().map_or_else(
            |_| String::from("none could be listed"),
            |all| {
                let names: Vec<_> =
                    all.iter().map(|one| one.name().to_string_lossy().into_owned()).collect();
                names.join(", ")
            },
        );
        anyhow!("there is no network interface {interface:?} here; there are: {known}")
    })
}

/// Checks that an interface exists and carries Ethernet frames, which the programs read.
///
/// # Errors
///
/// When it does not.
pub(super) fn check(interface: &str) -> Result<()> {
    index_of(interface)?;
    let kind = getifaddrs()
        .with_context(|| format!("cannot examine {interface}"))?
        .filter(|one| one.interface_name == interface)
        .find_map(|one| Some(one.address?.as_link_addr()?.hatype()));
    match kind {
        Some(libc::ARPHRD_ETHER | libc::ARPHRD_LOOPBACK) => Ok(()),
        _ => bail!(
            "{interface} carries no Ethernet frames (its type is {}), and the programs read \
             nothing else; name the interface below it",
            kind.map_or_else(|| String::from("unknown"), |kind| kind.to_string())
        ),
    }
}

/// Attaches the ingress program in the best place there is, or replaces the one an earlier agent
/// left.
pub(super) fn ingress(
    programs: &mut Ebpf,
    interface: &str,
    wanted: Wanted,
    pins: &Path,
) -> Result<Attachment> {
    let index = index_of(interface)?;
    let attachment = |mode, why, replaced| Attachment {
        interface: interface.to_owned(),
        index,
        mode,
        why,
        replaced,
        lost: None,
    };
    for mode in Mode::ALL {
        let pin = ingress_pin(pins, interface, mode);
        if !accepts(wanted, mode) {
            take_away(interface, mode, &pin)?;
        } else if replace(programs, interface, mode, &pin)? {
            return Ok(attachment(mode, None, true));
        }
    }
    let mut first: Option<anyhow::Error> = None;
    for mode in Mode::ALL.into_iter().filter(|mode| accepts(wanted, *mode)) {
        match place(programs, interface, mode, &ingress_pin(pins, interface, mode)) {
            Ok(()) => return Ok(attachment(mode, first.map(|why| why.to_string()), false)),
            Err(error) => first = first.or(Some(error)),
        }
    }
    Err(first.unwrap_or_else(|| anyhow!("no place is left to try on {interface}")))
}

/// Attaches the egress program, or replaces the one an earlier agent left.
pub(super) fn egress(programs: &mut Ebpf, interface: &str, pins: &Path) -> Result<()> {
    let (program, pin) = (load::classifier(programs, EGRESS)?, egress_pin(pins, interface));
    if EGRESS.replace(program, interface, &pin)? {
        Ok(())
    } else {
        EGRESS.attach(program, interface, &pin)
    }
}

/// Detaches both programs from an interface.
pub(super) fn detach(interface: &str, pins: &Path) -> Result<()> {
    for mode in Mode::ALL {
        pins::remove(&ingress_pin(pins, interface, mode))?;
    }
    pins::remove(&egress_pin(pins, interface))?;
    pins::remove(&filter_pin(&ingress_pin(pins, interface, Mode::Stack)))?;
    pins::remove(&filter_pin(&egress_pin(pins, interface)))?;
    for hook in [INGRESS, EGRESS] {
        hook.detach_filter(interface);
    }
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

fn ingress_pin(pins: &Path, interface: &str, mode: Mode) -> PathBuf {
    pins.join(ingress_prefix(mode) + &pins::name_of(interface))
}

fn ingress_prefix(mode: Mode) -> String {
    format!("ingress-{}-", mode.name())
}

fn egress_pin(pins: &Path, interface: &str) -> PathBuf {
    pins.join(format!("egress-{}", pins::name_of(interface)))
}

fn replace(programs: &mut Ebpf, interface: &str, mode: Mode, pin: &Path) -> Result<bool> {
    if mode == Mode::Stack {
        return INGRESS.replace(load::classifier(programs, INGRESS)?, interface, pin);
    }
    let Some(link) = pins::open(pin)? else { return Ok(false) };
    match load::xdp(programs, INGRESS_PROGRAM)?.attach_to_link(XdpLink::try_from(link)?) {
        Ok(_) => Ok(true),
        Err(error) => pins::forget_defunct(error, pin).map(|()| false),
    }
}

/// Detaches what runs in a place that is no longer wanted.
fn take_away(interface: &str, mode: Mode, pin: &Path) -> Result<()> {
    if mode == Mode::Stack && filter_pin(pin).exists() {
        INGRESS.detach_filter(interface);
        pins::remove(&filter_pin(pin))?;
    }
    pins::remove(pin)
}

fn place(programs: &mut Ebpf, interface: &str, mode: Mode, pin: &Path) -> Result<()> {
    let flags = match mode {
        Mode::Native => XdpMode::Driver,
        Mode::Generic => XdpMode::Skb,
        Mode::Stack => {
            return INGRESS.attach(load::classifier(programs, INGRESS)?, interface, pin);
        }
    };
    let program = load::xdp(programs, INGRESS_PROGRAM)?;
    let id = program.attach(interface, flags).map_err(|error| {
        let reason = explain(&error, interface);
        anyhow!(error).context(reason)
    })?;
    let link = FdLink::try_from(program.take_link(id)?)
        .with_context(|| format!("the kernel gave no link for {interface}"))?;
    link.pin(pin)?;
    Ok(())
}

pub(super) fn errno(error: &ProgramError) -> Option<Errno> {
    let ProgramError::SyscallError(syscall) = error else { return None };
    syscall.io_error.raw_os_error().map(Errno::from_raw)
}

fn explain(error: &ProgramError, interface: &str) -> String {
    match errno(error) {
        Some(Errno::EBUSY | Errno::EEXIST) => format!(
            "another XDP program is attached to {interface}: see which with `ip link show dev \
             {interface}`, and detach it with `ip link set dev {interface} xdp off` if it is not \
             needed"
        ),
        Some(Errno::EOPNOTSUPP) => {
            format!("the driver of {interface} has no XDP hook")
        }
        Some(Errno::EPERM) => {
            format!("no permission to attach to {interface}: run as root")
        }
        _ => format!("cannot attach the ingress program to {interface}: {error}"),
    }
}
