//! What holds for any conversation: it may be cut, shuffled and repeated without a difference, and
//! what is lost leaves a mark and nothing made up.

use proptest::prelude::*;
use proptest::sample::Index;

use super::{line, replay};
use crate::capture::Timestamp;
use crate::http::{BodyPolicies, BodyPolicy, Coverage, Exchange, Options, PortFilter};
use crate::tcp::wire::{From, Packet, Wire};

/// How a body is framed.
#[derive(Debug, Clone, Copy)]
enum Shape {
    None,
    Length,
    Chunked,
}

/// One request and its response.
#[derive(Debug, Clone)]
struct Plan {
    post: bool,
    request: (Shape, usize),
    interim: bool,
    response: (Shape, usize),
    status: u16,
    /// Whether bodies hold whole messages.
    tempting: bool,
}

fn shape() -> impl Strategy<Value = Shape> {
    prop_oneof![Just(Shape::None), Just(Shape::Length), Just(Shape::Chunked)]
}

fn plan() -> impl Strategy<Value = Plan> {
    let plan = (
        any::<bool>(),
        (shape(), 0_usize..200),
        any::<bool>(),
        (shape(), 0_usize..200),
        prop_oneof![Just(200_u16), Just(204), Just(404), Just(500)],
    );
    plan.prop_map(|(post, request, interim, response, status)| Plan {
        post,
        request,
        interim,
        response,
        status,
        tempting: false,
    })
}

fn plans() -> impl Strategy<Value = Vec<Plan>> {
    prop::collection::vec(plan(), 1..6)
}

/// A field and the body it announces. The body looks like messages, to tempt a reader who lost its
/// place; but for the most `tempting`, they lack the version that would make them credible.
fn body(shape: Shape, length: usize, tempting: bool) -> String {
    let text = if tempting {
        "GET /made-up HTTP/1.1\r\n\r\nHTTP/1.1 404 Made up\r\n\r\n"
    } else {
        "GET /made-up\r\nPOST /up\r\n"
    };
    let text: String = text.chars().cycle().take(length).collect();
    match shape {
        Shape::None => "Content-Length: 0\r\n\r\n".to_owned(),
        Shape::Length => format!("Content-Length: {length}\r\n\r\n{text}"),
        Shape::Chunked => {
            let chunks: String = text
                .as_bytes()
                .chunks(50)
                .map(|part| format!("{:x}\r\n{}\r\n", part.len(), String::from_utf8_lossy(part)))
                .collect();
            format!("Transfer-Encoding: chunked\r\n\r\n{chunks}0\r\n\r\n")
        }
    }
}

fn request(id: usize, plan: &Plan) -> String {
    if plan.post {
        let (shape, length) = plan.request;
        format!("POST /{id} HTTP/1.1\r\nX-Id: {id}\r\n{}", body(shape, length, plan.tempting))
    } else {
        format!("GET /{id} HTTP/1.1\r\nX-Id: {id}\r\n\r\n")
    }
}

fn response(id: usize, plan: &Plan) -> String {
    let interim = if plan.interim { "HTTP/1.1 100 Continue\r\n\r\n" } else { "" };
    let (shape, length) = plan.response;
    let rest =
        if plan.status == 204 { "\r\n".to_owned() } else { body(shape, length, plan.tempting) };
    format!("{interim}HTTP/1.1 {} X\r\nX-Id: {id}\r\n{rest}", plan.status)
}

/// Says `text` in segments that end at the cuts.
fn say(mut wire: Wire, from: From, text: &str, cuts: &[Index]) -> Wire {
    let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(text.len())).collect();
    places.extend([0, text.len()]);
    places.sort_unstable();
    for part in places.windows(2).filter(|part| part[0] < part[1]) {
        wire.push(from, 0x10, &text.as_bytes()[part[0]..part[1]]);
    }
    wire
}

/// The conversation on the wire: one exchange after the other, or every request first.
fn wire(plans: &[Plan], pipelined: bool, cuts: &[Index]) -> Wire {
    let mut wire = Wire::open();
    let all = |turn: fn(usize, &Plan) -> String| -> String {
        plans.iter().enumerate().map(|(id, plan)| turn(id, plan)).collect()
    };
    if pipelined {
        wire = say(wire, From::Client, &all(request), cuts);
        wire = say(wire, From::Server, &all(response), cuts);
    } else {
        for (id, plan) in plans.iter().enumerate() {
            wire = say(wire, From::Client, &request(id, plan), cuts);
            wire = say(wire, From::Server, &response(id, plan), cuts);
        }
    }
    wire.close()
}

/// Two requests, then at each of the `turns` a request, or a response to one that waits for it;
/// each in a segment.
fn crossing(plans: &[Plan], turns: &[bool]) -> Wire {
    let mut wire = Wire::open();
    let (mut asked, mut answered) = (0, 0);
    let turns = [true, true].iter().chain(turns).chain([&false].into_iter().cycle());
    for ask in turns {
        if *ask && asked < plans.len() {
            wire = wire.client(request(asked, &plans[asked]));
            asked += 1;
        } else if answered < asked {
            wire = wire.server(response(answered, &plans[answered]));
            answered += 1;
        } else if asked == plans.len() {
            break;
        } else {
            wire = wire.client(request(asked, &plans[asked]));
            asked += 1;
        }
    }
    wire.close()
}

fn exchanges(wire: &Wire) -> Vec<Exchange> {
    let bodies = BodyPolicies::all(BodyPolicy { sha256: true, content_cap: 1000 });
    replay(wire, Options { bodies, ..Options::default() }).0
}

/// An exchange without its times, which depend on how it was cut into segments.
fn without_times(mut exchange: Exchange) -> Exchange {
    exchange.request.iter_mut().for_each(|request| request.started = Timestamp::default());
    exchange.response.iter_mut().for_each(|response| response.started = Timestamp::default());
    exchange
}

fn untimed(wire: &Wire) -> Vec<Exchange> {
    exchanges(wire).into_iter().map(without_times).collect()
}

/// The handshake's packets, which stay in front, and the others.
fn after_handshake(wire: &Wire) -> (Vec<Packet>, Vec<Packet>) {
    let (handshake, rest) = wire.packets.split_at(2);
    (handshake.to_vec(), rest.to_vec())
}

/// What the request and the response of an exchange are called.
pub(super) fn id_of(exchange: &Exchange) -> (Option<String>, Option<String>) {
    let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
    (
        exchange.request.as_ref().map(|request| text(&request.target)),
        exchange
            .response
            .as_ref()
            .and_then(|response| response.headers.first("x-id").map(|id| format!("/{}", text(id)))),
    )
}

proptest! {
    #[test]
    fn every_exchange_is_seen_in_full(plans in plans(), pipelined: bool) {
        let seen = exchanges(&wire(&plans, pipelined, &[]));
        prop_assert_eq!(seen.len(), plans.len());
        for (id, exchange) in seen.iter().enumerate() {
            let expected = Some(format!("/{id}"));
            prop_assert_eq!(id_of(exchange), (expected.clone(), expected));
            prop_assert!(exchange.coverage.is_full() && exchange.anomalies.is_empty());
        }
    }

    #[test]
    fn cuts_make_no_difference(
        plans in plans(),
        pipelined: bool,
        cuts in prop::collection::vec(any::<Index>(), 0..40),
    ) {
        let whole = untimed(&wire(&plans, pipelined, &[]));
        prop_assert_eq!(untimed(&wire(&plans, pipelined, &cuts)), whole);
    }

    #[test]
    fn order_and_repetition_make_no_difference(
        plans in plans(),
        pipelined: bool,
        cuts in prop::collection::vec(any::<Index>(), 0..8),
        moves in prop::collection::vec((any::<Index>(), any::<Index>(), any::<bool>()), 0..30),
    ) {
        let ordered = wire(&plans, pipelined, &cuts);
        let (mut packets, mut rest) = after_handshake(&ordered);
        for (from, to, repeat) in moves {
            let packet = rest[from.index(rest.len())].clone();
            if !repeat {
                rest.remove(from.index(rest.len()));
            }
            rest.insert(to.index(rest.len() + 1), packet);
        }
        packets.extend(rest);
        let shuffled = ordered.with(packets);
        prop_assert_eq!(exchanges(&shuffled), exchanges(&ordered));
    }

    #[test]
    fn loss_leaves_a_mark_and_nothing_made_up(
        plans in plans(),
        pipelined: bool,
        cuts in prop::collection::vec(any::<Index>(), 0..8),
        lost in prop::collection::vec(any::<Index>(), 1..8),
    ) {
        let whole = wire(&plans, pipelined, &cuts);
        let (handshake, mut rest) = after_handshake(&whole);
        lose(&mut rest, &lost);
        let left = whole.with([handshake, rest].concat());
        check_part(&exchanges(&left), &exchanges(&whole))?;
    }

    #[test]
    fn what_is_found_in_the_body_of_a_lost_message_is_marked(
        mut plans in plans(),
        cuts in prop::collection::vec(any::<Index>(), 0..8),
        lost in prop::collection::vec(any::<Index>(), 1..8),
    ) {
        plans.iter_mut().for_each(|plan| plan.tempting = true);
        let whole = wire(&plans, false, &cuts);
        let (handshake, mut rest) = after_handshake(&whole);
        lose(&mut rest, &lost);
        let truth = exchanges(&whole);
        for seen in exchanges(&whole.with([handshake, rest].concat())) {
            let (request, response) = id_of(&seen);
            let id = request.or(response);
            let original = truth.iter().find(|t| id_of(t).0 == id);
            let is_part = original.is_some_and(|original| is_part_of(&seen, original));
            prop_assert!(is_part || seen.coverage.has(Coverage::GAP), "{}", line(&seen));
        }
    }

    /// Of a client that was seen to pipeline, while requests and responses cross in any way.
    #[test]
    fn loss_gives_no_request_the_answer_to_another(
        plans in prop::collection::vec(plan(), 3..12),
        turns in prop::collection::vec(any::<bool>(), 0..30),
        lost in prop::collection::vec(any::<Index>(), 1..4),
    ) {
        let whole = crossing(&plans, &turns);
        let (kept, rest) = whole.packets.split_at(4);
        let mut rest = rest.to_vec();
        lose(&mut rest, &lost);
        let left = whole.with([kept, &rest].concat());
        check_part(&exchanges(&left), &exchanges(&whole))?;
    }
}

/// Takes packets out.
pub(super) fn lose(packets: &mut Vec<Packet>, lost: &[Index]) {
    for index in lost {
        if !packets.is_empty() {
            packets.remove(index.index(packets.len()));
        }
    }
}

/// Whether what was seen of a conversation of which packets were lost is part of the `truth`.
fn check_part(left: &[Exchange], truth: &[Exchange]) -> Result<(), TestCaseError> {
    let all: Vec<String> = left.iter().map(line).collect();
    for seen in left {
        let (request, response) = id_of(seen);
        if let (Some(request), Some(response)) = (&request, &response) {
            prop_assert_eq!(request, response, "{:#?}", all);
        }
        let id = request.or(response);
        let original = id.and_then(|id| truth.iter().find(|t| id_of(t).0.as_ref() == Some(&id)));
        if let Some(original) = original {
            prop_assert!(is_part_of(seen, original), "{} of {}", line(seen), line(original));
        } else {
            prop_assert!(seen.coverage.has(Coverage::GAP), "{}", line(seen));
        }
    }
    Ok(())
}

/// Octets that are HTTP in places.
fn noise() -> impl Strategy<Value = Vec<u8>> {
    let words: &[&[u8]] = &[
        b"GET / HTTP/1.1\r\n",
        b"POST /p HTTP/1.0\n",
        b"CONNECT a:1 HTTP/1.1\r\n",
        b"HEAD * HTTP/2.0\r\n",
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 100 C\r\n",
        b"HTTP/1.1 101 S\r\n",
        b"HTTP/1.1 304 N\r\n",
        b"PROXY TCP4 1.2.3.4 5.6.7.8 9 10\r\n",
        b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c",
        b"Content-Length: 7\r\n",
        b"Content-Length: 99999999999999999999\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b" folded\r\n",
        b"\r\n",
        b"\n",
        b"5\r\nhello\r\n",
        b"fffffffffffffff\r\n",
        b"0\r\n\r\n",
        b"\0",
        b":",
    ];
    let part = prop_oneof![
        4 => prop::sample::select(words).prop_map(<[u8]>::to_vec),
        1 => prop::collection::vec(any::<u8>(), 0..20),
    ];
    prop::collection::vec(part, 0..8).prop_map(|parts| parts.concat())
}

/// A segment somewhere near where its stream is, with any flags.
fn any_packet() -> impl Strategy<Value = Packet> {
    let near = prop_oneof![4 => -60_i32..60, 1 => any::<i32>()];
    let flags = prop_oneof![4 => Just(0x10_u8), 1 => any::<u8>()];
    let snap = prop_oneof![4 => Just(0_u32), 1 => 0_u32..100];
    (any::<bool>(), near.clone(), near, flags, noise(), snap, 0_u64..400_000_000_000).prop_map(
        |(client, sequence, acknowledgement, flags, payload, snap, pause)| {
            let length = u32::try_from(payload.len()).unwrap();
            Packet {
                skipped: false,
                // A quarter of the pauses are long enough to run into a time-out.
                time: if pause > 300_000_000_000 { pause } else { pause % 1_000_000 },
                from: if client { From::Client } else { From::Server },
                sequence: sequence.cast_unsigned(),
                acknowledgement: acknowledgement.cast_unsigned(),
                flags,
                payload,
                payload_length: length + snap,
            }
        },
    )
}

proptest! {
    #[test]
    fn no_segments_make_it_panic_or_lose_count(
        mut packets in prop::collection::vec(any_packet(), 0..30),
        watched: bool,
    ) {
        let mut clock = 0;
        for packet in &mut packets {
            clock += packet.time;
            packet.time = clock;
        }
        let wire = Wire::midstream().with(packets);
        let ports = if watched { PortFilter::Only([80].into()) } else { PortFilter::Any };
        let bodies = BodyPolicies::all(BodyPolicy { sha256: true, content_cap: 10 });
        let (exchanges, engine) = replay(&wire, Options { ports, bodies, ..Options::default() });
        prop_assert_eq!(engine.open_flows(), 0);
        prop_assert_eq!(engine.buffered(), 0);
        for exchange in exchanges {
            prop_assert!(exchange.request.is_some() || exchange.response.is_some());
        }
    }
}

/// Whether `seen` says nothing that `original` does not, and is marked where it says less.
fn is_part_of(seen: &Exchange, original: &Exchange) -> bool {
    let whole = seen.coverage.is_full();
    let request = seen.request.as_ref().is_none_or(|request| {
        let truth = original.request.as_ref().unwrap();
        request.method == truth.method
            && request.body.bytes <= truth.body.bytes
            && (!whole || (request.body == truth.body && request.headers == truth.headers))
            && request.headers.iter().all(|field| truth.headers.iter().any(|other| other == field))
    });
    let response = seen.response.as_ref().is_none_or(|response| {
        let truth = original.response.as_ref().unwrap();
        response.status == truth.status
            && response.body.bytes <= truth.body.bytes
            && (!whole || (response.body == truth.body && response.headers == truth.headers))
            && response.headers.iter().all(|field| truth.headers.iter().any(|other| other == field))
    });
    request && response && seen.anomalies.is_empty()
}
