//! Puts frames on an interface as they are.
//!
//! It must not know what the frames are.

use std::os::fd::{AsRawFd as _, OwnedFd, RawFd};

use anyhow::{Context as _, Result};
use nix::ifaddrs::getifaddrs;
use nix::sys::socket::{AddressFamily, LinkAddr, MsgFlags, SockFlag, SockType, bind, send, socket};

/// The sending end of an interface of the namespace it was opened in.
#[derive(Debug)]
pub struct Link {
    socket: OwnedFd,
}

impl Link {
    /// A socket that sends whole frames on `interface` and receives nothing.
    ///
    /// # Errors
    /// Without root, or when there is no such interface.
    pub fn open(interface: &str) -> Result<Self> {
        let address = address(interface)?;
        let socket = socket(AddressFamily::Packet, SockType::Raw, SockFlag::SOCK_CLOEXEC, None)
            .context("cannot open a packet socket, which takes root")?;
        bind(socket.as_raw_fd(), &address)
            .with_context(|| format!("cannot bind to {interface}"))?;
        Ok(Self { socket })
    }

    /// Sends one frame.
    ///
    /// # Errors
    /// When the interface does not take it.
    pub fn send(&self, frame: &[u8]) -> Result<()> {
        send(self.descriptor(), frame, MsgFlags::empty()).context("cannot send a frame")?;
        Ok(())
    }

    pub(crate) fn descriptor(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}

/// The listing of addresses is where a link's address can be had without assembling one by hand.
fn address(interface: &str) -> Result<LinkAddr> {
    let listed = getifaddrs().context("cannot list the interfaces")?;
    let mut named = listed.filter(|entry| entry.interface_name == interface);
    named
        .find_map(|entry| entry.address?.as_link_addr().copied())
        .with_context(|| format!("there is no interface {interface}"))
}
