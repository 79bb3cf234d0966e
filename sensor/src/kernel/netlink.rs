//! One message to the kernel over netlink and its answer (netlink(7)): enough to look at an
//! interface, and to remove what hangs on it.
//!
//! It must not know what is asked.

use std::ffi::CStr;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::{io, iter};

use nix::sys::socket::sockopt::ReceiveTimeout;
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, recv, sendto,
    setsockopt, socket,
};
use nix::sys::time::TimeVal;

/// Octets of `struct nlmsghdr`.
const HEADER: usize = 16;

/// Octets of `struct nlattr`.
const ATTRIBUTE: usize = 4;

/// Of an attribute's type, without the flags for nesting and byte order.
const TYPE: u16 = 0x3fff;

const NLM_F_REQUEST: u16 = 1;
const NLM_F_ACK: u16 = 4;
const NLM_F_DUMP: u16 = 0x300;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;

// From genetlink.h.
const GENL_ID_CTRL: u16 = 16;
const CTRL_CMD_GETFAMILY: u8 = 3;
const CTRL_ATTR_FAMILY_ID: u16 = 1;
const CTRL_ATTR_FAMILY_NAME: u16 = 2;

/// Octets of `struct genlmsghdr`.
pub(super) const GENERIC_HEADER: usize = 4;

/// An interface with many virtual functions says most about itself: some 250 octets for each, of
/// which there are at most 65536 (PCI's number of them has 16 bits).
const LONGEST_ANSWER: usize = 16 << 20;

/// Seconds until an answer is given up that the kernel makes at once.
const PATIENCE: i64 = 2;

/// Sends one message of type `kind` and returns what the answer holds behind its header.
pub(super) fn ask(protocol: SockProtocol, kind: u16, payload: &[u8]) -> io::Result<Vec<u8>> {
    body(&exchange(protocol, kind, NLM_F_REQUEST, payload)?).map(<[u8]>::to_vec)
}

/// Has the kernel do what a message of type `kind` says.
pub(super) fn command(protocol: SockProtocol, kind: u16, payload: &[u8]) -> io::Result<()> {
    body(&exchange(protocol, kind, NLM_F_REQUEST | NLM_F_ACK, payload)?).map(drop)
}

/// Whether there is anything to list for a message of type `kind`.
pub(super) fn any(protocol: SockProtocol, kind: u16, payload: &[u8]) -> io::Result<bool> {
    let answer = exchange(protocol, kind, NLM_F_REQUEST | NLM_F_DUMP, payload)?;
    body(&answer).map(|_| type_of(&answer) != Some(NLMSG_DONE))
}

/// The kernel's first datagram in answer to a message.
fn exchange(protocol: SockProtocol, kind: u16, flags: u16, payload: &[u8]) -> io::Result<Vec<u8>> {
    let socket = socket(AddressFamily::Netlink, SockType::Raw, SockFlag::SOCK_CLOEXEC, protocol)?;
    let length = u32::try_from(HEADER + payload.len()).map_err(io::Error::other)?;
    let mut message = Vec::with_capacity(HEADER + payload.len());
    message.extend(length.to_ne_bytes());
    message.extend(kind.to_ne_bytes());
    message.extend(flags.to_ne_bytes());
    message.extend([0; 8]);
    message.extend(payload);
    let kernel = NetlinkAddr::new(0, 0);
    setsockopt(&socket, ReceiveTimeout, &TimeVal::new(PATIENCE, 0))?;
    sendto(socket.as_raw_fd(), &message, &kernel, MsgFlags::empty())?;
    receive(&socket).map_err(|error| match error.kind() {
        io::ErrorKind::WouldBlock => {
            io::Error::new(io::ErrorKind::TimedOut, "the kernel did not answer within 2 s")
        }
        _ => error,
    })
}

/// One datagram, whole.
fn receive(socket: &OwnedFd) -> io::Result<Vec<u8>> {
    let look = MsgFlags::MSG_PEEK | MsgFlags::MSG_TRUNC;
    let length = recv(socket.as_raw_fd(), &mut [], look)?;
    if length > LONGEST_ANSWER {
        let found =
            format!("the kernel's answer has {length} octets, and {LONGEST_ANSWER} at most");
        return Err(io::Error::other(found + " are read"));
    }
    let mut answer = vec![0; length];
    let length = recv(socket.as_raw_fd(), &mut answer, MsgFlags::empty())?;
    answer.truncate(length);
    Ok(answer)
}

/// What stands behind the header of an answer; nothing in one that only says that all went well.
fn body(answer: &[u8]) -> io::Result<&[u8]> {
    let cut = || io::Error::new(io::ErrorKind::UnexpectedEof, "the kernel's answer ends early");
    let body = answer.get(HEADER..).ok_or_else(cut)?;
    if type_of(answer) != Some(NLMSG_ERROR) {
        return Ok(body);
    }
    match number(body.get(..4).ok_or_else(cut)?).ok_or_else(cut)? {
        0 => Ok(&[]),
        code => Err(io::Error::from_raw_os_error(code.cast_signed().wrapping_neg())),
    }
}

fn type_of(answer: &[u8]) -> Option<u16> {
    Some(u16::from_ne_bytes(answer.get(4..6)?.try_into().ok()?))
}

/// An attribute as it is sent.
pub(super) fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let length = u16::try_from(ATTRIBUTE + value.len()).unwrap_or(u16::MAX);
    let mut octets = [length.to_ne_bytes(), kind.to_ne_bytes()].concat();
    octets.extend(value);
    octets.resize(octets.len().next_multiple_of(ATTRIBUTE), 0);
    octets
}

/// The value of the attribute `wanted` among `attributes`, which may hold more of them.
pub(super) fn find(attributes: &[u8], wanted: u16) -> Option<&[u8]> {
    each(attributes).find_map(|(kind, value)| (kind == wanted).then_some(value))
}

/// Attributes by their type, up to the first that is not whole.
pub(super) fn each(attributes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    let mut rest = Some(attributes);
    iter::from_fn(move || {
        let (head, tail) = rest?.split_first_chunk::<ATTRIBUTE>()?;
        let [a, b, c, d] = *head;
        let length = usize::from(u16::from_ne_bytes([a, b])).checked_sub(ATTRIBUTE)?;
        rest = tail.get(length.next_multiple_of(ATTRIBUTE)..);
        Some((u16::from_ne_bytes([c, d]) & TYPE, tail.get(..length)?))
    })
}

/// The number of a generic family (`CTRL_CMD_GETFAMILY`), where the kernel has it.
pub(super) fn family(name: &CStr) -> Option<u16> {
    let mut request = vec![CTRL_CMD_GETFAMILY, 1, 0, 0];
    request.extend(attribute(CTRL_ATTR_FAMILY_NAME, name.to_bytes_with_nul()));
    let answer = ask(SockProtocol::NetlinkGeneric, GENL_ID_CTRL, &request).ok()?;
    let family = find(answer.get(GENERIC_HEADER..)?, CTRL_ATTR_FAMILY_ID)?;
    Some(u16::from_ne_bytes(family.try_into().ok()?))
}

/// A number of four octets.
pub(super) fn number(value: &[u8]) -> Option<u32> {
    Some(u32::from_ne_bytes(value.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_found_among_others() {
        let inner = attribute(2, b"odd");
        let all =
            [attribute(1, b"four"), attribute(7 | 0x8000, &inner), attribute(9, &[])].concat();
        assert_eq!(find(&all, 1), Some(b"four".as_slice()));
        assert_eq!(find(find(&all, 7).unwrap(), 2), Some(b"odd".as_slice()));
        assert_eq!(find(&all, 9), Some([].as_slice()));
        assert_eq!(find(&all, 3), None);
        for length in 0..all.len() {
            assert_eq!(find(&all[..length], 9), None, "{length}");
        }
        assert_eq!(find(&[1, 0, 5, 0], 5), None, "shorter than itself");
    }

    #[test]
    fn an_error_is_the_kernels() {
        let mut answer = vec![0; HEADER];
        answer[4] = 2;
        answer.extend((-19_i32).to_ne_bytes());
        assert_eq!(body(&answer).unwrap_err().raw_os_error(), Some(19));
        assert!(body(&answer[..HEADER]).is_err());
        answer[HEADER..].fill(0);
        assert!(body(&answer).unwrap().is_empty(), "an acknowledgement");
    }
}
