//! Tunnels written by hand from what specifies them, around the same packet.

use super::super::tunnel::MAX_TUNNELS;
use super::{Decoder, LinkType, V4, ethernet, frame, ipv4, ipv6, shown, tcp, text};

/// A datagram of UDP from port 50000.
fn udp(port: u16, inner: &[u8]) -> Vec<u8> {
    let [high, low] = port.to_be_bytes();
    let [l0, l1] = u16::try_from(8 + inner.len()).unwrap().to_be_bytes();
    [&[0xc3, 0x50, high, low, l0, l1, 0, 0], inner].concat()
}

/// Expects what comes of a packet, in IPv4 and in IPv6, that holds `octets` by this protocol
/// number.
#[track_caller]
fn check(protocol: u8, octets: &[&[u8]], expected: &str) {
    let octets = octets.concat();
    assert_eq!(text(LinkType::RawIp, &ipv4(protocol, 0, &octets)), expected, "IPv4");
    assert_eq!(text(LinkType::RawIp, &ipv6(protocol, &octets)), expected, "IPv6");
}

const V6: &str = "[2001:db8::1]:40000>[2001:db8::2]:80 hi/2 None";

#[test]
fn packets_in_packets_are_read() {
    let (v4, v6) = (ipv4(6, 0, &tcp(b"hi")), ipv6(6, &tcp(b"hi")));
    check(4, &[&v4], V4);
    check(41, &[&v6], V6);
    check(41, &[&ipv6(17, &[0; 8])], "not_tcp");
    check(4, &[&[0x20; 40]], "not_ip");
    check(4, &[&v4[..30]], "malformed");
    check(4, &[], "cut_header");
}

#[test]
fn as_many_tunnels_as_anyone_has_are_followed() {
    let nested = |count| {
        let packet = ipv4(6, 0, &tcp(b"hi"));
        (0..count).fold(packet, |inner, _| ipv4(4, 0, &inner))
    };
    assert_eq!(text(LinkType::RawIp, &nested(MAX_TUNNELS)), V4);
    assert_eq!(text(LinkType::RawIp, &nested(MAX_TUNNELS + 1)), "too_deep");
}

#[test]
fn generic_encapsulation_is_taken_off() {
    let (v4, v6) = (ipv4(6, 0, &tcp(b"hi")), ipv6(6, &tcp(b"hi")));
    let (bridged, tagged) = (ethernet(&[], 0x0800, &v4), ethernet(&[7], 0x0800, &v4));
    check(47, &[&[0, 0, 8, 0], &v4], V4);
    check(47, &[&[0, 0, 0x86, 0xdd], &v6], V6);
    check(47, &[&[0x80, 0, 8, 0, 1, 2, 0, 0], &v4], V4);
    check(47, &[&[0xb0, 0, 8, 0, 1, 2, 0, 0, 9, 9, 9, 9, 0, 0, 0, 1], &v4], V4);
    check(47, &[&[0, 0, 0x65, 0x58], &bridged], V4);
    check(47, &[&[0x20, 0, 0x65, 0x58, 0, 0, 0, 7], &tagged], &V4.replace("None", "Some(7)"));
    check(47, &[&[0, 0, 0x88, 0x47, 0, 1, 1, 64], &v4], V4);
    check(47, &[&[0x30, 0x81, 0x88, 0x0b], &[0; 12], &[0xff, 3, 0, 0x21], &v4], V4);
    check(47, &[&[0x20, 0x01, 0x88, 0x0b], &[0; 4], &[0x21], &v4], V4);
    check(47, &[&[0, 0, 0x88, 0xbe], &bridged], V4);
    check(47, &[&[0x10, 0, 0x88, 0xbe, 0, 0, 0, 1], &[0x10, 1, 0, 1, 0, 0, 0, 0], &bridged], V4);
    let third = [0x20, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0];
    check(47, &[&[0x10, 0, 0x22, 0xeb, 0, 0, 0, 1], &third, &[0], &bridged], V4);
    check(47, &[&[0x10, 0, 0x22, 0xeb, 0, 0, 0, 1], &third, &[1], &[0; 8], &bridged], V4);
    let on_air = [&[0x88, 0x02, 0, 0], &[2; 18][..], &[0; 4], &[0xaa, 0xaa, 3, 0, 0, 0, 8, 0]];
    check(47, &[&[0, 0, 0x82, 0], &on_air.concat(), &v4], V4);
    check(47, &[&[0x40, 0, 8, 0, 0, 0, 0, 0], &v4], "tunnel");
    check(47, &[&[0, 2, 8, 0], &v4], "tunnel");
    check(47, &[&[0, 0, 0x08, 0x06], &[0; 28]], "not_ip");
    check(47, &[&[0xb0, 0, 8, 0, 1, 2]], "cut_header");
}

#[test]
fn tunnels_over_datagrams_are_taken_off() {
    let (v4, v6) = (ipv4(6, 0, &tcp(b"hi")), ipv6(6, &tcp(b"hi")));
    let bridged = ethernet(&[], 0x0800, &v4);
    let relayed = V6.replace("[2001:db8::2]", "[2001::2]");
    let on =
        |port, octets: &[&[u8]], expected| check(17, &[&udp(port, &octets.concat())], expected);
    on(4789, &[&[8, 0, 0, 0, 0, 0, 7, 0], &bridged], V4);
    on(8472, &[&[0x88, 0, 1, 2, 0, 0, 7, 0], &bridged], V4);
    on(4789, &[&[0, 0, 0, 0, 0, 0, 7, 0], &bridged], "not_tcp");
    on(6081, &[&[0, 0, 0x65, 0x58, 0, 0, 7, 0], &bridged], V4);
    on(6081, &[&[2, 0x40, 8, 0, 0, 0, 7, 0, 1, 2, 3, 1, 9, 9, 9, 9], &v4], V4);
    on(6081, &[&[0, 0x80, 8, 0, 0, 0, 7, 0], &v4], "not_tcp");
    on(6081, &[&[0x40, 0, 8, 0, 0, 0, 7, 0], &v4], "not_tcp");
    on(2152, &[&[0x30, 0xff, 0, 66, 0, 0, 0, 1], &v4], V4);
    on(2152, &[&[0x32, 0xff, 0, 66, 0, 0, 0, 1, 0, 1, 0, 0x85], &v4], V4);
    let extended =
        [0x34, 0xff, 0, 66, 0, 0, 0, 1, 0, 0, 0, 0x85, 1, 0x10, 9, 0xc0, 2, 0, 0, 0, 0, 0, 0, 0];
    on(2152, &[&extended, &v6], V6);
    on(2152, &[&extended[..18]], "cut_header");
    on(2152, &[&extended[..12], &[0; 8]], "malformed");
    on(2152, &[&[0x32, 1, 0, 4, 0, 0, 0, 0, 0, 1, 0, 0]], "not_tcp");
    on(3544, &[&v6], V6);
    on(3544, &[&[0, 1, 2, 3, 9, 9, 8, 8, 8, 1, 2, 3, 4, 5, 6, 7, 8, 0], &[0; 8], &v6], V6);
    on(3544, &[&v4], "not_tcp");
    on(53, &[&v4], "not_tcp");
    let mut teredo = v6.clone();
    assert_eq!(teredo[24..28], [0x20, 1, 0xd, 0xb8], "documentation (RFC 3849)");
    on(32_900, &[&teredo], "not_tcp");
    teredo[26..28].fill(0);
    on(32_900, &[&teredo], &relayed);
    on(32_900, &[&teredo, &[0]], "not_tcp");
    on(32_900, &[&teredo[..39]], "not_tcp");
    on(5072, &[&[0x41, 0x52, 0x11, 41, 1, 2, 3, 4], &[9; 16], &[8; 20], &v6], V6);
    on(5072, &[&[0x41, 0x52, 0x10, 41, 1, 2, 3, 4], &[9; 16], &[8; 20], &v6], "not_tcp");
    on(5072, &[&[0x41, 0x52, 0x11, 41, 1, 2, 3, 4], &[9; 16]], "cut_header");
    let mut answer = udp(50_000, &[&[8, 0, 0, 0, 0, 0, 7, 0], &bridged[..]].concat());
    answer[..2].copy_from_slice(&4789_u16.to_be_bytes());
    check(17, &[&answer], V4);
    check(17, &[&answer[..7]], "cut_header");
    answer[4..6].fill(0);
    check(17, &[&answer], V4);
}

#[test]
fn lengths_inside_are_those_of_the_wire() {
    let inner = ethernet(&[], 0x0800, &ipv4(6, 0, &tcp(b"hello")));
    let outer = ipv4(17, 0, &udp(4789, &[&[8, 0, 0, 0, 0, 0, 7, 0], &inner[..]].concat()));
    let cut = frame(LinkType::RawIp, &outer[..outer.len() - 3], outer.len());
    assert_eq!(shown(&Decoder::default().segment(&cut)), V4.replace("hi/2", "he/5"));
    let mut padded = ethernet(&[5], 0x0800, &outer);
    padded.extend([0; 20]);
    let expected = V4.replace("hi/2 None", "hello/5 Some(5)");
    assert_eq!(text(LinkType::Ethernet, &padded), expected);
}

/// The fragments of a datagram, but for the last one `length` octets long; one if it is whole.
fn cut(identification: u8, protocol: u8, octets: &[u8], length: usize) -> Vec<Vec<u8>> {
    let mut parts: Vec<_> = octets.chunks(length).enumerate().collect();
    let last = parts.pop();
    let place = |at: usize| u16::try_from(at * length / 8).unwrap();
    let whole = |(at, part): (usize, &[u8]), more| {
        let mut packet = ipv4(protocol, place(at) | more, part);
        packet[5] = identification;
        packet
    };
    let parts = parts.into_iter().map(|part| whole(part, 0x2000));
    parts.chain(last.map(|part| whole(part, 0))).collect()
}

/// The frames of a packet with 26 letters in it, cut within a tunnel and around it.
fn in_parts(inner: usize, outer: usize) -> Vec<Vec<u8>> {
    let packets = cut(1, 6, &tcp(b"abcdefghijklmnopqrstuvwxyz"), inner);
    let datagrams = packets.iter().map(|packet| {
        udp(4789, &[&[8, 0, 0, 0, 0, 0, 7, 0], &ethernet(&[], 0x0800, packet)[..]].concat())
    });
    let cut_again =
        |(at, datagram): (usize, Vec<u8>)| cut(u8::try_from(at).unwrap(), 17, &datagram, outer);
    datagrams.enumerate().flat_map(cut_again).collect()
}

#[test]
fn fragments_are_joined_inside_and_around() {
    let expected = V4.replace("hi/2", "abcdefghijklmnopqrstuvwxyz/26");
    for (inner, outer) in [(1000, 1000), (1000, 24), (24, 1000), (24, 24), (8, 8), (32, 40)] {
        let frames = in_parts(inner, outer);
        let mut decoder = Decoder::default();
        let mut came: Vec<_> = frames
            .iter()
            .map(|one| shown(&decoder.segment(&frame(LinkType::RawIp, one, one.len()))))
            .collect();
        assert_eq!(came.pop().as_ref(), Some(&expected), "{inner} {outer}");
        assert!(came.iter().all(|one| one == "fragment"), "{inner} {outer}: {came:?}");
    }
}

#[test]
fn what_is_joined_is_counted() {
    let joined = |inner, outer| {
        let mut decoder = Decoder::default();
        for one in in_parts(inner, outer) {
            decoder.segment(&frame(LinkType::RawIp, &one, one.len())).ok();
        }
        decoder.take_joined()
    };
    assert_eq!(joined(1000, 1000), 0);
    assert_eq!(joined(24, 1000), 2, "three parts");
    assert_eq!(joined(1000, 64), 1, "two parts");
}

#[test]
fn headers_behind_the_first_fragment_are_passed() {
    let mut decoder = Decoder::default();
    let whole = [&[6, 0, 1, 4, 0, 0, 0, 0], &tcp(b"hi")[..]].concat();
    let first = ipv6(44, &[&[60, 0, 0, 1, 0, 0, 0, 9], &whole[..16]].concat());
    let last = ipv6(44, &[&[17, 0, 0, 16, 0, 0, 0, 9], &whole[16..]].concat());
    let mut take = |one: &[u8]| shown(&decoder.segment(&frame(LinkType::RawIp, one, one.len())));
    assert_eq!(take(&last), "fragment");
    assert_eq!(take(&first), V6);
}
