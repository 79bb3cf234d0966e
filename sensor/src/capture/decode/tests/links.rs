//! Link headers written by hand from what specifies them, before the same packet.

use super::{LinkType, V4, ethernet, ipv4, tcp, text};

#[test]
fn every_link_layer_is_taken_off() {
    let packet = ipv4(6, 0x4000, &tcp(b"hi"));
    let behind = |header: &[u8]| [header, &packet].concat();
    let mut cooked = vec![0; 14];
    cooked.extend([8, 0]);
    let mut cooked_v2 = vec![8, 0];
    cooked_v2.extend([0; 18]);
    let mut log = vec![2, 0, 0, 0, 8, 0, 10, 0, b'x', b'y', b'z', 0];
    log.extend(u16::try_from(packet.len() + 4).unwrap().to_le_bytes());
    log.extend([9, 0]);
    let table = [
        (1, ethernet(&[], 0x0800, &packet)),
        (12, packet.clone()),
        (14, packet.clone()),
        (101, packet.clone()),
        (228, packet.clone()),
        (0, behind(&[2, 0, 0, 0])),
        (108, behind(&[0, 0, 0, 2])),
        (113, behind(&cooked)),
        (276, behind(&cooked_v2)),
        (9, behind(&[0xff, 3, 0, 0x21])),
        (9, behind(&[0, 0x21])),
        (104, behind(&[0x0f, 0, 8, 0])),
        (239, behind(&log)),
        (9, behind(&[0x21])),
        (50, behind(&[0xff, 3, 0, 0x21])),
        (50, behind(&[0x0f, 0, 8, 0])),
        (51, behind(&[0x11, 0, 0, 1, 0, 66, 0, 0x21])),
        (117, behind(&[&[61, 2, 0, 0][..], &[b'a'; 60]].concat())),
        (1, ethernet(&[], 0x8864, &behind(&[0x11, 0, 0, 1, 0, 66, 0, 0x21]))),
        (1, ethernet(&[], 0x8847, &behind(&[0, 1, 1, 64]))),
        (1, ethernet(&[], 0x8848, &behind(&[0, 1, 0, 64, 0, 1, 1, 64]))),
        (1, ethernet(&[], 86, &behind(&[0xaa, 0xaa, 3, 0, 0, 0, 8, 0]))),
    ];
    for (number, frame) in table {
        assert_eq!(text(LinkType::from_number(number), &frame), V4, "link type {number}");
    }
    assert_eq!(text(LinkType::from_number(187), &packet), "unknown_link");
}

/// LLC and SNAP with the type of IPv4 (RFC 1042), as they stand on all local networks but Ethernet.
const SNAP: [u8; 8] = [0xaa, 0xaa, 3, 0, 0, 0, 8, 0];

#[test]
fn local_networks_are_taken_off() {
    let packet = ipv4(6, 0, &tcp(b"hi"));
    let check = |number, header: &[&[u8]], expected: &str| {
        let frame = [header, &[&packet]].concat().concat();
        assert_eq!(text(LinkType::from_number(number), &frame), expected, "{number} {header:?}");
    };
    check(6, &[&[0x10, 0x40], &[2; 12], &SNAP], V4);
    check(6, &[&[0x10, 0x40], &[2; 6], &[0x82; 6], &[0xc6, 0x70, 0, 0x11, 0, 0x20], &SNAP], V4);
    check(6, &[&[0x10, 0x00], &[2; 12], &SNAP], "not_ip");
    check(10, &[&[0x51], &[2; 12], &SNAP], V4);
    check(10, &[&[0xd0], &[2; 12], &[0xaa, 0xaa, 3, 0, 0, 0xf8, 8, 0]], V4);
    check(10, &[&[0x41], &[2; 12], &SNAP], "not_ip");
    check(7, &[&[1, 2, 0xf0]], V4);
    check(7, &[&[1, 2, 0xd4, 0, 0, 9]], V4);
    check(7, &[&[1, 2, 0xd4, 3, 0, 9]], "fragment");
    check(129, &[&[1, 2, 0, 0, 0xd4, 0, 0, 9]], V4);
    check(129, &[&[1, 2, 0, 0, 0xd5, 0, 0, 9]], "not_ip");
    check(242, &[&[2; 40], &[8, 0, 0, 0]], V4);
    check(284, &[&[2; 12], &[0x40, 0, 0, 1, 8, 0]], V4);
    let switched = |tag: &[&[u8]]| check(1, &[&[2; 12], &tag.concat(), &[8, 0]], V4);
    switched(&[&[0x88, 0x47, 0, 1, 0, 64, 0, 1, 1, 64, 0, 0, 0, 9], &[2; 12]]);
    switched(&[&[0x88, 0xe7, 0, 0, 0, 7], &[2; 12]]);
    switched(&[&[0x89, 0x03, 0, 1], &[2; 12]]);
    switched(&[&[0x89, 0x09, 1, 1, 0, 1, 0, 4]]);
    switched(&[&[0x89, 0x26, 0, 0, 0, 1]]);
    switched(&[&[0x89, 0x2f, 0x10, 0, 0, 9]]);
    switched(&[&[0x89, 0x3f, 0, 0, 0, 1, 0, 0]]);
    check(281, &[&[2; 12], &[0, 0, 0, 1, 8, 0]], V4);
    check(282, &[&[0, 0, 0, 1], &[2; 12], &[8, 0]], V4);
    check(285, &[&[2; 12], &[0xda, 0xda, 0, 0, 0x40, 0, 0, 1, 8, 0]], V4);
}

#[test]
fn lines_between_two_ends_are_taken_off() {
    let packet = ipv4(6, 0, &tcp(b"hi"));
    let check = |number, header: &[&[u8]], expected: &str| {
        let frame = [header, &[&packet]].concat().concat();
        assert_eq!(text(LinkType::from_number(number), &frame), expected, "{number} {header:?}");
    };
    check(8, &[&[1], &[0x45; 15]], V4);
    check(204, &[&[1, 0xff, 3, 0, 0x21]], V4);
    check(166, &[&[1, 3, 0, 0x21]], V4);
    check(205, &[&[0, 0x0f, 0, 8, 0]], V4);
    for number in [11, 100] {
        check(number, &[&SNAP], V4);
        check(number, &[&[0xfe, 0xfe, 3, 0xcc]], V4);
        check(number, &[&[6, 6, 3]], V4);
        check(number, &[&[0xaa, 0xaa, 3, 0, 0x80, 0xc2, 0, 7, 0, 0], &[2; 12], &[8, 0]], V4);
        check(number, &[&[0xfe, 0xfe, 3, 0x81, 0, 0, 0, 0]], "not_ip");
        check(number, &[&[0xaa, 0xaa, 3, 0, 0x80, 0xc2, 0, 3, 0, 0], &[2; 12], &[8, 0]], "not_ip");
    }
    check(107, &[&[0x18, 0x41, 3, 0xcc]], V4);
    check(107, &[&[0x18, 0x40, 0x08, 0x41, 3, 0, 0x80, 0, 0, 0, 8, 0]], V4);
    check(107, &[&[0x18, 0x41, 3, 0, 0x80, 0, 0x80, 0xc2, 0, 7], &[2; 12], &[8, 0]], V4);
    check(107, &[&[0x18, 0x41, 3, 0xcf, 0, 0x21]], V4);
    check(107, &[&[0x18, 0x41, 8, 0]], V4);
    check(107, &[&[0x18, 0x40, 0x40, 0x40, 3, 0xcc]], "malformed");
    check(107, &[&[0x19, 3, 0xcc]], "malformed");
    check(206, &[&[0, 0x18, 0x41, 3, 0xcc]], V4);
    check(109, &[&[2, 0, 0, 0, 0, 0, 0x12, 0x34, 0, 0x40, 0, 0]], V4);
}

#[test]
fn data_in_the_clear_is_read_off_the_air() {
    let packet = ipv4(6, 0, &tcp(b"hi"));
    let on_air = |control: [u8; 2], sequence: u8, more: &[u8]| {
        [&control[..], &[0, 0], &[2; 18], &[sequence, 0], more, &SNAP, &packet].concat()
    };
    let check = |frame: &[u8], expected: &str| {
        assert_eq!(text(LinkType::Wireless, frame), expected, "{:02x?}", &frame[..24]);
    };
    check(&on_air([0x08, 0x01], 0, &[]), V4);
    check(&on_air([0x08, 0x0a], 0, &[]), V4);
    check(&on_air([0x08, 0x03], 0, &[2; 6]), V4);
    check(&on_air([0x88, 0x02], 0, &[0, 0]), V4);
    check(&on_air([0x88, 0x82], 0, &[0, 0, 1, 2, 3, 4]), V4);
    check(&on_air([0x88, 0x03], 0, &[2, 2, 2, 2, 2, 2, 5, 0]), V4);
    check(&on_air([0x88, 0x02], 0, &[0x80, 0]), "aggregate");
    check(&on_air([0x88, 0x42], 0, &[0, 0]), "encrypted");
    check(&on_air([0x08, 0x05], 0, &[]), "fragment");
    check(&on_air([0x08, 0x01], 1, &[]), "fragment");
    check(&on_air([0x48, 0x01], 0, &[]), "not_ip");
    check(&on_air([0x80, 0x00], 0, &[]), "not_ip");
    check(&on_air([0x09, 0x00], 0, &[]), "not_ip");
    check(&on_air([0x08, 0x01], 0, &[])[..28], "cut_header");
    let with_check_sequence = [on_air([0x08, 0x01], 0, &[]), vec![0xde, 0xad, 0xbe, 0xef]].concat();
    check(&with_check_sequence, V4);
}

#[test]
fn what_drivers_put_before_it_is_taken_off() {
    let packet = ipv4(6, 0, &tcp(b"hi"));
    let on_air = |more: &[u8]| {
        [&[0x88, 0x02, 0, 0], &[2; 18][..], &[0, 0, 0, 0], more, &SNAP, &packet].concat()
    };
    let check = |number, header: &[&[u8]], frame: &[u8], expected: &str| {
        let frame = [header, &[frame]].concat().concat();
        assert_eq!(text(LinkType::from_number(number), &frame), expected, "{number} {header:?}");
    };
    let plain = &on_air(&[]);
    check(119, &[&[0x44, 0, 0, 0, 144, 0, 0, 0], &[0; 136]], plain, V4);
    for number in [119, 163] {
        check(number, &[&[0x80, 0x21, 0x10, 1, 0, 0, 0, 64], &[0; 56]], plain, V4);
        check(number, &[&[0x80, 0x21, 0x10, 2, 0xff, 0xff, 0xff, 0xff]], plain, "cut_header");
    }
    check(127, &[&[0, 0, 8, 0, 0, 0, 0, 0]], plain, V4);
    check(127, &[&[0, 0, 9, 0, 2, 0, 0, 0, 0x10]], plain, V4);
    check(127, &[&[0, 0, 9, 0, 2, 0, 0, 0, 0x20]], &on_air(&[0, 0]), V4);
    check(127, &[&[0, 0, 9, 0, 2, 0, 0, 0, 0x40]], plain, "malformed");
    let time = [0x40; 8];
    check(127, &[&[0, 0, 17, 0, 3, 0, 0, 0], &time, &[0x20]], &on_air(&[0, 0]), V4);
    let two_words = [0, 0, 25, 0, 3, 0, 0, 0x80, 0, 0, 0, 0, 0x40, 0x40, 0x40, 0x40];
    check(127, &[&two_words, &time, &[0x20]], &on_air(&[0, 0]), V4);
    check(127, &[&[0, 0, 8, 0, 2, 0, 0, 0]], plain, "malformed");
    check(127, &[&[0, 0, 8, 0, 0, 0, 0, 0x80]], plain, "malformed");
    check(127, &[&[0, 0, 4, 0]], plain, "malformed");
    check(127, &[&[0, 0, 0xff, 0xff]], plain, "cut_header");
    check(192, &[&[0, 0, 8, 0, 105, 0, 0, 0]], plain, V4);
    check(192, &[&[0, 0, 12, 0, 101, 0, 0, 0, 9, 9, 9, 9]], &packet, V4);
    check(192, &[&[0, 0, 8, 0, 192, 0, 0, 0]], plain, "malformed");
}

#[test]
fn headers_that_end_early_or_never_are_told_from_other_protocols() {
    let ethernet =
        |ethertype, inner: &[u8]| text(LinkType::Ethernet, &ethernet(&[], ethertype, inner));
    let label = [0, 1, 0, 64];
    assert_eq!(ethernet(0x8847, &label.repeat(7)), "cut_header");
    assert_eq!(ethernet(0x8847, &label.repeat(8)), "malformed");
    assert_eq!(ethernet(0x8847, &[0, 1, 1, 64, 0x10, 0, 0, 0]), "not_ip");
    assert_eq!(ethernet(0x8847, &[0, 1, 1, 64, 0, 0, 0, 0]), "cut_header");
    assert_eq!(ethernet(40, &[0xaa, 0xaa, 3, 0, 0]), "cut_header");
    assert_eq!(ethernet(40, &[0x42, 0x42, 3, 0, 0, 0, 0, 0]), "not_ip");
    assert_eq!(ethernet(40, &[0xaa, 0xaa, 3, 0, 0, 0xc, 1, 1]), "not_ip");
    assert_eq!(ethernet(40, &[0xaa, 0xaa, 3, 0, 0, 0, 0, 40].repeat(6)), "malformed");
    let bridged = [&[0xaa, 0xaa, 3, 0, 0x80, 0xc2, 0, 7, 0, 0][..], &[2; 12], &[0, 0]].concat();
    assert_eq!(ethernet(40, &bridged.repeat(40_000)), "malformed");
    let named = [&[0x89, 0x03, 0, 1][..], &[2; 12]].concat();
    assert_eq!(ethernet(0x8903, &named.repeat(6)[2..]), "malformed");
    assert_eq!(ethernet(0x8864, &[0x11, 0, 0, 1, 0, 66, 0]), "cut_header");
    assert_eq!(ethernet(0x8864, &[0x11, 0, 0, 1, 0, 66, 0xc0, 0x21]), "not_ip");
    assert_eq!(text(LinkType::PfLog, &[61, 2, 0, 0]), "cut_header");
    assert_eq!(text(LinkType::Serial, &[0xff]), "cut_header");
}
