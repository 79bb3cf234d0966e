//! The interfaces there are, by name and by index.
//!
//! It must not know which of them are wanted.

use anyhow::{Context as _, Result, bail};
use nix::errno::Errno;
use nix::ifaddrs::getifaddrs;
use nix::libc;
use nix::net::if_::{if_indextoname, if_nameindex, if_nametoindex};

/// The index of the interface of this name, if there is one.
///
/// # Errors
///
/// When the kernel cannot be asked, which takes a file descriptor.
pub(super) fn find(interface: &str) -> Result<Option<u32>> {
    match if_nametoindex(interface) {
        Ok(index) => Ok(Some(index)),
        Err(Errno::ENODEV) => Ok(None),
        Err(error @ (Errno::EMFILE | Errno::ENFILE)) => Err(error).with_context(|| {
            format!(
                "cannot look for the network interface {interface:?} without a free file \
                 descriptor; raise the limit of open files, in systemd with LimitNOFILE="
            )
        }),
        Err(error) => Err(error)
            .with_context(|| format!("cannot look for the network interface {interface:?}")),
    }
}

/// The index of an interface.
///
/// # Errors
///
/// When there is none of this name; the message lists those there are. And as [`find`].
pub(super) fn index_of(interface: &str) -> Result<u32> {
    let Some(index) = find(interface)? else {
        let known =
            known().with_context(|| format!("cannot look for others than {interface:?}"))?;
        bail!("there is no network interface {interface:?} here; there are: {known}");
    };
    Ok(index)
}

/// The name of the interface of this index, if there is one.
pub(super) fn name_of(index: u32) -> Option<String> {
    if_indextoname(index).ok()?.into_string().ok()
}

/// The names of the interfaces there are.
fn known() -> Result<String> {
    let all = if_nameindex()?;
    let names: Vec<_> = all.iter().map(|one| one.name().to_string_lossy().into_owned()).collect();
    Ok(names.join(", "))
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
