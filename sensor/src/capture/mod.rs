//! Turns what a source delivers, the kernel's ring or a capture file, into [`Segment`]s.
//!
//! It must not know flows, streams or HTTP.

pub mod decode;
pub mod pcap;
pub mod ring;

use std::net::SocketAddr;

pub use crate::time::Timestamp;

/// TCP control bits as they stand in the header (RFC 9293, section 3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TcpFlags(pub u8);

impl TcpFlags {
    /// No more data from the sender.
    pub const FIN: u8 = 0x01;
    /// Synchronize sequence numbers.
    pub const SYN: u8 = 0x02;
    /// Reset the connection.
    pub const RST: u8 = 0x04;
    /// The acknowledgement field is significant.
    pub const ACK: u8 = 0x10;

    /// Whether every bit of `bits` is set.
    #[must_use]
    pub const fn has(self, bits: u8) -> bool {
        self.0 & bits == bits
    }
}

/// One TCP segment as it was on the wire, whichever source it came from.
///
/// A kernel record may hold only part of a large segment; the parts arrive as segments of their
/// own, with `sequence` advanced, and need no special treatment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment<'a> {
    /// When the packet was seen.
    pub time: Timestamp,
    /// The sender on the wire.
    pub source: SocketAddr,
    /// The receiver on the wire.
    pub destination: SocketAddr,
    /// Sequence number of the first payload octet (of the SYN itself when that bit is set).
    pub sequence: u32,
    /// Acknowledgement number; meaningless unless ACK is set.
    pub acknowledgement: u32,
    /// Control bits.
    pub flags: TcpFlags,
    /// Payload octets that were captured: a prefix of what was on the wire.
    pub payload: &'a [u8],
    /// Payload octets on the wire, by the IP length; `payload` is shorter when it was cut.
    pub payload_length: u32,
    /// Whether `payload` was left out because the agent had no need of it.
    pub skipped: bool,
    /// Outermost VLAN identifier.
    pub vlan: Option<u16>,
    /// Index of the interface that saw it: the kernel's, or the capture file's numbering.
    pub interface: u32,
    /// One connection in this many was being copied up when this one was; 1 is all of them.
    pub sampling: u32,
}
