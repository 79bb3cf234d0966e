//! Owns the IPv4 and IPv6 headers and the chain of IPv6 extension headers.
//!
//! It must not know link layers or what the packet holds.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::link::Network;
use super::{Skipped, half, word};

const IPV4_HEADER: usize = 20;
const IPV6_HEADER: usize = 40;
/// RFC 8200 names six extension headers, one of which may stand twice; a longer chain is made up.
const MAX_EXTENSIONS: usize = 8;

/// The fragment offset, in units of eight octets, in the words that hold it: the low bits of one,
/// the high bits of the other.
const IPV4_OFFSET: u16 = 0x1fff;
const IPV6_OFFSET: u16 = 0xfff8;
/// "More fragments".
const IPV4_MORE: u16 = 0x2000;
const IPV6_MORE: u16 = 1;

/// Protocol numbers of the IANA registry.
pub(super) mod protocol {
    pub(in super::super) const HOP_BY_HOP: u8 = 0;
    pub(in super::super) const IPV4: u8 = 4;
    pub(in super::super) const TCP: u8 = 6;
    pub(in super::super) const UDP: u8 = 17;
    pub(in super::super) const IPV6: u8 = 41;
    pub(in super::super) const ROUTING: u8 = 43;
    pub(in super::super) const FRAGMENT: u8 = 44;
    pub(in super::super) const GRE: u8 = 47;
    pub(in super::super) const AUTHENTICATION: u8 = 51;
    pub(in super::super) const DESTINATION: u8 = 60;
}

/// Where a fragment belongs in its datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fragment {
    pub(super) identification: u32,
    /// Octets before it.
    pub(super) offset: usize,
    /// Whether others come behind it.
    pub(super) more: bool,
}

/// A packet without its IP headers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Packet<'a> {
    pub(super) source: IpAddr,
    pub(super) destination: IpAddr,
    /// What it holds, by its number in the IANA registry.
    pub(super) protocol: u8,
    /// What was captured; link padding may follow the packet's end.
    pub(super) octets: &'a [u8],
    /// Octets on the wire, from where [`Packet::octets`] start.
    pub(super) length: usize,
    /// Where it is only a fragment, which one.
    pub(super) fragment: Option<Fragment>,
}

impl<'a> Packet<'a> {
    /// What was captured of the packet itself.
    pub(super) fn captured(&self) -> &'a [u8] {
        &self.octets[..self.octets.len().min(self.length)]
    }
}

/// Takes the IP headers off; `on_wire` is how many octets of the packet the link carried.
pub(super) fn packet<'a>(network: &Network<'a>, on_wire: usize) -> Result<Packet<'a>, Skipped> {
    match network.octets.first().ok_or(Skipped::CutHeader)? >> 4 {
        4 => ipv4(network.octets, on_wire),
        6 => ipv6(network.octets, on_wire),
        _ => Err(Skipped::NotIp),
    }
}

fn ipv4(octets: &[u8], on_wire: usize) -> Result<Packet<'_>, Skipped> {
    let header = octets.get(..IPV4_HEADER).ok_or(Skipped::CutHeader)?;
    let header_length = usize::from(header[0] & 0x0f) * 4;
    // Segmentation offload hands packets to the capture before their length is filled in.
    let total = match half(header, 2) {
        0 => on_wire,
        length => usize::from(length),
    };
    if header_length < IPV4_HEADER || total < header_length || total > on_wire {
        return Err(Skipped::Malformed);
    }
    let flags = half(header, 6);
    let (offset, more) = (usize::from(flags & IPV4_OFFSET) * 8, flags & IPV4_MORE != 0);
    let fragment = Fragment { identification: half(header, 4).into(), offset, more };
    Ok(Packet {
        source: IpAddr::V4(Ipv4Addr::new(header[12], header[13], header[14], header[15])),
        destination: IpAddr::V4(Ipv4Addr::new(header[16], header[17], header[18], header[19])),
        protocol: header[9],
        octets: octets.get(header_length..).ok_or(Skipped::CutHeader)?,
        length: total - header_length,
        fragment: (offset > 0 || more).then_some(fragment),
    })
}

fn ipv6(octets: &[u8], on_wire: usize) -> Result<Packet<'_>, Skipped> {
    let header = octets.get(..IPV6_HEADER).ok_or(Skipped::CutHeader)?;
    // Zero stands for a jumbogram or for offload; either way the frame knows better.
    let total = match half(header, 4) {
        0 => on_wire,
        length => IPV6_HEADER + usize::from(length),
    };
    if total < IPV6_HEADER || total > on_wire {
        return Err(Skipped::Malformed);
    }
    let chain = extensions(octets, IPV6_HEADER, header[6])?;
    Ok(Packet {
        source: ipv6_address(header, 8),
        destination: ipv6_address(header, 24),
        protocol: chain.protocol,
        octets: octets.get(chain.end..).ok_or(Skipped::CutHeader)?,
        length: total.checked_sub(chain.end).ok_or(Skipped::Malformed)?,
        fragment: chain.fragment,
    })
}

/// A packet that was put together, whose first octets may be extension headers.
pub(super) fn joined(whole: Packet<'_>) -> Result<Packet<'_>, Skipped> {
    if whole.source.is_ipv4() {
        return Ok(whole);
    }
    let chain = extensions(whole.octets, 0, whole.protocol)?;
    Ok(Packet {
        protocol: chain.protocol,
        octets: whole.octets.get(chain.end..).ok_or(Skipped::CutHeader)?,
        length: whole.length.checked_sub(chain.end).ok_or(Skipped::Malformed)?,
        fragment: chain.fragment,
        ..whole
    })
}

/// What is behind extension headers.
struct Chain {
    end: usize,
    protocol: u8,
    /// Where what follows is part of a datagram that may begin with other extension headers.
    fragment: Option<Fragment>,
}

/// Where the chain of extension headers ends that starts at `at` (RFC 8200, section 4).
fn extensions(octets: &[u8], mut at: usize, mut protocol: u8) -> Result<Chain, Skipped> {
    for _ in 0..=MAX_EXTENSIONS {
        let length = match protocol {
            protocol::HOP_BY_HOP | protocol::ROUTING | protocol::DESTINATION => {
                (usize::from(extension(octets, at)?[1]) + 1) * 8
            }
            protocol::AUTHENTICATION => (usize::from(extension(octets, at)?[1]) + 2) * 4,
            protocol::FRAGMENT => {
                let header = extension(octets, at)?;
                let fragment = ipv6_fragment(header);
                // Offset zero with none to follow is a whole packet (RFC 6946).
                if fragment.offset > 0 || fragment.more {
                    return Ok(Chain {
                        end: at + 8,
                        protocol: header[0],
                        fragment: Some(fragment),
                    });
                }
                8
            }
            _ => return Ok(Chain { end: at, protocol, fragment: None }),
        };
        protocol = octets[at];
        at += length;
    }
    Err(Skipped::Malformed)
}

fn ipv6_fragment(header: &[u8]) -> Fragment {
    let place = half(header, 2);
    Fragment {
        identification: word(header, 4),
        offset: usize::from(place & IPV6_OFFSET),
        more: place & IPV6_MORE != 0,
    }
}

/// The first eight octets of the extension header at `at`; every one is at least that long.
fn extension(octets: &[u8], at: usize) -> Result<&[u8], Skipped> {
    octets.get(at..at + 8).ok_or(Skipped::CutHeader)
}

fn ipv6_address(header: &[u8], at: usize) -> IpAddr {
    let mut octets = [0; 16];
    octets.copy_from_slice(&header[at..at + 16]);
    IpAddr::V6(Ipv6Addr::from(octets))
}
