//! Records of the kernel's ring as segments and notices.
//!
//! Pure: the wall clock comes in as a function. It must not know where records are read.

use std::net::{IpAddr, SocketAddr};

use hooksensor_ebpf::abi::{ESTABLISHED, NO_VLAN, Sample, kind};

use super::{Segment, TcpFlags, Timestamp};

/// What the kernel had to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record<'a> {
    /// A segment, or part of one.
    Segment(Segment<'a>),
    /// A source is over its packet limit on the port in this slot.
    OverLimit {
        /// The source.
        source: IpAddr,
        /// The slot of the port.
        slot: u32,
        /// Whether it completed a handshake.
        established: bool,
        /// When.
        time: Timestamp,
    },
}

/// Reads one record; `wall` turns kernel time into wall-clock time. `None` when it is not one of
/// this version.
pub fn read(record: &[u8], wall: impl Fn(u64) -> Timestamp) -> Option<Record<'_>> {
    let head = Sample::read(record)?;
    let time = wall(head.time);
    match head.kind {
        kind::INGRESS | kind::EGRESS | kind::SKIPPED => {
            let payload =
                record.get(Sample::SIZE..)?.get(..usize::try_from(head.captured).ok()?)?;
            Some(Record::Segment(segment(&head, payload, time)))
        }
        kind::OVER_LIMIT => Some(Record::OverLimit {
            source: head.source.into(),
            slot: u32::from(head.destination_port),
            established: head.flags & ESTABLISHED != 0,
            time,
        }),
        _ => None,
    }
}

fn segment<'a>(head: &Sample, payload: &'a [u8], time: Timestamp) -> Segment<'a> {
    Segment {
        time,
        source: SocketAddr::new(head.source.into(), head.source_port),
        destination: SocketAddr::new(head.destination.into(), head.destination_port),
        sequence: head.sequence,
        acknowledgement: head.acknowledgement,
        flags: TcpFlags(head.flags),
        payload,
        payload_length: head.payload_length,
        skipped: head.kind == kind::SKIPPED,
        vlan: (head.vlan != NO_VLAN).then_some(head.vlan),
        interface: head.interface,
        sampling: head.sampling,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A record as the kernel lays it out: an egress segment of five octets on the wire, three of
    /// them captured, with the room of its size class behind them.
    fn record(kind: u8) -> Vec<u8> {
        let mut octets = 7_u64.to_ne_bytes().to_vec();
        octets.extend([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 1]);
        octets.extend([0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2]);
        for word in [100_u32, 200, 5, 3, 4, 1] {
            octets.extend(word.to_ne_bytes());
        }
        for half in [8080_u16, 4000, NO_VLAN] {
            octets.extend(half.to_ne_bytes());
        }
        octets.extend([kind, 0x18]);
        octets.extend(b"abc\0\0\0\0");
        octets
    }

    #[test]
    fn a_record_becomes_a_segment() {
        let octets = record(kind::EGRESS);
        let Some(Record::Segment(segment)) = read(&octets, |time| Timestamp(time + 1)) else {
            panic!("not a segment");
        };
        let expected = Segment {
            time: Timestamp(8),
            source: "192.0.2.1:8080".parse().unwrap(),
            destination: "[2001:db8::2]:4000".parse().unwrap(),
            sequence: 100,
            acknowledgement: 200,
            flags: TcpFlags(0x18),
            payload: b"abc",
            payload_length: 5,
            skipped: false,
            vlan: None,
            interface: 4,
            sampling: 1,
        };
        assert_eq!(segment, expected);
        let octets = record(kind::SKIPPED);
        let skipped = read(&octets, |_| Timestamp(8));
        assert_eq!(skipped, Some(Record::Segment(Segment { skipped: true, ..expected })));
    }

    #[test]
    fn a_notice_says_whether_its_source_is_real() {
        for (flags, expected) in [(0, false), (ESTABLISHED, true)] {
            let mut octets = record(kind::OVER_LIMIT);
            let place = octets.iter().rposition(|octet| *octet == kind::OVER_LIMIT).unwrap() + 1;
            octets[place] = flags;
            let Some(Record::OverLimit { established, .. }) = read(&octets, Timestamp) else {
                panic!("not a notice");
            };
            assert_eq!(established, expected);
        }
    }

    #[test]
    fn what_is_no_record_is_left_out() {
        let whole = record(kind::INGRESS);
        for length in 0..Sample::SIZE + 3 {
            assert_eq!(read(&whole[..length], Timestamp), None, "{length} octets");
        }
        assert_eq!(read(&record(99), Timestamp), None);
    }
}
