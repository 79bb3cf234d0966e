use super::*;
use core::net::IpAddr;
use proptest::prelude::*;

struct Octets<'a>(&'a [u8]);

impl<'a> Load for Octets<'a> {
    type Window<const N: usize> = &'a [u8; N];

    fn window<const N: usize>(&self, offset: usize) -> Option<Self::Window<N>> {
        self.0.get(offset..)?.first_chunk()
    }
}

impl<const N: usize> Window<N> for &[u8; N] {
    fn u8<const AT: usize>(&self) -> u8 {
        self[AT]
    }
    fn u16<const AT: usize>(&self) -> u16 {
        u16::from_be_bytes([self[AT], self[AT + 1]])
    }
    fn word<const AT: usize>(&self) -> u32 {
        u32::from_ne_bytes([self[AT], self[AT + 1], self[AT + 2], self[AT + 3]])
    }
}

fn ethernet(tags: &[u16], ethertype: u16, rest: &[u8]) -> Vec<u8> {
    let mut frame = vec![0; 12];
    for tag in tags {
        frame.extend(ETHERTYPE_VLAN.to_be_bytes());
        frame.extend(tag.to_be_bytes());
    }
    frame.extend(ethertype.to_be_bytes());
    frame.extend(rest);
    frame
}

fn tcp(payload: &[u8]) -> Vec<u8> {
    let mut segment = vec![0; TCP_HEADER];
    segment[..2].copy_from_slice(&4321_u16.to_be_bytes());
    segment[2..4].copy_from_slice(&8080_u16.to_be_bytes());
    segment[4..8].copy_from_slice(&7_u32.to_be_bytes());
    segment[12] = 5 << 4;
    segment[13] = 0x18;
    segment.extend(payload);
    segment
}

fn v4(options: usize, fragment: u16, protocol: u8, rest: &[u8]) -> Vec<u8> {
    let length = IPV4_HEADER + options;
    let mut packet = vec![0; length];
    packet[0] = 0x40 | u8::try_from(length / 4).unwrap();
    packet[2..4].copy_from_slice(&u16::try_from(length + rest.len()).unwrap().to_be_bytes());
    packet[6..8].copy_from_slice(&fragment.to_be_bytes());
    packet[9] = protocol;
    packet[12..16].copy_from_slice(&[192, 0, 2, 1]);
    packet[16..20].copy_from_slice(&[192, 0, 2, 2]);
    packet.extend(rest);
    packet
}

/// `chain` is (protocol, octets) of each extension; `last` the protocol after them.
fn v6(chain: &[(u8, usize)], last: u8, rest: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    for (index, (protocol, size)) in chain.iter().enumerate() {
        let next = chain.get(index + 1).map_or(last, |(next, _)| *next);
        let mut extension = vec![0; *size];
        extension[0] = next;
        extension[1] = match *protocol {
            FRAGMENT => 0,
            AUTHENTICATION => u8::try_from(size / 4 - 2).unwrap(),
            _ => u8::try_from(size / 8 - 1).unwrap(),
        };
        body.extend(extension);
    }
    body.extend(rest);
    let mut packet = vec![0; IPV6_HEADER];
    packet[0] = 0x60;
    packet[4..6].copy_from_slice(&u16::try_from(body.len()).unwrap().to_be_bytes());
    packet[6] = chain.first().map_or(last, |(protocol, _)| *protocol);
    packet[8..24].copy_from_slice(&"2001:db8::1".parse::<core::net::Ipv6Addr>().unwrap().octets());
    packet.extend(body);
    packet
}

/// The payload's length and the VLAN of a frame that holds TCP, or why it does not.
fn check(description: &str, frame: &[u8], expected: Result<(usize, u16), Reason>) {
    let frame = Octets(frame);
    let got = network(&frame).and_then(|network| {
        if network.transport != Reason::Clean {
            return Err(network.transport);
        }
        let transport = transport(&frame, network.offset)?;
        if let Some(plain) = Plain::of(&frame) {
            assert_eq!((plain.network(), plain.transport()), (network, transport), "{description}");
        }
        assert_eq!(transport.destination_port, 8080, "{description}");
        assert_eq!(transport.sequence, 7, "{description}");
        Ok((network.end - transport.payload, u16::try_from(network.vlan).unwrap()))
    });
    assert_eq!(got, expected, "{description}");
}

#[test]
fn ipv4_is_walked_to_its_payload() {
    let hello = tcp(b"hello");
    let plain = v4(0, 0, TCP, &hello);
    let padded = [plain.clone(), vec![0; 6]].concat();
    let row = |description, tags: &[u16], packet: &[u8], expected| {
        check(description, &ethernet(tags, ETHERTYPE_IPV4, packet), expected);
    };
    row("plain", &[], &plain, Ok((5, NO_VLAN)));
    row("padding is not payload", &[], &padded, Ok((5, NO_VLAN)));
    row("one tag", &[0x6064], &plain, Ok((5, 0x64)));
    row("four tags", &[1, 2, 3, 4], &plain, Ok((5, 1)));
    row("five tags", &[1, 2, 3, 4, 5], &plain, Err(Reason::TooDeep));
    row("options of 40 octets", &[], &v4(40, 0, TCP, &hello), Ok((5, NO_VLAN)));
    row("do not fragment", &[], &v4(0, 0x4000, TCP, &hello), Ok((5, NO_VLAN)));
    row("first fragment", &[], &v4(0, 0x2000, TCP, &hello), Ok((5, NO_VLAN)));
    row("later fragment", &[], &v4(0, 1, TCP, &hello), Err(Reason::LaterFragment));
    row("later fragment of UDP", &[], &v4(0, 1, 17, &hello), Err(Reason::NotTcp));
    row("UDP", &[], &v4(0, 0, 17, &hello), Err(Reason::NotTcp));
    row("IP in IP", &[], &v4(0, 0, IPV4_IN_IP, &plain), Err(Reason::Tunnel));
    row("GRE", &[], &v4(0, 0, GRE, &plain), Err(Reason::Tunnel));
    row("half a header", &[], &plain[..19], Err(Reason::Truncated));
    row("half a TCP header", &[], &plain[..39], Err(Reason::Truncated));
}

#[test]
fn only_ipv4_at_its_usual_place_is_plain() {
    let hello = tcp(b"hello");
    let row = |description, tags: &[u16], ethertype, packet: &[u8], expected| {
        let frame = ethernet(tags, ethertype, packet);
        let carries = Plain::of(&Octets(&frame)).map(|plain| plain.carries());
        assert_eq!(carries, expected, "{description}");
    };
    let plain = v4(0, 0, TCP, &hello);
    let clean = Some(Reason::Clean);
    row("plain", &[], ETHERTYPE_IPV4, &plain, clean);
    row("first fragment", &[], ETHERTYPE_IPV4, &v4(0, 0x2000, TCP, &hello), clean);
    row("no payload", &[], ETHERTYPE_IPV4, &plain[..40], clean);
    row("half a TCP header", &[], ETHERTYPE_IPV4, &plain[..39], None);
    row("tag", &[1], ETHERTYPE_IPV4, &plain, None);
    row("options", &[], ETHERTYPE_IPV4, &v4(4, 0, TCP, &hello), None);
    row("other type", &[], ETHERTYPE_IPV6, &plain, None);
    let later = Some(Reason::LaterFragment);
    row("later fragment", &[], ETHERTYPE_IPV4, &v4(0, 1, TCP, &hello), later);
    row("UDP", &[], ETHERTYPE_IPV4, &v4(0, 0, 17, &hello), Some(Reason::NotTcp));
    row("GRE", &[], ETHERTYPE_IPV4, &v4(0, 0, GRE, &hello), Some(Reason::Tunnel));
    let mut short = plain;
    short[IPV4_HEADER + 12] = 4 << 4;
    row("TCP header of 16 octets", &[], ETHERTYPE_IPV4, &short, Some(Reason::Truncated));
}

#[test]
fn ipv6_is_walked_to_its_payload() {
    let hello = tcp(b"hello");
    let six = [
        (HOP_BY_HOP, 8),
        (DESTINATION, 16),
        (ROUTING, 24),
        (FRAGMENT, 8),
        (AUTHENTICATION, 24),
        (DESTINATION, 8),
    ];
    let row = |description, tags: &[u16], packet: &[u8], expected| {
        check(description, &ethernet(tags, ETHERTYPE_IPV6, packet), expected);
    };
    row("plain", &[], &v6(&[], TCP, &hello), Ok((5, NO_VLAN)));
    row("six extensions", &[9], &v6(&six, TCP, &hello), Ok((5, 9)));
    let eight = [(DESTINATION, 8); 8];
    row("eight extensions", &[], &v6(&eight, TCP, &hello), Ok((5, NO_VLAN)));
    let nine = [(DESTINATION, 8); 9];
    row("nine extensions", &[], &v6(&nine, TCP, &hello), Err(Reason::TooDeep));
    let half = &v6(&[(ROUTING, 8)], TCP, &[])[..44];
    row("half an extension", &[], half, Err(Reason::Truncated));
    row("no next header", &[], &v6(&[], 59, &hello), Err(Reason::NotTcp));
}

#[test]
fn other_frames_are_told_apart() {
    check("ARP", &ethernet(&[], 0x0806, &[0; 28]), Err(Reason::NotIp));
    check("half an address", &[0; 9], Err(Reason::Truncated));
    check("half a tag", &ethernet(&[], ETHERTYPE_VLAN, &[0]), Err(Reason::Truncated));
}

#[test]
fn an_impossible_length_field_is_truncation() {
    let mut short_ip = ethernet(&[], ETHERTYPE_IPV4, &v4(0, 0, TCP, &tcp(b"")));
    short_ip[ETHERNET] = 0x44;
    check("IPv4 header of 16 octets", &short_ip, Err(Reason::Truncated));
    let mut short_tcp = ethernet(&[], ETHERTYPE_IPV4, &v4(0, 0, TCP, &tcp(b"")));
    short_tcp[ETHERNET + IPV4_HEADER + 12] = 4 << 4;
    check("TCP header of 16 octets", &short_tcp, Err(Reason::Truncated));
}

#[test]
fn the_source_is_known_even_where_the_transport_is_not() {
    let later = ethernet(&[5], ETHERTYPE_IPV4, &v4(0, 7, TCP, b"rest"));
    let network = network(&Octets(&later)).unwrap();
    assert_eq!(IpAddr::from(network.source), "192.0.2.1".parse::<IpAddr>().unwrap());
}

proptest! {
    #[test]
    fn any_octets_end_in_a_reason_or_inside_the_packet(octets in prop::collection::vec(any::<u8>(), 0..200), ethertype in prop::sample::select(vec![ETHERTYPE_IPV4, ETHERTYPE_IPV6, ETHERTYPE_VLAN])) {
        let mut octets = octets;
        if let Some(field) = octets.get_mut(12..14) {
            field.copy_from_slice(&ethertype.to_be_bytes());
        }
        let frame = Octets(&octets);
        if let Ok(network) = network(&frame) && network.transport == Reason::Clean && let Ok(found) = transport(&frame, network.offset) {
            prop_assert!(found.payload <= octets.len() + 40);
        }
    }
}
