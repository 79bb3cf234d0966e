//! What the agent says of octets it has no need of.
//!
//! It must not know why it has none.

use super::Address;

/// Octets before the end of a skip in which segments are skipped: the largest window that can be
/// negotiated (RFC 7323, section 2.3). A number farther before it is one after it, across the wrap.
pub const MAX_SKIP: u32 = 1 << 30;

/// One direction of a connection.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FlowKey {
    /// The sender.
    pub source: Address,
    /// The receiver.
    pub destination: Address,
    /// The sender's port.
    pub source_port: u16,
    /// The receiver's port.
    pub destination_port: u16,
}
