//! Input made to exhaust the engine: it stays within its limits and the rest goes on.

use super::{check, line, replay};
use crate::http::{
    Allowance, BodyPolicies, BodyPolicy, Coverage, Engine, Exchange, Limits, Observation, Options,
};
use crate::tcp::wire::Wire;

#[test]
fn a_head_without_end_is_cut_and_said_to_be() {
    let mut wire = Wire::open().client("GET /long HTTP/1.1\r\n");
    for _ in 0..100 {
        wire = wire.client(format!("X: {}\r\n", "y".repeat(1000)));
    }
    let (exchanges, engine) = replay(&wire, Options::default());
    let exchange = &exchanges[0];
    assert_eq!(line(exchange), "GET /long ?/65536~ -> - ?truncated !head_too_long");
    assert_eq!(exchange.request.as_ref().unwrap().headers.iter().count(), 65);
    assert_eq!(engine.counters().long_heads, 1);
}

/// 100 MiB for 100 000 connections, of which the allocator and the index want their share.
const _: () = assert!(Engine::CONNECTION_SIZE <= 880);

#[test]
fn heads_that_never_end_make_room_for_those_that_do() {
    let limits = Limits { head_octets: 1 << 20, ..Limits::default() };
    let mut engine = Engine::new(Options { limits, ..Options::default() });
    let mut exchanges = 0;
    for port in 1..10_000 {
        let mut wire = Wire::open();
        wire.client.set_port(port);
        let wire = wire.client("GET / HTTP/1.1\r\n").client("X: y\r\n".repeat(100));
        for segment in wire.segments() {
            engine.segment(&segment, &mut |_| exchanges += 1);
        }
        assert!(engine.buffered() <= (1 << 20) + 1024);
    }
    assert!(exchanges > 8000, "{exchanges}");
    assert_eq!(engine.counters().head_evictions, exchanges);
}

/// Whole heads, of which a body or an answer is awaited that never comes: one a connection, many,
/// and many that are small.
#[test]
fn heads_that_wait_make_room_for_those_that_do_not() {
    let limits = Limits { head_octets: 1 << 20, ..Limits::default() };
    let long = format!("X: {}\r\n", "y".repeat(30_000));
    let post = format!("POST / HTTP/1.1\r\nContent-Length: 1000\r\n{long}\r\n");
    let get = format!("GET / HTTP/1.1\r\n{long}\r\n");
    for (request, pipelined) in [(&*post, 1), (&*get, 100), ("GET / HTTP/1.1\r\n\r\n", 100)] {
        let mut engine = Engine::new(Options { limits, ..Options::default() });
        let mut exchanges = 0;
        for port in 1..100 {
            let mut wire = Wire::open();
            wire.client.set_port(port);
            let wire = (0..pipelined).fold(wire, |wire, _| wire.client(request));
            for segment in wire.segments() {
                engine.segment(&segment, &mut |_| exchanges += 1);
                assert!(engine.buffered() <= 1 << 20, "{}", engine.buffered());
            }
        }
        assert!(engine.counters().head_evictions > 0 && exchanges > 50, "{exchanges}");
        engine.finish(&mut |_| exchanges += 1);
        assert_eq!((exchanges, engine.buffered()), (99 * pipelined, 0));
    }
}

#[test]
fn chunk_extensions_and_trailers_without_end_break_the_body() {
    let head = "POST /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
    let extension = format!("{head}1;{}", "e".repeat(20_000));
    check(
        &Wire::open().client(extension).close(),
        &["POST /x 0/16433~ -> - ?truncated !bad_chunk_size"],
    );
    let trailer = format!("{head}0\r\n{}", "A: b\r\n".repeat(20_000));
    let wire = Wire::open().client(trailer).close();
    check(&wire, &["POST /x 0/65588~ -> - ?truncated !trailer_too_long"]);
}

#[test]
fn requests_nobody_answers_do_not_pile_up() {
    let mut wire = Wire::open();
    for id in 0..1000 {
        wire = wire.client(format!("GET /{id} HTTP/1.1\r\n\r\n"));
    }
    let (exchanges, engine) = replay(&wire, Options::default());
    assert_eq!(exchanges.len(), 1000);
    assert_eq!(engine.counters().pipeline_overflows, 872);
}

#[test]
fn a_body_of_any_length_takes_no_memory() {
    let mut wire = Wire::open().client("POST /big HTTP/1.1\r\nContent-Length: 10737418240\r\n\r\n");
    wire.push(crate::tcp::wire::From::Client, 0x10, &[b'x'; 1000]);
    let mut engine = Engine::new(Options::default());
    let mut sink = |_| {};
    for segment in wire.segments() {
        engine.segment(&segment, &mut sink);
    }
    let mut packet = wire.packets.pop().unwrap();
    for _ in 0..100_000 {
        packet.sequence = packet.sequence.wrapping_add(1000);
        wire.packets = vec![packet.clone()];
        for segment in wire.segments() {
            engine.segment(&segment, &mut sink);
        }
    }
    assert_eq!(engine.buffered(), 51 + 16, "the head and where its field is");
    assert_eq!(engine.tcp_counters().delivered_octets, 100_001_000 + 51);
}

/// A client whose bodies never end, and another that comes after it.
#[test]
fn bodies_that_never_end_leave_memory_to_those_of_others() {
    let contents = Allowance::new(100_000);
    let bodies = BodyPolicies::all(BodyPolicy { sha256: false, content_cap: 1 << 20 });
    let mut engine = Engine::new(Options { contents, bodies, ..Options::default() });
    let mut exchanges = Vec::new();
    let mut post = |client: [u8; 4], port, sent: usize| {
        let mut wire = Wire::open();
        wire.client = (client, port).into();
        let mut wire = wire.client("POST / HTTP/1.1\r\nContent-Length: 30000\r\n\r\n");
        for _ in 0..sent {
            wire = wire.client("x".repeat(1000));
        }
        for segment in wire.segments() {
            engine.segment(&segment, &mut |observation| exchanges.push(observation));
        }
    };
    (1..=50).for_each(|port| post([192, 0, 2, 1], port, 29));
    post([192, 0, 2, 2], 1, 30);
    assert_eq!(engine.counters().unkept_contents, 49);
    engine.finish(&mut |observation| exchanges.push(observation));
    let body = |observation: &Observation| {
        let Observation::Exchange(exchange) = observation else { panic!("{observation:?}") };
        exchange.request.as_ref().unwrap().body.clone()
    };
    let bodies: Vec<_> = exchanges.iter().map(body).collect();
    let whole: Vec<_> = bodies.iter().filter(|body| !body.truncated).collect();
    assert_eq!((bodies.len(), whole.len()), (51, 1));
    assert_eq!(whole[0].content.as_ref().map(bytes::Bytes::len), Some(30_000));
    assert!(!whole[0].unkept);
}

#[test]
fn a_body_that_finds_no_memory_was_not_cut() {
    let contents = Allowance::new(100);
    let bodies = BodyPolicies::all(BodyPolicy { sha256: true, content_cap: 1 << 20 });
    let wire =
        Wire::open().client(format!("POST / HTTP/1.1\r\nContent-Length: 60\r\n\r\n{:60}", "x"));
    let (exchanges, _) = replay(&wire.close(), Options { contents, bodies, ..Options::default() });
    let body = &exchanges[0].request.as_ref().unwrap().body;
    assert!(body.unkept && !body.truncated && body.content.is_none() && body.sha256.is_some());
}

/// What comes in answer to a request that was put out for want of room is passed over.
#[test]
fn requests_behind_more_than_are_kept_have_their_answers() {
    let answer = |id: usize| format!("HTTP/1.1 200 {id}\r\nContent-Length: 2\r\n\r\nok");
    let get = |id: usize| format!("GET /{id} HTTP/1.1\r\n\r\n");
    let all = |turn: &dyn Fn(usize) -> String| (0..150).map(turn).collect::<String>();
    let first = answer(0).split_at(38).0.to_owned();
    let rest = all(&answer).split_off(38);
    let whole = Wire::open().client(all(&get)).server(all(&answer));
    let split = Wire::open().client(get(0)).server(first);
    let split = split.client(all(&get).split_off(get(0).len())).server(rest);
    for (wire, given_up) in [(whole, 0..22), (split, 1..23)] {
        let wire = wire.client(get(150)).server(answer(150)).close();
        let (exchanges, engine) = replay(&wire, Options::default());
        assert_eq!(engine.counters().pipeline_overflows, 22);
        for exchange in &exchanges {
            let request = exchange.request.as_ref().map(|request| request.target.clone());
            let id = request.and_then(|target| String::from_utf8_lossy(&target[1..]).parse().ok());
            let is_given_up = id.is_none_or(|id: usize| given_up.contains(&id));
            let is_alone = exchange.request.is_none() || exchange.response.is_none();
            assert_eq!(is_alone, is_given_up, "{}", line(exchange));
            assert_eq!(exchange.coverage.has(Coverage::TRUNCATED), is_given_up);
        }
        let is_answered = |exchange: &&Exchange| exchange.response.is_some();
        assert_eq!(exchanges.len(), 151 + 22);
        assert_eq!(exchanges.iter().filter(is_answered).count(), 151);
    }
}
