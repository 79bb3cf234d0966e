//! What became of a packet.
//!
//! It must not know how that is found out, nor what a hook returns.

/// What became of a packet. The entry points turn it into a packet action, exhaustively.
#[repr(u32)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// To a watched port, and nothing against it.
    Clean,
    /// Not to a watched port.
    NotWatched,
    /// Banned or over its limit, and passed because the source is protected.
    Protected,
    /// Banned, and dropped.
    DropBanned,
    /// Over its limit of packets, and dropped.
    DropLimited,
    /// A SYN over its limit of connections, and dropped.
    DropConnections,
    /// A request line over its limit of requests, and dropped.
    DropRequests,
    /// From a source not seen before, over the port's limit of those, and dropped.
    DropNewSource,
    /// Banned, and passed because decisions are simulated.
    WouldDropBanned,
    /// Over its limit of packets, and passed because decisions are simulated.
    WouldDropLimited,
    /// A SYN over its limit of connections, and passed because decisions are simulated.
    WouldDropConnections,
    /// A request line over its limit of requests, and passed because decisions are simulated.
    WouldDropRequests,
    /// From a source over the port's limit of new ones, and passed because decisions are simulated.
    WouldDropNewSource,
    /// Neither IPv4 nor IPv6.
    NotIp,
    /// IP, and not TCP.
    NotTcp,
    /// IP inside IP or GRE: the inner packet is not looked at.
    Tunnel,
    /// A fragment after the first, which has no ports.
    LaterFragment,
    /// The packet ended inside a header, or a header's length is impossible.
    Truncated,
    /// More VLAN tags or IPv6 extension headers than are walked.
    TooDeep,
}

impl Reason {
    /// How many there are.
    pub const COUNT: usize = 19;

    /// Whether the packet is dropped.
    #[inline(always)]
    #[must_use]
    pub const fn drops(self) -> bool {
        match self {
            Self::DropBanned
            | Self::DropLimited
            | Self::DropConnections
            | Self::DropRequests
            | Self::DropNewSource => true,
            Self::Clean
            | Self::NotWatched
            | Self::Protected
            | Self::WouldDropBanned
            | Self::WouldDropLimited
            | Self::WouldDropConnections
            | Self::WouldDropRequests
            | Self::WouldDropNewSource
            | Self::NotIp
            | Self::NotTcp
            | Self::Tunnel
            | Self::LaterFragment
            | Self::Truncated
            | Self::TooDeep => false,
        }
    }

    /// What it is called while decisions are simulated.
    #[inline(always)]
    #[must_use]
    pub const fn simulated(self) -> Self {
        match self {
            Self::DropBanned => Self::WouldDropBanned,
            Self::DropLimited => Self::WouldDropLimited,
            Self::DropConnections => Self::WouldDropConnections,
            Self::DropRequests => Self::WouldDropRequests,
            Self::DropNewSource => Self::WouldDropNewSource,
            other => other,
        }
    }

    /// Every reason, in the order of its code.
    pub const ALL: [Self; Self::COUNT] = [
        Self::Clean,
        Self::NotWatched,
        Self::Protected,
        Self::DropBanned,
        Self::DropLimited,
        Self::DropConnections,
        Self::DropRequests,
        Self::DropNewSource,
        Self::WouldDropBanned,
        Self::WouldDropLimited,
        Self::WouldDropConnections,
        Self::WouldDropRequests,
        Self::WouldDropNewSource,
        Self::NotIp,
        Self::NotTcp,
        Self::Tunnel,
        Self::LaterFragment,
        Self::Truncated,
        Self::TooDeep,
    ];

    /// The name that stands in metrics and in `status`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Clean => "clean",
            Self::NotWatched => "not_watched",
            Self::Protected => "protected",
            Self::DropBanned => "drop_banned",
            Self::DropLimited => "drop_limited",
            Self::DropConnections => "drop_connections",
            Self::DropRequests => "drop_requests",
            Self::DropNewSource => "drop_new_source",
            Self::WouldDropBanned => "would_drop_banned",
            Self::WouldDropLimited => "would_drop_limited",
            Self::WouldDropConnections => "would_drop_connections",
            Self::WouldDropRequests => "would_drop_requests",
            Self::WouldDropNewSource => "would_drop_new_source",
            Self::NotIp => "not_ip",
            Self::NotTcp => "not_tcp",
            Self::Tunnel => "tunnel",
            Self::LaterFragment => "later_fragment",
            Self::Truncated => "truncated",
            Self::TooDeep => "too_deep",
        }
    }
}
