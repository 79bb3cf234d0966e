//! The header walk: Ethernet, VLAN tags, IPv4, the IPv6 extension chain, fragments, TCP.
//!
//! Pure, and bounded in every loop. It must not know program contexts, ports of interest or bans.

pub use plain::Plain;

use crate::abi::{Address, NO_VLAN, Reason};

mod plain;

/// VLAN and QinQ tags walked before a frame counts as too deep.
pub const MAX_TAGS: usize = 4;

/// IPv6 extension headers walked before a packet counts as too deep.
pub const MAX_EXTENSIONS: usize = 8;

const ETHERNET: usize = 14;
const ETHERTYPE_IPV4: u16 = 0x0800;
const ETHERTYPE_IPV6: u16 = 0x86dd;
const ETHERTYPE_VLAN: u16 = 0x8100;
const ETHERTYPE_QINQ: u16 = 0x88a8;
/// QinQ as it was tagged before IEEE 802.1ad.
const ETHERTYPE_QINQ_OLD: u16 = 0x9100;
const VLAN_IDENTIFIER: u16 = 0x0fff;
/// [`NO_VLAN`] in a word.
const UNTAGGED: u32 = NO_VLAN as u32;

const HOP_BY_HOP: u8 = 0;
const IPV4_IN_IP: u8 = 4;
const TCP: u8 = 6;
const IPV6_IN_IP: u8 = 41;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const GRE: u8 = 47;
const AUTHENTICATION: u8 = 51;
const DESTINATION: u8 = 60;
const MOBILITY: u8 = 135;

const IPV4_HEADER: usize = 20;
const IPV4_FRAGMENT_OFFSET: u16 = 0x1fff;
const IPV6_HEADER: usize = 40;
const IPV6_FRAGMENT_OFFSET: u16 = 0xfff8;
const TCP_HEADER: usize = 20;

/// Access to the octets of a packet.
pub trait Load {
    /// `N` octets that were checked to be there.
    type Window<const N: usize>: Window<N>;

    /// `N` octets from `offset`, or `None` where the packet ends before them.
    fn window<const N: usize>(&self, offset: usize) -> Option<Self::Window<N>>;

    /// The same offset. A verifier that follows every way through the headers apart can be made to
    /// forget here on which one it is.
    #[inline(always)]
    fn forget(&self, offset: usize) -> usize {
        offset
    }

    /// The same number of turns. A compiler that does not know it leaves the loop one, where the
    /// turns laid out one after the other would take a stack slot each.
    #[inline(always)]
    fn turns(&self, most: usize) -> usize {
        most
    }
}

/// Reads fields of a header whose presence was checked once. `AT` is checked when compiled.
pub trait Window<const N: usize> {
    /// The octet at `AT`.
    fn u8<const AT: usize>(&self) -> u8;
    /// Two octets at `AT`, from network order.
    fn u16<const AT: usize>(&self) -> u16;
    /// Four octets at `AT` as they lie in memory.
    fn word<const AT: usize>(&self) -> u32;
}

/// What the network layer says of a packet. Words without padding, so that one function of the
/// programs can hand it to another.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    /// The sender.
    pub source: Address,
    /// The receiver.
    pub destination: Address,
    /// Where the transport header starts.
    pub offset: usize,
    /// Where the packet ends by its own length field; link-layer padding lies beyond.
    pub end: usize,
    /// VLAN identifier of the outermost tag, or [`NO_VLAN`].
    pub vlan: u32,
    /// [`Reason::Clean`] when a TCP header should follow, otherwise why none can be read.
    pub transport: Reason,
}

impl Network {
    /// Of a packet that was not walked.
    pub const UNKNOWN: Self = Self {
        source: Address::v4(0),
        destination: Address::v4(0),
        offset: 0,
        end: 0,
        vlan: UNTAGGED,
        transport: Reason::Truncated,
    };
}

/// What a TCP header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transport {
    /// The sender's port.
    pub source_port: u16,
    /// The receiver's port.
    pub destination_port: u16,
    /// Sequence number.
    pub sequence: u32,
    /// Acknowledgement number.
    pub acknowledgement: u32,
    /// Control bits.
    pub flags: u8,
    /// Where the payload starts.
    pub payload: usize,
}

/// Walks to the transport header of an Ethernet frame.
///
/// # Errors
///
/// The reason why not even a source address could be read.
#[inline(always)]
pub fn network<L: Load>(frame: &L) -> Result<Network, Reason> {
    let ethernet = frame.window::<ETHERNET>(0).ok_or(Reason::Truncated)?;
    let mut ethertype = ethernet.u16::<12>();
    let mut offset = ETHERNET;
    let mut vlan = UNTAGGED;
    for _ in 0..frame.turns(MAX_TAGS) {
        if !matches!(ethertype, ETHERTYPE_VLAN | ETHERTYPE_QINQ | ETHERTYPE_QINQ_OLD) {
            break;
        }
        let tag = frame.window::<4>(offset).ok_or(Reason::Truncated)?;
        if vlan == UNTAGGED {
            vlan = u32::from(tag.u16::<0>() & VLAN_IDENTIFIER);
        }
        ethertype = tag.u16::<2>();
        offset += 4;
    }
    let offset = frame.forget(offset);
    match ethertype {
        ETHERTYPE_IPV4 => ipv4(frame, offset, vlan),
        ETHERTYPE_IPV6 => ipv6(frame, offset, vlan),
        ETHERTYPE_VLAN | ETHERTYPE_QINQ | ETHERTYPE_QINQ_OLD => Err(Reason::TooDeep),
        _ => Err(Reason::NotIp),
    }
}

/// Reads the TCP header at `offset`.
///
/// # Errors
///
/// [`Reason::Truncated`] when it is not all there or states an impossible length.
#[inline(always)]
pub fn transport<L: Load>(frame: &L, offset: usize) -> Result<Transport, Reason> {
    let header = frame.window::<TCP_HEADER>(offset).ok_or(Reason::Truncated)?;
    let length = usize::from(header.u8::<12>() >> 4) * 4;
    if length < TCP_HEADER {
        return Err(Reason::Truncated);
    }
    Ok(Transport {
        source_port: header.u16::<0>(),
        destination_port: header.u16::<2>(),
        sequence: u32::from_be(header.word::<4>()),
        acknowledgement: u32::from_be(header.word::<8>()),
        flags: header.u8::<13>(),
        payload: offset + length,
    })
}

/// The receiver's port alone: all of a TCP header that a first fragment of the least size holds
/// (RFC 1858, section 3).
#[inline(always)]
pub fn destination_port<L: Load>(frame: &L, offset: usize) -> Option<u16> {
    frame.window::<4>(offset).map(|ports| ports.u16::<2>())
}

#[inline(always)]
fn ipv4<L: Load>(frame: &L, offset: usize, vlan: u32) -> Result<Network, Reason> {
    let header = frame.window::<IPV4_HEADER>(offset).ok_or(Reason::Truncated)?;
    let length = usize::from(header.u8::<0>() & 0x0f) * 4;
    let transport = if length < IPV4_HEADER {
        Err(Reason::Truncated)
    } else {
        fragment(header.u16::<6>() & IPV4_FRAGMENT_OFFSET, carried(header.u8::<9>()))
    };
    let transport = reason(transport);
    Ok(Network {
        source: Address::v4(header.word::<12>()),
        destination: Address::v4(header.word::<16>()),
        vlan,
        offset: offset + length,
        end: offset + usize::from(header.u16::<2>()),
        transport,
    })
}

#[inline(always)]
fn ipv6<L: Load>(frame: &L, offset: usize, vlan: u32) -> Result<Network, Reason> {
    let header = frame.window::<IPV6_HEADER>(offset).ok_or(Reason::Truncated)?;
    let (transport_offset, transport) = extensions(frame, header.u8::<6>(), offset + IPV6_HEADER);
    Ok(Network {
        source: Address::v6([
            header.word::<8>(),
            header.word::<12>(),
            header.word::<16>(),
            header.word::<20>(),
        ]),
        destination: Address::v6([
            header.word::<24>(),
            header.word::<28>(),
            header.word::<32>(),
            header.word::<36>(),
        ]),
        vlan,
        offset: transport_offset,
        end: offset + IPV6_HEADER + usize::from(header.u16::<4>()),
        transport: reason(transport),
    })
}

/// Walks the extension chain (RFC 8200, section 4) to the transport header.
#[inline(always)]
fn extensions<L: Load>(frame: &L, first: u8, start: usize) -> (usize, Result<(), Reason>) {
    let (mut next, mut offset) = (first, start);
    for _ in 0..frame.turns(MAX_EXTENSIONS) {
        if !is_extension(next) {
            return (offset, carried(next));
        }
        let Some(header) = frame.window::<8>(offset) else {
            return (offset, Err(Reason::Truncated));
        };
        if next == FRAGMENT && header.u16::<2>() & IPV6_FRAGMENT_OFFSET != 0 {
            return (offset, fragment(1, beyond(header.u8::<0>())));
        }
        let units = usize::from(header.u8::<1>());
        let length = match next {
            FRAGMENT => 8,
            // RFC 4302, section 2.2: in words of 32 bits, minus 2.
            AUTHENTICATION => (units + 2) * 4,
            _ => (units + 1) * 8,
        };
        offset = frame.forget(offset + length);
        next = header.u8::<0>();
    }
    (offset, beyond(next))
}

#[inline(always)]
const fn reason(transport: Result<(), Reason>) -> Reason {
    match transport {
        Ok(()) => Reason::Clean,
        Err(reason) => reason,
    }
}

/// What follows a header that is the last one walked.
#[inline(always)]
const fn beyond(next: u8) -> Result<(), Reason> {
    if is_extension(next) { Err(Reason::TooDeep) } else { carried(next) }
}

/// What a packet carries when it is a fragment that starts at `offset`: a later fragment of what
/// may be TCP has no ports; one of anything else is none of ours.
#[inline(always)]
const fn fragment(offset: u16, carried: Result<(), Reason>) -> Result<(), Reason> {
    match carried {
        Ok(()) | Err(Reason::TooDeep) if offset != 0 => Err(Reason::LaterFragment),
        _ => carried,
    }
}

#[inline(always)]
const fn is_extension(protocol: u8) -> bool {
    matches!(protocol, HOP_BY_HOP | ROUTING | FRAGMENT | AUTHENTICATION | DESTINATION | MOBILITY)
}

#[inline(always)]
const fn carried(protocol: u8) -> Result<(), Reason> {
    match protocol {
        TCP => Ok(()),
        IPV4_IN_IP | IPV6_IN_IP | GRE => Err(Reason::Tunnel),
        _ => Err(Reason::NotTcp),
    }
}

#[cfg(test)]
mod tests;
