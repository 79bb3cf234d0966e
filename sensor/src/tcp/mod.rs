//! Puts segments together into the two byte streams of each connection.
//!
//! Pure: no clock, no I/O. It must not know what the streams carry.

mod assembler;
mod counters;
mod flow;
mod key;
mod lists;
mod recent;
mod seq;
mod stream;
mod successor;
mod table;
#[cfg(test)]
mod tests;
#[cfg(test)]
pub(crate) mod wire;

use std::net::SocketAddr;

use crate::capture::Timestamp;

pub use counters::Counters;
pub use table::{Limits, Table};

/// One of the two peers of a connection; which of them is which says nothing of their roles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// The peer with the lower address and port.
    Low,
    /// The peer with the higher address and port.
    High,
}

impl Side {
    /// The other peer.
    #[must_use]
    pub const fn peer(self) -> Self {
        match self {
            Self::Low => Self::High,
            Self::High => Self::Low,
        }
    }

    /// 0 or 1, for arrays with an element a side.
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }
}

/// Names an open connection; free for another one after its [`EventKind::Closed`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ConnectionId(pub u32);

/// A position in a stream as packets name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Who sends it.
    pub source: SocketAddr,
    /// Who receives it.
    pub destination: SocketAddr,
    /// Its sequence number.
    pub sequence: u32,
}

/// Something that happened on a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event<'a> {
    /// The connection.
    pub connection: ConnectionId,
    /// When the packet that carried it was seen.
    pub time: Timestamp,
    /// What happened.
    pub kind: EventKind<'a>,
}

/// What happened on a connection.
///
/// Events come in causal order: octets of one side come after every octet of the other side that
/// their sender had acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventKind<'a> {
    /// First event of every connection that carries data.
    Opened(Opening),
    /// The next octets of a stream.
    Data {
        /// Who sent them.
        side: Side,
        /// Position of the first one in the stream, from 0.
        position: u64,
        /// How much of the other side's stream the sender had received.
        acknowledged: u64,
        /// The octets.
        octets: &'a [u8],
        /// Whether other octets came for the same positions while these had to wait; the first ones
        /// stand, and which of them the receiver took is not known.
        disputed: bool,
    },
    /// The next octets of a stream were not captured, and will not be.
    Gap {
        /// Who sent them.
        side: Side,
        /// Position of the first one in the stream, from 0.
        position: u64,
        /// How many they are.
        length: u64,
    },
    /// The next octets of a stream were sent, and left out because nobody needs them.
    Skipped {
        /// Who sent them.
        side: Side,
        /// Position of the first one in the stream, from 0.
        position: u64,
        /// How many they are.
        length: u64,
    },
    /// Octets came again that are not those handed on: the first ones stand, and which of them the
    /// receiver took is not known.
    Contradicted {
        /// Who sent them.
        side: Side,
        /// Position of the first one that came again.
        position: u64,
    },
    /// The side will send no more.
    Finished {
        /// Which side.
        side: Side,
    },
    /// Last event of a connection.
    Closed(CloseReason),
}

/// What is known of a connection when it is first spoken of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Opening {
    /// When its first packet was seen.
    pub time: Timestamp,
    /// Address and port of each side, by [`Side::index`].
    pub addresses: [SocketAddr; 2],
    /// Who sent the first SYN; `None` when the connection was under way already.
    pub initiator: Option<Side>,
    /// Outermost VLAN identifier.
    pub vlan: Option<u16>,
    /// Interface index of the first segment.
    pub interface: u32,
    /// One connection in this many was being copied up.
    pub sampling: u32,
}

/// Why a connection's streams ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CloseReason {
    /// Both sides sent FIN.
    Finished,
    /// A side sent RST.
    Reset,
    /// A new connection took over its addresses and ports.
    Reused,
    /// Nothing was seen of it for too long.
    Idle,
    /// It made room for others.
    Evicted,
    /// The capture ended.
    Drained,
}
