//! The records both sides of the kernel boundary share: keys, values, sample header, reasons.
//!
//! Plain data without padding, in the byte order of the host; addresses in network order. It must
//! not know who reads or writes a record.

pub use address::Address;
pub use ban::{BAN_COUNTERS, Ban, BanCount};
pub use reason::Reason;
pub use ring::{RECORD_HEADER, is_due, wakes_at};
pub use skip::{FlowKey, MAX_SKIP};
pub use source::{SourceCounts, SourceKey, SourceState};

mod address;
mod ban;
mod reason;
mod ring;
mod skip;
mod source;

/// Raised when the layout or the meaning of any record below changes. Pinned maps carry it in
/// their directory's name, so another version's maps are never misread.
pub const VERSION: u32 = 7;

/// Ports that can be watched at once. A ban's scope is one word with a bit for each slot.
pub const MAX_PORTS: usize = 63;

/// Slots in per-port maps: slot 0 is everything that is not a watched port.
pub const SLOTS: usize = MAX_PORTS + 1;

/// Shards that the agent can have, each with a ring of its own.
pub const MAX_SHARDS: usize = 64;

/// Settings the agent may change at any moment.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// 1: bans and limits drop. 0: they are counted and the packet passes.
    pub enforce: u32,
    /// Bans in force that reach past the watched ports; 0 lets other ports pass unexamined.
    pub host_bans: u32,
    /// IPv4 CIDR bans in force; 0 saves the lookup.
    pub cidr_bans_v4: u32,
    /// IPv6 CIDR bans in force; 0 saves the lookup.
    pub cidr_bans_v6: u32,
    /// One connection in this many is copied up, and all of a source that is new, failing or
    /// followed; 0 copies none.
    pub sample_one_in: u32,
    /// Payload octets copied of one packet, at most.
    pub payload_bytes: u32,
    /// The bits of an IPv4 address, in network order, that make a source.
    pub source_v4: u32,
    /// The bits of an IPv6 address, in network order, that make a source.
    pub source_v6: [u32; 4],
    /// Networks whose connections are copied up at any rate; 0 saves the lookup.
    pub followed: u32,
    /// Raised after every change of bans, of the protected set and of these settings: whom the
    /// programs have dropped before is looked up again.
    pub generation: u64,
}

impl Settings {
    /// All zero: nothing drops and nothing is copied up.
    pub const ZERO: Self = Self {
        enforce: 0,
        host_bans: 0,
        cidr_bans_v4: 0,
        cidr_bans_v6: 0,
        sample_one_in: 0,
        payload_bytes: 0,
        source_v4: 0,
        source_v6: [0; 4],
        followed: 0,
        generation: 0,
    };

    /// Makes a source of every network of these prefix lengths, which are 32 and 128 at most.
    pub fn set_source(&mut self, v4: u8, v6: u8) {
        let v4 = u32::MAX.checked_shl(u32::from(32_u8.saturating_sub(v4))).unwrap_or(0);
        let v6 = u128::MAX.checked_shl(u32::from(128_u8.saturating_sub(v6))).unwrap_or(0);
        self.source_v4 = v4.to_be();
        self.source_v6 = Address::from(core::net::IpAddr::V6(v6.into())).words();
    }

    /// The source that an address belongs to: one host may have a whole network of addresses.
    #[inline(always)]
    #[must_use]
    pub const fn source_of(&self, address: &Address) -> Address {
        let [a, b, c, d] = address.words();
        if let Some(word) = address.as_v4() {
            Address::v4(word & self.source_v4)
        } else {
            let [e, f, g, h] = self.source_v6;
            Address::v6([a & e, b & f, c & g, d & h])
        }
    }
}

/// A rate and a burst, as the two constants of a GCRA (ITU-T I.371).
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Limit {
    /// Nanoseconds between events at exactly the permitted rate; 0 is no limit.
    pub interval: u64,
    /// Nanoseconds a source may be ahead of that rate: its burst.
    pub tolerance: u64,
}

/// What a port takes.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Limits {
    /// Packets of one source.
    pub packets: Limit,
    /// Connections one source asks for: its SYNs.
    pub connections: Limit,
    /// Requests of one source: its segments that start with a method.
    pub requests: Limit,
    /// Sources that were not seen before, all together.
    pub new_sources: Limit,
}

/// What the agent says of a slot.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Watched {
    /// The limits of this port.
    pub limits: Limits,
    /// The port, in host order; 0 while the slot is free. A restarted agent reads it back.
    pub port: u32,
    /// Keeps the size a multiple of the alignment.
    pub reserved: u32,
}

/// What a request asks for, as far as counters tell methods apart.
#[repr(u32)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// GET or HEAD.
    Get,
    /// POST.
    Post,
    /// PUT or PATCH.
    Put,
    /// DELETE.
    Delete,
    /// Any other that is in common use, see [`crate::head`].
    Other,
    /// Nothing: it is no request line.
    None,
}

impl Method {
    /// How many there are, without [`Method::None`].
    pub const COUNT: usize = 5;

    /// The names that stand in metrics, in the order of the codes.
    pub const NAMES: [&str; Self::COUNT] = ["get", "post", "put", "delete", "other"];
}

/// Counters of one slot on one CPU.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counters {
    /// Octets that arrived, headers included. It comes first, beside the reasons: what a flood
    /// touches then lies together.
    pub ingress_bytes: u64,
    /// Packets by what became of them, indexed by [`Reason`].
    pub reasons: [u64; Reason::COUNT],
    /// TCP packets that left.
    pub egress_packets: u64,
    /// Octets that left, headers included.
    pub egress_bytes: u64,
    /// SYNs without ACK that arrived.
    pub connections: u64,
    /// Segments that start with a request line, or so short that they may, indexed by [`Method`];
    /// without those that a ban drops, whose payload is not read.
    pub requests: [u64; Method::COUNT],
    /// Segments that start with a status line, by the first digit of the code; 0 is any other.
    pub responses: [u64; 6],
    /// Records copied up.
    pub samples: u64,
    /// Packets that belong to connections that are not sampled.
    pub not_sampled: u64,
    /// Records that found the ring full.
    pub ring_full: u64,
    /// Records whose octets could not be read.
    pub unreadable: u64,
    /// Segments whose payload was left out because the agent had no need of it.
    pub skipped: u64,
    /// Octets of payload in them.
    pub skipped_bytes: u64,
    /// Sources that could not be given a state: their packets passed unlimited.
    pub sources_refused: u64,
}

impl Counters {
    /// All zero.
    pub const ZERO: Self = Self {
        ingress_bytes: 0,
        reasons: [0; Reason::COUNT],
        egress_packets: 0,
        egress_bytes: 0,
        connections: 0,
        requests: [0; Method::COUNT],
        responses: [0; 6],
        samples: 0,
        not_sampled: 0,
        ring_full: 0,
        unreadable: 0,
        skipped: 0,
        skipped_bytes: 0,
        sources_refused: 0,
    };

    /// Adds another CPU's counters.
    pub fn add(&mut self, other: &Self) {
        for (sum, value) in self.reasons.iter_mut().zip(other.reasons) {
            *sum += value;
        }
        for (sum, value) in self.requests.iter_mut().zip(other.requests) {
            *sum += value;
        }
        for (sum, value) in self.responses.iter_mut().zip(other.responses) {
            *sum += value;
        }
        self.ingress_bytes += other.ingress_bytes;
        self.egress_packets += other.egress_packets;
        self.egress_bytes += other.egress_bytes;
        self.connections += other.connections;
        self.samples += other.samples;
        self.not_sampled += other.not_sampled;
        self.ring_full += other.ring_full;
        self.unreadable += other.unreadable;
        self.skipped += other.skipped;
        self.skipped_bytes += other.skipped_bytes;
        self.sources_refused += other.sources_refused;
    }
}

/// What a record of the ring is.
pub mod kind {
    /// A segment, or part of one, that came to a watched port.
    pub const INGRESS: u8 = 1;
    /// A segment, or part of one, that left a watched port.
    pub const EGRESS: u8 = 2;
    /// A source is over one of its limits; `sequence` holds no meaning and there is no payload.
    pub const OVER_LIMIT: u8 = 3;
    /// A segment, whichever way it went, whose payload was left out because the agent had no need
    /// of it.
    pub const SKIPPED: u8 = 4;
}

/// `flags` of an [`kind::OVER_LIMIT`] notice about a source that completed a handshake: what it
/// sent then came from its address. Of any other that may be made up.
pub const ESTABLISHED: u8 = 1;

/// `vlan` of a packet without a tag.
pub const NO_VLAN: u16 = u16::MAX;

/// Head of every record in the ring; the captured payload follows it.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    /// Kernel time (`CLOCK_MONOTONIC`, nanoseconds).
    pub time: u64,
    /// The sender on the wire.
    pub source: Address,
    /// The receiver on the wire.
    pub destination: Address,
    /// Sequence number of the first payload octet of this record.
    pub sequence: u32,
    /// Acknowledgement number.
    pub acknowledgement: u32,
    /// Payload octets on the wire that this record stands for.
    pub payload_length: u32,
    /// Payload octets that follow this head.
    pub captured: u32,
    /// Interface index.
    pub interface: u32,
    /// One connection in this many was being copied up.
    pub sampling: u32,
    /// The sender's port.
    pub source_port: u16,
    /// The receiver's port.
    pub destination_port: u16,
    /// VLAN identifier, or [`NO_VLAN`].
    pub vlan: u16,
    /// One of [`kind`].
    pub kind: u8,
    /// TCP control bits; [`ESTABLISHED`] or none in a notice.
    pub flags: u8,
}

impl Sample {
    /// Size of the head.
    pub const SIZE: usize = size_of::<Self>();

    /// The end that is not ours of the segment it is about.
    #[inline(always)]
    #[must_use]
    pub const fn client(&self) -> &Address {
        if self.kind == kind::EGRESS { &self.destination } else { &self.source }
    }

    /// Reads a head from the front of a ring record; `None` when the record is too short.
    #[must_use]
    pub fn read(record: &[u8]) -> Option<Self> {
        let head: &[u8; Self::SIZE] = record.first_chunk()?;
        let word =
            |at: usize| u32::from_ne_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
        let half = |at: usize| u16::from_ne_bytes([head[at], head[at + 1]]);
        let address =
            |at: usize| Address::v6([word(at), word(at + 4), word(at + 8), word(at + 12)]);
        let time = head.first_chunk()?;
        Some(Self {
            time: u64::from_ne_bytes(*time),
            source: address(8),
            destination: address(24),
            sequence: word(40),
            acknowledgement: word(44),
            payload_length: word(48),
            captured: word(52),
            interface: word(56),
            sampling: word(60),
            source_port: half(64),
            destination_port: half(66),
            vlan: half(68),
            kind: head[70],
            flags: head[71],
        })
    }
}

const _: () = assert!(size_of::<Address>() == 16);
const _: () = assert!(size_of::<Settings>() == 56);
const _: () = assert!(size_of::<Limit>() == 16);
const _: () = assert!(size_of::<Watched>() == 72);
const _: () = assert!(size_of::<Ban>() == 24);
const _: () = assert!(size_of::<BanCount>() == 16);
const _: () = assert!(size_of::<FlowKey>() == 36);
const _: () = assert!(size_of::<SourceKey>() == 20);
const _: () = assert!(size_of::<SourceState>() == 136);
const _: () = assert!(size_of::<Counters>() == (Reason::COUNT + Method::COUNT + 6 + 11) * 8);
const _: () = assert!(Sample::SIZE == 72);

#[cfg(feature = "user")]
#[expect(unsafe_code, reason = "aya's typed maps ask for this marker")]
mod user {
    use super::{
        Address, Ban, BanCount, Counters, FlowKey, Settings, SourceKey, SourceState, Watched,
    };

    // SAFETY: each is `repr(C)` or `repr(transparent)`, `Copy`, of integers only, and has no
    // padding: the size asserts above compare against the sum of the fields.
    unsafe impl aya::Pod for Address {}
    // SAFETY: as above.
    unsafe impl aya::Pod for Ban {}
    // SAFETY: as above.
    unsafe impl aya::Pod for BanCount {}
    // SAFETY: as above.
    unsafe impl aya::Pod for Counters {}
    // SAFETY: as above.
    unsafe impl aya::Pod for FlowKey {}
    // SAFETY: as above.
    unsafe impl aya::Pod for Settings {}
    // SAFETY: as above.
    unsafe impl aya::Pod for SourceKey {}
    // SAFETY: as above.
    unsafe impl aya::Pod for SourceState {}
    // SAFETY: as above.
    unsafe impl aya::Pod for Watched {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_its_code_and_a_name_of_its_own() {
        for (code, reason) in Reason::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, code);
            assert_eq!(Reason::ALL.iter().filter(|other| other.name() == reason.name()).count(), 1);
        }
    }

    #[test]
    fn a_short_record_is_no_sample() {
        assert_eq!(Sample::read(&[0; Sample::SIZE - 1]), None);
        assert!(Sample::read(&[0; Sample::SIZE]).is_some());
    }
}
