//! Frames built header by header, and what the decoder makes of them.

mod fragments;
mod links;
mod tunnels;

use super::{Decoder, LinkType, Skipped};
use crate::capture::pcap::Frame;
use crate::capture::{Segment, Timestamp};

const MAC: [u8; 12] = [2; 12];

/// A TCP header with 4 octets of options, from port 40000 to 80.
fn tcp(payload: &[u8]) -> Vec<u8> {
    let mut header = vec![0x9c, 0x40, 0, 80, 0, 0, 0, 7, 0, 0, 0, 9, 0x60, 0x18];
    header.extend([0, 0, 0, 0, 0, 0, 1, 1, 1, 1]);
    header.extend(payload);
    header
}

fn ipv4(protocol: u8, fragment: u16, inner: &[u8]) -> Vec<u8> {
    let length = u16::try_from(24 + inner.len()).unwrap().to_be_bytes();
    let fragment = fragment.to_be_bytes();
    let mut packet = vec![0x46, 0, length[0], length[1], 0, 0, fragment[0], fragment[1]];
    packet.extend([64, protocol, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2, 1, 1, 1, 1]);
    packet.extend(inner);
    packet
}

fn ipv6(next: u8, inner: &[u8]) -> Vec<u8> {
    let length = u16::try_from(inner.len()).unwrap().to_be_bytes();
    let mut packet = vec![0x60, 0, 0, 0, length[0], length[1], next, 64];
    packet.extend([0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
    packet.extend([0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2]);
    packet.extend(inner);
    packet
}

fn ethernet(tags: &[u16], ethertype: u16, inner: &[u8]) -> Vec<u8> {
    let mut frame = MAC.to_vec();
    for tag in tags {
        frame.extend(0x8100_u16.to_be_bytes());
        frame.extend(tag.to_be_bytes());
    }
    frame.extend(ethertype.to_be_bytes());
    frame.extend(inner);
    frame
}

/// A frame of which `data` was captured.
fn frame(link: LinkType, data: &[u8], wire_length: usize) -> Frame<'_> {
    let wire_length = u32::try_from(wire_length).unwrap();
    Frame { time: Timestamp(5), interface: 3, link, data, wire_length }
}

/// Decodes a frame that was captured whole, to `source>destination payload/length vlan`.
fn text(link: LinkType, data: &[u8]) -> String {
    shown(&Decoder::default().segment(&frame(link, data, data.len())))
}

fn shown(outcome: &Result<Segment<'_>, Skipped>) -> String {
    match outcome {
        Ok(segment) => format!(
            "{}>{} {}/{} {:?}",
            segment.source,
            segment.destination,
            String::from_utf8_lossy(segment.payload),
            segment.payload_length,
            segment.vlan,
        ),
        Err(skipped) => skipped.name().to_owned(),
    }
}

const V4: &str = "10.0.0.1:40000>10.0.0.2:80 hi/2 None";

#[test]
fn vlan_tags_are_passed_and_the_outermost_is_kept() {
    let packet = ipv4(6, 0, &tcp(b"hi"));
    let tagged = |tags: &[u16]| text(LinkType::Ethernet, &ethernet(tags, 0x0800, &packet));
    assert_eq!(tagged(&[0x2064]), V4.replace("None", "Some(100)"));
    assert_eq!(tagged(&[100, 200, 300, 400]), V4.replace("None", "Some(100)"));
    assert_eq!(tagged(&[1, 2, 3, 4, 5]), "malformed");
    for ethertype in [0x88a8, 0x9100, 0x9200] {
        let frame = ethernet(&[], ethertype, &[&[0x20, 100, 8, 0], &packet[..]].concat());
        assert_eq!(text(LinkType::Ethernet, &frame), V4.replace("None", "Some(100)"));
    }
}

#[test]
fn ipv6_extension_headers_are_passed() {
    let expected = "[2001:db8::1]:40000>[2001:db8::2]:80 hi/2 None";
    let behind = |header: &[u8]| [header, &tcp(b"hi")[..]].concat();
    let option = |next: u8| [next, 0, 1, 4, 0, 0, 0, 0];
    let long = [6, 1, 1, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let check = |next, inner: &[u8], expected: &str| {
        assert_eq!(text(LinkType::RawIp, &ipv6(next, inner)), expected, "{next}");
    };
    check(6, &tcp(b"hi"), expected);
    check(0, &behind(&[option(60), option(43), option(6)].concat()), expected);
    check(0, &behind(&long), expected);
    check(51, &behind(&[6, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]), expected);
    check(44, &behind(&[6, 0, 0, 0, 0, 0, 0, 1]), expected);
    check(44, &[&[6, 0, 0, 1, 0, 0, 0, 1], &tcp(b"8 octets")[..]].concat(), "fragment");
    check(44, &behind(&[6, 0, 0, 8, 0, 0, 0, 1]), "fragment");
    check(0, &behind(&[[option(0); 7].concat(), option(6).to_vec()].concat()), expected);
    check(0, &behind(&[option(0); 9].concat()), "malformed");
    check(0, &option(6)[..4], "cut_header");
    check(58, &[0; 8], "not_tcp");
}

#[test]
fn what_is_no_whole_tcp_packet_is_named() {
    let raw = |packet: &[u8]| text(LinkType::RawIp, packet);
    assert_eq!(text(LinkType::Ethernet, &ethernet(&[], 0x0806, &[0; 28])), "not_ip");
    assert_eq!(raw(&ipv4(17, 0, &[0; 8])), "not_tcp");
    assert_eq!(raw(&ipv4(6, 0x2000, &tcp(b"8 octets"))), "fragment");
    assert_eq!(raw(&ipv4(1, 0x2000, &[0; 8])), "not_tcp");
    assert_eq!(raw(&ipv4(6, 0x0001, &tcp(b"hi"))), "fragment");
    assert_eq!(raw(&ipv4(6, 0, &tcp(b"hi")[..10])), "cut_header");
    assert_eq!(raw(&[]), "cut_header");
    assert_eq!(raw(&[0x10; 40]), "not_ip");
    let mut short_header = ipv4(6, 0, &tcp(b"hi"));
    short_header[0] = 0x44;
    assert_eq!(raw(&short_header), "malformed");
    let mut short_options = tcp(b"hi");
    short_options[12] = 0x40;
    assert_eq!(raw(&ipv4(6, 0, &short_options)), "malformed");
    let mut beyond = ipv4(6, 0, &tcp(b"hi"));
    beyond[3] += 1;
    assert_eq!(raw(&beyond), "malformed");
}

#[test]
fn lengths_are_those_of_the_packet_not_of_the_frame() {
    let mut padded = ethernet(&[], 0x0800, &ipv4(6, 0, &tcp(b"hi")));
    padded.extend([0; 20]);
    assert_eq!(text(LinkType::Ethernet, &padded), V4);
    let whole = ipv4(6, 0, &tcp(b"hello"));
    let cut = frame(LinkType::RawIp, &whole[..whole.len() - 3], whole.len());
    assert_eq!(shown(&Decoder::default().segment(&cut)), V4.replace("hi/2", "he/5"));
    let mut offloaded = whole;
    offloaded[2..4].fill(0);
    assert_eq!(text(LinkType::RawIp, &offloaded), V4.replace("hi/2", "hello/5"));
}

#[test]
fn every_field_is_read_from_its_place() {
    let packet = ipv4(6, 0, &tcp(b""));
    let mut decoder = Decoder::default();
    let decoded = decoder.segment(&frame(LinkType::RawIp, &packet, packet.len())).unwrap();
    assert_eq!((decoded.sequence, decoded.acknowledgement), (7, 9));
    assert_eq!((decoded.flags.0, decoded.interface, decoded.time.0), (0x18, 3, 5));
}

proptest::proptest! {
    #[test]
    fn no_frame_makes_it_panic(
        link in 0_u16..290,
        data in proptest::collection::vec(proptest::num::u8::ANY, 0..120),
    ) {
        let mut decoder = Decoder::default();
        for link in [LinkType::from_number(link), LinkType::RawIp, LinkType::Ethernet] {
            if let Ok(segment) = decoder.segment(&frame(link, &data, data.len())) {
                assert!(segment.payload.len() <= segment.payload_length as usize);
            }
        }
    }
}
