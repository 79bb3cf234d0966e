//! Owns what the stage counts.
//!
//! It must not know who reads it.

use super::CloseReason;

/// Totals since the start; each octet and segment is counted under one cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counters {
    /// Segments given to the table.
    pub segments: u64,
    /// Segments without data or SYN that belong to no known connection.
    pub stray_segments: u64,
    /// Segments of a connection that had ended.
    pub late_segments: u64,
    /// Segments too far from what their stream had reached to belong to it.
    pub implausible_segments: u64,
    /// Segments of another connection between the endpoints of one under way, which goes on until
    /// their SYN is answered.
    pub doubtful_segments: u64,
    /// Times the clock was set back by more than segments come out of order.
    pub clock_setbacks: u64,
    /// Connections taken into the table.
    pub opened: u64,
    /// Of these, the ones that were under way when first seen.
    pub midstream: u64,
    /// Octets handed on.
    pub delivered_octets: u64,
    /// Octets that came again.
    pub repeated_octets: u64,
    /// Octets that came again with other content; the first ones stand.
    pub conflicting_octets: u64,
    /// Gaps handed on.
    pub gaps: u64,
    /// Octets in them.
    pub gap_octets: u64,
    /// Octets whose segments were seen and that were left out for want of need.
    pub skipped_octets: u64,
    /// Times a stream's share of the buffer was full, and what it waited for was given up.
    pub buffer_overflows: u64,
    /// Connections ended by FIN from both sides.
    pub closed_finished: u64,
    /// Connections ended by RST.
    pub closed_reset: u64,
    /// Connections whose addresses and ports were taken over.
    pub closed_reused: u64,
    /// Connections that were silent for too long.
    pub closed_idle: u64,
    /// Connections that made room for others.
    pub closed_evicted: u64,
    /// Connections open when the capture ended.
    pub closed_drained: u64,
}

impl Counters {
    /// The counter of connections that ended for `reason`.
    pub(super) fn closed(&mut self, reason: CloseReason) -> &mut u64 {
        match reason {
            CloseReason::Finished => &mut self.closed_finished,
            CloseReason::Reset => &mut self.closed_reset,
            CloseReason::Reused => &mut self.closed_reused,
            CloseReason::Idle => &mut self.closed_idle,
            CloseReason::Evicted => &mut self.closed_evicted,
            CloseReason::Drained => &mut self.closed_drained,
        }
    }
}
