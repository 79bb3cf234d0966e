//! Datagrams cut into fragments, and what comes of them.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::super::fragments::{DATAGRAMS, PIECES};
use super::{Decoder, Frame, LinkType, Timestamp, V4, ipv4, ipv6, tcp};

/// A fragment of the datagram `identification` that holds a TCP packet: octets `start` to `end`.
fn fragment(identification: u8, packet: &[u8], start: usize, end: usize) -> Vec<u8> {
    let place = u16::try_from(start / 8).unwrap() | if end < packet.len() { 0x2000 } else { 0 };
    let mut fragment = ipv4(6, place, &packet[start..end]);
    fragment[5] = identification;
    fragment
}

fn fragment_v6(packet: &[u8], start: usize, end: usize) -> Vec<u8> {
    let place = u16::try_from(start).unwrap() | u16::from(end < packet.len());
    let [high, low] = place.to_be_bytes();
    ipv6(44, &[&[6, 0, high, low, 0, 0, 0, 9][..], &packet[start..end]].concat())
}

/// What comes of a frame `seconds` after the first: the payload, or why there is none.
fn take(decoder: &mut Decoder, seconds: u64, data: &[u8]) -> String {
    let wire_length = u32::try_from(data.len()).unwrap();
    let time = Timestamp((1000 + seconds) * 1_000_000_000);
    let frame = Frame { time, interface: 3, link: LinkType::RawIp, data, wire_length };
    match decoder.segment(&frame) {
        Ok(segment) => {
            assert_eq!(segment.payload.len(), segment.payload_length as usize);
            String::from_utf8_lossy(segment.payload).into_owned()
        }
        Err(skipped) => skipped.name().to_owned(),
    }
}

/// Hands the parts of a packet of 24 octets of header and 26 of text on, each from one octet to
/// another, and expects what comes of them, in order.
#[track_caller]
fn check(parts: &[(usize, usize)], expected: &[&str]) {
    let packet = tcp(b"abcdefghijklmnopqrstuvwxyz");
    for cut in [|p: &[u8], from, to| fragment(7, p, from, to), fragment_v6] {
        let mut decoder = Decoder::default();
        let came: Vec<_> = parts
            .iter()
            .map(|(from, to)| take(&mut decoder, 0, &cut(&packet, *from, *to)))
            .collect();
        assert_eq!(came, expected, "{parts:?}");
        let pieces: BTreeSet<_> = parts.iter().collect();
        let joined =
            if came.last().is_some_and(|came| came == WHOLE) { pieces.len() - 1 } else { 0 };
        assert_eq!(decoder.take_joined(), joined as u64, "{parts:?}");
    }
}

const WHOLE: &str = "abcdefghijklmnopqrstuvwxyz";

#[test]
fn the_last_fragment_to_come_makes_the_whole() {
    check(&[(0, 24), (24, 50)], &["fragment", WHOLE]);
    check(&[(24, 50), (0, 24)], &["fragment", WHOLE]);
    check(&[(8, 16), (48, 50), (0, 8), (16, 48)], &["fragment", "fragment", "fragment", WHOLE]);
    check(&[(0, 24), (0, 24), (24, 50)], &["fragment", "fragment", WHOLE]);
    check(&[(0, 24), (32, 50)], &["fragment", "fragment"]);
    check(&[(0, 50)], &[WHOLE]);
}

#[test]
fn fragments_that_contradict_each_other_give_nothing() {
    let refused = ["fragment", "malformed", "malformed"];
    check(&[(0, 24), (16, 50), (24, 50)], &refused);
    check(&[(24, 50), (0, 32), (0, 24)], &refused);
    check(&[(0, 24), (8, 16), (24, 50)], &refused);
    check(&[(0, 24), (24, 43), (24, 50)], &refused);
    check(&[(0, 24), (24, 24), (24, 50)], &refused);
    let mut decoder = Decoder::default();
    let packet = tcp(WHOLE.as_bytes());
    take(&mut decoder, 0, &fragment(7, &packet[..40], 16, 40));
    assert_eq!(take(&mut decoder, 0, &fragment(7, &packet, 40, 48)), "malformed", "behind the end");
    take(&mut decoder, 0, &fragment(8, &packet, 40, 48));
    assert_eq!(take(&mut decoder, 0, &fragment(8, &packet[..40], 16, 40)), "malformed");
    let last = ipv4(6, 0x1fff, &packet);
    assert_eq!(take(&mut decoder, 0, &last), "malformed", "longer than any datagram");
}

#[test]
fn what_is_waited_for_is_bounded() {
    let packet = tcp(WHOLE.as_bytes());
    let (start, end) = (fragment(7, &packet, 0, 24), fragment(7, &packet, 24, 50));
    let mut decoder = Decoder::default();
    take(&mut decoder, 0, &start);
    assert_eq!(take(&mut decoder, 29, &end), WHOLE);
    take(&mut decoder, 40, &start);
    assert_eq!(take(&mut decoder, 70, &end), "fragment", "came too late");
    let mut decoder = Decoder::default();
    for identification in 0..=DATAGRAMS {
        let name = u8::try_from(identification).unwrap();
        take(&mut decoder, 0, &fragment(name, &packet, 0, 24));
    }
    assert_eq!(take(&mut decoder, 0, &fragment(0, &packet, 24, 50)), "fragment", "made room");
    assert_eq!(take(&mut decoder, 0, &fragment(2, &packet, 24, 50)), WHOLE);
    let long = tcp(&[b'x'; 8 * PIECES]);
    let come = |piece| take(&mut decoder, 0, &fragment(99, &long, 8 * piece, 8 * piece + 8));
    assert_eq!((0..=PIECES).map(come).filter(|came| came == "malformed").count(), 1);
}

#[test]
fn a_fragment_that_the_capture_cut_is_lost() {
    let packet = tcp(WHOLE.as_bytes());
    let (start, end) = (fragment(7, &packet, 0, 24), fragment(7, &packet, 24, 50));
    let mut decoder = Decoder::default();
    let wire_length = u32::try_from(start.len()).unwrap();
    let (time, data) = (Timestamp(5), &start[..start.len() - 1]);
    let cut = Frame { time, interface: 3, link: LinkType::RawIp, data, wire_length };
    assert_eq!(decoder.segment(&cut).unwrap_err().name(), "fragment");
    assert_eq!(take(&mut decoder, 0, &end), "fragment");
    assert_eq!(super::text(LinkType::RawIp, &ipv4(6, 0, &tcp(b"hi"))), V4, "no fragment at all");
}

proptest! {
    /// However it is cut, and in whatever order the parts come, the packet is the same.
    #[test]
    fn any_cut_in_any_order_gives_the_packet(
        cuts in prop::collection::btree_set(1_usize..130, 1..20),
        seed in prop::collection::vec(any::<u16>(), 21),
    ) {
        let text: String = ('a'..='z').cycle().take(1024).collect();
        let packet = tcp(text.as_bytes());
        let ends: Vec<_> = cuts.iter().map(|cut| cut * 8).chain([packet.len()]).collect();
        let starts = [0].into_iter().chain(ends.iter().copied());
        let mut parts: Vec<_> = starts.zip(ends.iter().copied()).zip(seed).collect();
        parts.sort_by_key(|(_, order)| *order);
        let mut decoder = Decoder::default();
        let came: Vec<_> = parts
            .iter()
            .map(|((start, end), _)| take(&mut decoder, 0, &fragment(1, &packet, *start, *end)))
            .collect();
        let (last, before) = came.split_last().unwrap();
        prop_assert_eq!(last, &text);
        prop_assert!(before.iter().all(|came| came == "fragment"));
    }
}
