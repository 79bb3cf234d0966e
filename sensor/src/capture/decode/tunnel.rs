//! Finds the packet inside tunnels: IP in IP, GRE, and those over UDP.
//!
//! A flow inside is told by its own addresses and ports alone, as if there were no tunnel. It must
//! not know how a capture is read, nor what TCP holds.

mod gre;
mod udp;

use super::Skipped;
use super::ip::{self, Packet, protocol};
use super::link::Network;

/// Tunnels followed into each other. A VPN through the overlay of a cloud in the network of a
/// provider, mirrored to where it is captured, is four; twice as many are made up.
pub(super) const MAX_TUNNELS: usize = 8;

/// A way into a packet, and how far it has come.
#[derive(Debug, Default)]
pub(super) struct Way {
    /// Tunnels passed.
    tunnels: usize,
    /// Outermost VLAN identifier.
    pub(super) vlan: Option<u16>,
}

impl Way {
    /// Into a frame with this VLAN identifier.
    pub(super) const fn new(vlan: Option<u16>) -> Self {
        Self { tunnels: 0, vlan }
    }

    /// The TCP packet, or the fragment of any, that `packet` is or holds.
    pub(super) fn follow<'a>(&mut self, mut packet: Packet<'a>) -> Result<Packet<'a>, Skipped> {
        while packet.fragment.is_none() && packet.protocol != protocol::TCP {
            let network = inside(&packet)?;
            if self.tunnels == MAX_TUNNELS {
                return Err(Skipped::TooDeep);
            }
            self.tunnels += 1;
            self.vlan = self.vlan.or(network.vlan);
            let before = packet.captured().len() - network.octets.len();
            packet = ip::packet(&network, packet.length - before)?;
        }
        if may_hold_tcp(packet.protocol) { Ok(packet) } else { Err(Skipped::NotTcp) }
    }
}

/// Whether it is worth while to put a packet of this protocol together.
const fn may_hold_tcp(protocol: u8) -> bool {
    use protocol::{
        AUTHENTICATION, DESTINATION, FRAGMENT, GRE, HOP_BY_HOP, IPV4, IPV6, ROUTING, TCP, UDP,
    };
    matches!(
        protocol,
        TCP | UDP
            | GRE
            | IPV4
            | IPV6
            | HOP_BY_HOP
            | ROUTING
            | FRAGMENT
            | AUTHENTICATION
            | DESTINATION
    )
}

/// What a tunnel carries.
fn inside<'a>(packet: &Packet<'a>) -> Result<Network<'a>, Skipped> {
    match packet.protocol {
        protocol::IPV4 | protocol::IPV6 => Ok(Network::untagged(packet.captured())),
        protocol::GRE => gre::inside(packet.captured()),
        protocol::UDP => udp::inside(packet.captured()),
        _ => Err(Skipped::NotTcp),
    }
}
