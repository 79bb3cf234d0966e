//! Puts the programs on interfaces and keeps them there: links are pinned, and a restart replaces
//! the program behind a pinned link in one step.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow, bail};
use aya::programs::links::{FdLink, LinkError, PinnedLink};
use aya::programs::tc::{
    NlOptions, SchedClassifierLink, TcAttachOptions, qdisc_add_clsact, qdisc_detach_program,
};
use aya::programs::xdp::XdpLink;
use aya::programs::{LinkOrder, ProgramError, SchedClassifier, TcAttachType, Xdp, XdpMode};
use nix::errno::Errno;
use nix::ifaddrs::getifaddrs;
use nix::libc;
use nix::net::if_::{if_nameindex, if_nametoindex};

use crate::config::XdpMode as Wanted;

/// Name of the egress program, by which an old kernel's filter is found again.
pub(super) const EGRESS_PROGRAM: &str = "hooksensor_egress";

/// Where in the receive path the ingress program runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// In the driver, before a packet costs anything.
    Native,
    /// In the network stack, where the driver has no hook.
    Generic,
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
    const ALL: [Self; 2] = [Self::Native, Self::Generic];

    /// The name that stands in `status` and in pin names.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Generic => "generic",
        }
    }

    const fn flags(self) -> XdpMode {
        match self {
            Self::Native => XdpMode::Driver,
            Self::Generic => XdpMode::Skb,
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

/// Attaches the ingress program, or replaces the one an earlier agent left.
pub(super) fn ingress(
    program: &mut Xdp,
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
        if !accepts(wanted, mode) {
            remove_pin(&ingress_pin(pins, interface, mode))?;
        } else if replace_ingress(program, &ingress_pin(pins, interface, mode))? {
            return Ok(attachment(mode, None, true));
        }
    }
    let mut why = None;
    for mode in Mode::ALL.into_iter().filter(|mode| accepts(wanted, *mode)) {
        match program.attach(interface, mode.flags()) {
            Ok(id) => {
                let link = program.take_link(id)?;
                let link = FdLink::try_from(link)
                    .with_context(|| format!("the kernel gave no link for {interface}"))?;
                link.pin(ingress_pin(pins, interface, mode))?;
                return Ok(attachment(mode, why, false));
            }
            Err(error) => {
                let reason = explain(&error, interface);
                if is_taken(&error) || !accepts(wanted, Mode::Generic) || mode == Mode::Generic {
                    return Err(anyhow!(error).context(reason));
                }
                why = Some(reason);
            }
        }
    }
    bail!("no XDP mode is left to try on {interface}")
}

/// Attaches the egress program, or replaces the one an earlier agent left.
pub(super) fn egress(program: &mut SchedClassifier, interface: &str, pins: &Path) -> Result<()> {
    let pin = egress_pin(pins, interface);
    if replace_egress(program, &pin)? {
        return Ok(());
    }
    let last = TcAttachOptions::TcxOrder(LinkOrder::default());
    match program.attach_with_options(interface, TcAttachType::Egress, last) {
        Ok(id) => {
            FdLink::try_from(program.take_link(id)?)?.pin(pin)?;
            Ok(())
        }
        // Before Linux 6.6 (commit e420bed02507) classifiers attach over netlink, without links.
        Err(error) if errno(&error) == Some(Errno::EINVAL) => egress_filter(program, interface),
        Err(error) => {
            Err(error).with_context(|| format!("cannot attach to the egress of {interface}"))
        }
    }
}

/// Detaches both programs from an interface.
pub(super) fn detach(interface: &str, pins: &Path) -> Result<()> {
    for mode in Mode::ALL {
        remove_pin(&ingress_pin(pins, interface, mode))?;
    }
    remove_pin(&egress_pin(pins, interface))?;
    detach_filter(interface);
    Ok(())
}

/// The interfaces an earlier agent left programs on.
pub(super) fn pinned_interfaces(pins: &Path) -> Result<Vec<String>> {
    let mut interfaces = Vec::new();
    for file in fs::read_dir(pins).with_context(|| format!("cannot list {}", pins.display()))? {
        let name = file?.file_name();
        let name = name.to_string_lossy();
        for mode in Mode::ALL {
            if let Some(interface) = name.strip_prefix(&ingress_prefix(mode)) {
                interfaces.push(interface.to_owned());
            }
        }
    }
    Ok(interfaces)
}

const fn accepts(wanted: Wanted, mode: Mode) -> bool {
    match wanted {
        Wanted::Auto => true,
        Wanted::Native => matches!(mode, Mode::Native),
        Wanted::Generic => matches!(mode, Mode::Generic),
    }
}

fn ingress_pin(pins: &Path, interface: &str, mode: Mode) -> PathBuf {
    pins.join(format!("{}{interface}", ingress_prefix(mode)))
}

fn ingress_prefix(mode: Mode) -> String {
    format!("ingress-{}-", mode.name())
}

fn egress_pin(pins: &Path, interface: &str) -> PathBuf {
    pins.join(format!("egress-{interface}"))
}

fn replace_ingress(program: &mut Xdp, pin: &Path) -> Result<bool> {
    let Some(link) = open_pin(pin)? else { return Ok(false) };
    match program.attach_to_link(XdpLink::try_from(link)?) {
        Ok(_) => Ok(true),
        Err(error) => forget_defunct(&error, pin).map(|()| false),
    }
}

fn replace_egress(program: &mut SchedClassifier, pin: &Path) -> Result<bool> {
    let Some(link) = open_pin(pin)? else { return Ok(false) };
    match program.attach_to_link(SchedClassifierLink::try_from(link)?) {
        Ok(_) => Ok(true),
        Err(error) => forget_defunct(&error, pin).map(|()| false),
    }
}

fn open_pin(pin: &Path) -> Result<Option<FdLink>> {
    match PinnedLink::from_pin(pin) {
        Ok(link) => Ok(Some(link.into())),
        Err(LinkError::SyscallError(error)) if error.io_error.kind() == io::ErrorKind::NotFound => {
            Ok(None)
        }
        Err(error) => Err(error).with_context(|| format!("cannot open {}", pin.display())),
    }
}

/// A link whose interface is gone answers `ENOLINK`; its pin is of no more use.
fn forget_defunct(error: &ProgramError, pin: &Path) -> Result<()> {
    tracing::info!(pin = %pin.display(), %error, "a pinned link could not be taken over");
    remove_pin(pin)
}

fn remove_pin(pin: &Path) -> Result<()> {
    match fs::remove_file(pin) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", pin.display()))
        }
        _ => Ok(()),
    }
}

fn errno(error: &ProgramError) -> Option<Errno> {
    let ProgramError::SyscallError(syscall) = error else { return None };
    syscall.io_error.raw_os_error().map(Errno::from_raw)
}

fn is_taken(error: &ProgramError) -> bool {
    matches!(errno(error), Some(Errno::EBUSY | Errno::EEXIST))
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

fn egress_filter(program: &mut SchedClassifier, interface: &str) -> Result<()> {
    let added = qdisc_add_clsact(interface);
    detach_filter(interface);
    let options = TcAttachOptions::Netlink(NlOptions::default());
    let attached = program.attach_with_options(interface, TcAttachType::Egress, options);
    let id = attached.with_context(|| {
        format!("cannot attach to the egress of {interface} (adding its clsact qdisc: {added:?})")
    })?;
    keep_filter(program.take_link(id)?);
    Ok(())
}

fn detach_filter(interface: &str) {
    match qdisc_detach_program(interface, TcAttachType::Egress, EGRESS_PROGRAM) {
        Ok(()) => {}
        Err(error) => tracing::debug!(interface, %error, "no egress filter to detach"),
    }
}

/// A filter attached over netlink stays until it is detached by name, also when the agent is
/// killed; dropping its handle would detach it at once.
#[expect(clippy::mem_forget, reason = "the kernel keeps the filter, not this handle")]
fn keep_filter(link: SchedClassifierLink) {
    std::mem::forget(link);
}
