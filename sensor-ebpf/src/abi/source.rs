//! What the kernel keeps of a source on one port.
//!
//! It must not know which map holds it, or when it goes.

use super::Address;

/// Key of a source's state on one port.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SourceKey {
    /// The source.
    pub address: Address,
    /// The port's slot.
    pub slot: u32,
}

/// What is kept of a source on one port.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SourceState {
    /// Theoretical arrival time of its next packet: the whole state of that limit.
    pub packets: u64,
    /// The same of its next SYN.
    pub connections: u64,
    /// The same of its next request.
    pub requests: u64,
    /// Events that were over a limit.
    pub over_limit: u64,
    /// Kernel time of the last notice to the agent.
    pub noticed: u64,
    /// [`SourceState::PENDING`] with the acknowledgement number that will complete the handshake
    /// under way; 0 when there is none.
    pub handshake: u64,
    /// Kernel time of the last response that said 4xx or 5xx; 0 when there was none.
    pub failed: u64,
    /// What it sent and got, exactly.
    pub counts: SourceCounts,
}

impl SourceState {
    /// Says in [`SourceState::handshake`] that a SYN was answered.
    pub const PENDING: u64 = 1 << 32;

    /// Of a source nothing was seen of.
    pub const NEW: Self = Self {
        packets: 0,
        connections: 0,
        requests: 0,
        over_limit: 0,
        noticed: 0,
        handshake: 0,
        failed: 0,
        counts: SourceCounts {
            packets: 0,
            bytes: 0,
            connections: 0,
            requests: 0,
            responses: [0; 6],
        },
    };
}

/// Totals of a source on one port, over all CPUs.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SourceCounts {
    /// Packets that arrived, whatever became of them, but for those a ban met.
    pub packets: u64,
    /// Their octets, headers included.
    pub bytes: u64,
    /// SYNs without ACK.
    pub connections: u64,
    /// Segments that start with a request line.
    pub requests: u64,
    /// Status lines it was sent, by the first digit of the code; 0 is any other.
    pub responses: [u64; 6],
}
