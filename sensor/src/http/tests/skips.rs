//! What is left out of bodies that nobody needs, and that nothing else changes by it.

use proptest::prelude::*;

use super::{check, line, replay};
use crate::capture::{Segment, Timestamp};
use crate::http::{
    BodyPolicies, BodyPolicy, Engine, Exchange, Observation, Options, PortFilter, Skip,
};
use crate::tcp::wire::{From, Wire};

/// More than is worth skipping, with what the head's segment holds of it.
const LARGE: usize = 20_000;

/// How a connection ends.
#[derive(Debug, Clone, Copy)]
enum End {
    Close,
    Reset,
    Silence,
}

fn post(length: usize) -> String {
    format!("POST / HTTP/1.1\r\nContent-Length: {length}\r\n\r\n")
}

fn answer(length: usize) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n")
}

/// Leaves out what the kernel would, by what it was told so far.
fn left_out<'a>(skips: &[Skip], segment: &Segment<'a>) -> Segment<'a> {
    let ends = (segment.source, segment.destination);
    let last = skips.iter().rfind(|skip| (skip.source, skip.destination) == ends);
    let left = last.map_or(0, |skip| skip.until.wrapping_sub(segment.sequence));
    let skipped = left <= 1 << 30 && segment.payload_length > 0 && segment.payload_length <= left;
    let payload = if skipped { &[] } else { segment.payload };
    Segment { skipped, payload, ..segment.clone() }
}

/// What comes out where the kernel leaves out what it is told, and the octets that it left out.
fn skipping(wire: &Wire, options: Options) -> (Vec<Exchange>, u64) {
    let (mut exchanges, mut skips) = (Vec::new(), Vec::new());
    let mut engine = Engine::new(options);
    let mut sink = |observation, skips: &mut Vec<Skip>| match observation {
        Observation::Exchange(exchange) => exchanges.push(*exchange),
        Observation::Skip(skip) => skips.push(skip),
        Observation::Opaque(_) => {}
    };
    for segment in wire.segments() {
        let segment = left_out(&skips, &segment);
        engine.segment(&segment, &mut |observation| sink(observation, &mut skips));
    }
    engine.finish(&mut |observation| sink(observation, &mut skips));
    let left_out = engine.tcp_counters().skipped_octets;
    (exchanges, left_out)
}

/// Says octets in segments of so many.
fn say(mut wire: Wire, from: From, octets: &[u8], size: usize) -> Wire {
    for part in octets.chunks(size) {
        wire.push(from, 0x10, part);
    }
    wire
}

#[track_caller]
fn check_skips(wire: &Wire, options: Options, expected: &[&str], octets: u64) {
    let (exchanges, left_out) = skipping(wire, options);
    let lines: Vec<String> = exchanges.iter().map(line).collect();
    assert_eq!(lines, expected);
    assert_eq!(left_out, octets);
}

#[test]
fn the_rest_of_a_large_body_is_left_out() {
    let body = vec![b'x'; LARGE];
    let upload = || say(Wire::open().client(post(LARGE)), From::Client, &body, 1000);
    let whole = ["POST / 20000/20042 -> 200 0/38"];
    check_skips(&upload().server(answer(0)).close(), Options::default(), &whole, 20_000);
    check_skips(&upload().server(answer(0)).reset(), Options::default(), &whole, 20_000);
    // A segment that holds more than the rest of the body is copied whole.
    let more = [&body[..], post(0).as_bytes()].concat();
    let two = say(Wire::open().client(post(LARGE)), From::Client, &more, 1500);
    let two = two.server(answer(0)).server(answer(0)).close();
    let lines = [whole[0], "POST / 0/38 -> 200 0/38"];
    check_skips(&two, Options::default(), &lines, 19_500);
}

#[test]
fn what_answers_say_is_left_out() {
    let body = vec![b'x'; LARGE];
    let get = Wire::open().client("GET / HTTP/1.1\r\n\r\n").server(answer(LARGE));
    let wire = say(get, From::Server, &body, 1000).close();
    let lines = ["GET / 0/18 -> 200 20000/20042"];
    check_skips(&wire, Options::default(), &lines, 20_000);
}

#[test]
fn what_is_needed_or_small_is_not_left_out() {
    let body = vec![b'x'; LARGE];
    let upload = |length: usize| {
        let wire = Wire::open().client(post(length));
        say(wire, From::Client, &body[..length], 1000).server(answer(0)).close()
    };
    let of = |policy| Options { bodies: BodyPolicies::all(policy), ..Options::default() };
    let hashed = BodyPolicy { sha256: true, content_cap: 0 };
    let kept = BodyPolicy { sha256: false, content_cap: 1 };
    assert_eq!(skipping(&upload(LARGE), of(hashed)).1, 0);
    assert_eq!(skipping(&upload(LARGE), of(kept)).1, 0);
    assert_eq!(skipping(&upload(16_383), Options::default()).1, 0);
    assert_eq!(skipping(&upload(16_384), Options::default()).1, 16_384);
    let web = Options { ports: PortFilter::Any, ..Options::default() };
    assert_eq!(skipping(&upload(LARGE), web).1, 20_000);
}

/// Left out where a head is due, as after a restart: the octets are missing, and it is said so.
#[test]
fn what_was_left_out_of_anything_but_a_body_is_a_gap() {
    let head = "POST / HTTP/1.1\r\nContent-Length: 8\r\n";
    let wire = Wire::open().client(head).client("X-A: 1\r\n\r\n").skip().close();
    check(&wire, &["POST / ?/36~ -> - ?gap"]);
    let chunked = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n";
    let wire = Wire::open().client(chunked).client("abcde\r\n0\r\n\r\n").skip().close();
    check(&wire, &["POST / 0/50~ -> - ?gap"]);
}

fn ends() -> impl Strategy<Value = End> {
    prop_oneof![Just(End::Close), Just(End::Reset), Just(End::Silence)]
}

/// An exchange without its times, which tell when segments came that had to wait.
fn untimed(exchanges: Vec<Exchange>) -> Vec<Exchange> {
    let untimed = exchanges.into_iter().map(|mut exchange| {
        exchange.request.iter_mut().for_each(|request| request.started = Timestamp::default());
        exchange.response.iter_mut().for_each(|answer| answer.started = Timestamp::default());
        exchange
    });
    untimed.collect()
}

proptest! {
    /// Bodies of any size in segments of any size, sent again, out of order, cut short: records
    /// are those of the same connection copied up whole.
    #[test]
    fn records_are_the_same_without_what_nobody_needs(
        bodies in prop::collection::vec((0_usize..60_000, 0_usize..60_000), 1..4),
        size in 200_usize..9000,
        swaps in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
        again in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
        kept in any::<prop::sample::Index>(),
        end in ends(),
    ) {
        let mut wire = Wire::open();
        for (request, response) in bodies {
            let asked = [post(request).into_bytes(), vec![b'q'; request]].concat();
            let answered = [answer(response).into_bytes(), vec![b'a'; response]].concat();
            wire = say(wire, From::Client, &asked, size);
            wire = say(wire, From::Server, &answered, size);
        }
        for index in swaps {
            let at = 2 + index.index(wire.packets.len() - 2);
            if at + 1 < wire.packets.len() {
                wire.packets.swap(at, at + 1);
            }
        }
        for index in again {
            let at = 2 + index.index(wire.packets.len() - 2);
            let packet = wire.packets[at].clone();
            wire.packets.push(packet);
        }
        wire.packets.truncate(3 + kept.index(wire.packets.len()));
        let wire = match end {
            End::Close => wire.close(),
            End::Reset => wire.reset(),
            End::Silence => wire,
        };
        let whole = untimed(replay(&wire, Options::default()).0);
        prop_assert_eq!(untimed(skipping(&wire, Options::default()).0), whole);
    }
}
