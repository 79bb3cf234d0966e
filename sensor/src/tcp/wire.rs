//! Test traffic: one TCP connection as a list of segments, written as what each side says.
//!
//! It must not know what the octets mean.

use std::net::SocketAddr;

use crate::capture::{Segment, TcpFlags, Timestamp};

/// Who sends a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum From {
    Client,
    Server,
}

/// A segment that owns its payload.
#[derive(Debug, Clone)]
pub(crate) struct Packet {
    pub(crate) time: u64,
    pub(crate) from: From,
    pub(crate) sequence: u32,
    pub(crate) acknowledgement: u32,
    pub(crate) flags: u8,
    pub(crate) payload: Vec<u8>,
    pub(crate) payload_length: u32,
    pub(crate) skipped: bool,
}

/// A connection being written; every segment is sent a microsecond after the one before.
#[derive(Debug, Clone)]
pub(crate) struct Wire {
    pub(crate) client: SocketAddr,
    pub(crate) server: SocketAddr,
    pub(crate) packets: Vec<Packet>,
    next: [u32; 2],
    time: u64,
}

impl Wire {
    /// A connection whose sequence numbers start near the wrap, without handshake.
    pub(crate) fn midstream() -> Self {
        Self {
            client: ([10, 0, 0, 1], 40_000).into(),
            server: ([10, 0, 0, 2], 80).into(),
            packets: Vec::new(),
            next: [u32::MAX - 20, 77],
            time: 1_000_000_000,
        }
    }

    /// A connection after its handshake.
    pub(crate) fn open() -> Self {
        let mut wire = Self::midstream();
        wire.push(From::Client, TcpFlags::SYN, b"");
        wire.push(From::Server, TcpFlags::SYN | TcpFlags::ACK, b"");
        wire
    }

    pub(crate) fn client(mut self, octets: impl AsRef<[u8]>) -> Self {
        self.push(From::Client, TcpFlags::ACK, octets.as_ref());
        self
    }

    pub(crate) fn server(mut self, octets: impl AsRef<[u8]>) -> Self {
        self.push(From::Server, TcpFlags::ACK, octets.as_ref());
        self
    }

    /// Both sides send FIN, the client first.
    pub(crate) fn close(mut self) -> Self {
        self.push(From::Client, TcpFlags::FIN | TcpFlags::ACK, b"");
        self.push(From::Server, TcpFlags::FIN | TcpFlags::ACK, b"");
        self.push(From::Client, TcpFlags::ACK, b"");
        self
    }

    /// The client resets the connection.
    pub(crate) fn reset(mut self) -> Self {
        self.push(From::Client, TcpFlags::RST | TcpFlags::ACK, b"");
        self
    }

    /// The same connection with other segments.
    pub(crate) fn with(&self, packets: Vec<Packet>) -> Self {
        Self { packets, ..self.clone() }
    }

    /// Lets time pass.
    pub(crate) fn wait(mut self, nanoseconds: u64) -> Self {
        self.time += nanoseconds;
        self
    }

    /// Takes the last segment out: it was sent and not captured.
    pub(crate) fn lose(mut self) -> Self {
        self.packets.pop();
        self
    }

    /// Cuts the last segment's payload after `kept` octets, as a snapshot length does.
    pub(crate) fn snap(mut self, kept: usize) -> Self {
        if let Some(packet) = self.packets.last_mut() {
            packet.payload.truncate(kept);
        }
        self
    }

    /// Leaves out the last segment's payload, as the kernel does where nobody needs it.
    pub(crate) fn skip(mut self) -> Self {
        if let Some(packet) = self.packets.last_mut() {
            packet.payload.clear();
            packet.skipped = true;
        }
        self
    }

    /// Exchanges the last two segments.
    pub(crate) fn swap(mut self) -> Self {
        let count = self.packets.len();
        self.packets.swap(count - 2, count - 1);
        self
    }

    /// Sends the last segment again, with other octets of the same number.
    pub(crate) fn again(mut self, octets: impl AsRef<[u8]>) -> Self {
        let mut packet = self.packets.last().expect("there is a last segment").clone();
        packet.payload = octets.as_ref().to_vec();
        self.packets.push(packet);
        self
    }

    pub(crate) fn push(&mut self, from: From, flags: u8, octets: &[u8]) {
        let (own, other) = match from {
            From::Client => (0, 1),
            From::Server => (1, 0),
        };
        let length = u32::try_from(octets.len()).unwrap();
        let acknowledges = flags & TcpFlags::ACK != 0;
        self.packets.push(Packet {
            time: self.time,
            from,
            sequence: self.next[own],
            acknowledgement: if acknowledges { self.next[other] } else { 0 },
            flags,
            payload: octets.to_vec(),
            payload_length: length,
            skipped: false,
        });
        let phantom = u32::from(flags & (TcpFlags::SYN | TcpFlags::FIN) != 0);
        self.next[own] = self.next[own].wrapping_add(length + phantom);
        self.time += 1000;
    }

    /// The segments, in the order they are in the list.
    pub(crate) fn segments(&self) -> impl Iterator<Item = Segment<'_>> {
        self.packets.iter().map(|packet| {
            let (source, destination) = match packet.from {
                From::Client => (self.client, self.server),
                From::Server => (self.server, self.client),
            };
            Segment {
                time: Timestamp(packet.time),
                source,
                destination,
                sequence: packet.sequence,
                acknowledgement: packet.acknowledgement,
                flags: TcpFlags(packet.flags),
                payload: &packet.payload,
                payload_length: packet.payload_length,
                skipped: packet.skipped,
                vlan: None,
                interface: 0,
                sampling: 1,
            }
        })
    }
}
