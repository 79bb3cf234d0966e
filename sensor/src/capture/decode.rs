//! Walks the headers of one captured frame, from its link layer to the TCP payload.
//!
//! Pure: no clock, no I/O. It must not know flows, nor which container the frame came in.

mod fragments;
mod ip;
mod link;
mod tunnel;

use std::net::{IpAddr, SocketAddr};

use super::pcap::Frame;
use super::{Segment, TcpFlags};
use fragments::Fragments;
use ip::{Packet, protocol};
use tunnel::Way;

pub use link::LinkType;

/// Octets of a TCP header without options (RFC 9293, section 3.1).
const TCP_HEADER: usize = 20;

/// Datagrams put together on the way to one segment: the packet of a tunnel may come in fragments,
/// and hold a fragment.
const JOINS: usize = 2;

/// Why a frame gave no segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Skipped {
    /// The link type is not one this decoder knows.
    UnknownLink,
    /// Not IPv4 or IPv6.
    NotIp,
    /// IP, and neither TCP nor a tunnel.
    NotTcp,
    /// A tunnel of a version or with options that are not read.
    Tunnel,
    /// More tunnels in each other than are followed.
    TooDeep,
    /// Encrypted on its link.
    Encrypted,
    /// Several packets in one frame of a wireless LAN.
    Aggregate,
    /// Part of a packet, but for the one with which [`Decoder`] has the whole.
    Fragment,
    /// The capture ends inside a header.
    CutHeader,
    /// A header contradicts itself or the frame; a receiving host drops such a packet.
    Malformed,
}

impl Skipped {
    /// Every reason, in the order of [`Skipped::index`].
    pub const ALL: [Self; 10] = [
        Self::UnknownLink,
        Self::NotIp,
        Self::NotTcp,
        Self::Tunnel,
        Self::TooDeep,
        Self::Encrypted,
        Self::Aggregate,
        Self::Fragment,
        Self::CutHeader,
        Self::Malformed,
    ];

    /// A short name for summaries and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::UnknownLink => "unknown_link",
            Self::NotIp => "not_ip",
            Self::NotTcp => "not_tcp",
            Self::Tunnel => "tunnel",
            Self::TooDeep => "too_deep",
            Self::Encrypted => "encrypted",
            Self::Aggregate => "aggregate",
            Self::Fragment => "fragment",
            Self::CutHeader => "cut_header",
            Self::Malformed => "malformed",
        }
    }

    /// Position in [`Skipped::ALL`], for a caller that keeps one counter a reason.
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }
}

/// Finds the TCP segments in frames, one after the other.
#[derive(Debug, Default)]
pub struct Decoder {
    fragments: Fragments,
    /// The packets that were put together for the segment at hand, each in the one before.
    wholes: [Vec<u8>; JOINS],
    joined: u64,
}

impl Decoder {
    /// The TCP segment inside `frame`, or the one that its fragment makes whole.
    ///
    /// # Errors
    ///
    /// The reason why there is none that can be used, or none yet.
    pub fn segment<'a>(&'a mut self, frame: &Frame<'a>) -> Result<Segment<'a>, Skipped> {
        let network = link::network(frame.link, frame.data)?;
        let before = frame.data.len() - network.octets.len();
        let on_wire = (frame.wire_length as usize).max(frame.data.len()) - before;
        let packet = ip::packet(&network, on_wire)?;
        if packet.protocol == protocol::TCP && packet.fragment.is_none() {
            return transport(frame, network.vlan, &packet);
        }
        self.inside(frame, network.vlan, packet)
    }

    /// Fragments that gave none and are in the segment of a later one, since this was last asked.
    pub fn take_joined(&mut self) -> u64 {
        std::mem::take(&mut self.joined)
    }

    /// The TCP segment inside a packet that is not one by itself.
    fn inside<'a>(
        &'a mut self,
        frame: &Frame<'a>,
        vlan: Option<u16>,
        packet: Packet<'a>,
    ) -> Result<Segment<'a>, Skipped> {
        let mut way = Way::new(vlan);
        let mut packet = way.follow(packet)?;
        let (mut wholes, mut joined) = (self.wholes.iter_mut(), 0);
        while let Some(fragment) = packet.fragment {
            let octets = wholes.next().ok_or(Skipped::TooDeep)?;
            let whole = self.fragments.take(frame.time, &packet, fragment)?;
            *octets = whole.octets;
            joined += whole.pieces - 1;
            packet = way.follow(ip::joined(Packet {
                protocol: whole.protocol,
                length: octets.len(),
                octets,
                fragment: None,
                ..packet
            })?)?;
        }
        let segment = transport(frame, way.vlan, &packet)?;
        self.joined += joined;
        Ok(segment)
    }
}

fn transport<'a>(
    frame: &Frame<'a>,
    vlan: Option<u16>,
    packet: &Packet<'a>,
) -> Result<Segment<'a>, Skipped> {
    let header = packet.octets.get(..TCP_HEADER).ok_or(Skipped::CutHeader)?;
    let header_length = usize::from(header[12] >> 4) * 4;
    if header_length < TCP_HEADER || header_length > packet.length {
        return Err(Skipped::Malformed);
    }
    let payload_length =
        u32::try_from(packet.length - header_length).map_err(|_| Skipped::Malformed)?;
    let octets = packet.octets;
    // Options that were cut leave a segment whose payload is known by length alone.
    let payload = octets.get(header_length..octets.len().min(packet.length)).unwrap_or_default();
    Ok(Segment {
        time: frame.time,
        source: endpoint(packet.source, header, 0),
        destination: endpoint(packet.destination, header, 2),
        sequence: word(header, 4),
        acknowledgement: word(header, 8),
        flags: TcpFlags(header[13]),
        payload,
        payload_length,
        skipped: false,
        vlan,
        interface: frame.interface,
        sampling: 1,
    })
}

fn endpoint(address: IpAddr, header: &[u8], at: usize) -> SocketAddr {
    SocketAddr::new(address, half(header, at))
}

/// Big-endian 16 bits at `at`, which the caller has checked to be there.
fn half(octets: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([octets[at], octets[at + 1]])
}

/// Big-endian 32 bits at `at`, which the caller has checked to be there.
fn word(octets: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([octets[at], octets[at + 1], octets[at + 2], octets[at + 3]])
}

#[cfg(test)]
mod tests;
