//! What holds for any octets: how a side's words are cut into segments changes nothing of what is
//! made of them, where none is missing.

use std::fmt;

use proptest::prelude::*;
use proptest::sample::Index;

use super::{check, line};
use crate::http::{
    BodyPolicies, BodyPolicy, Coverage, Engine, Exchange, Observation, Options, PortFilter,
};
use crate::tcp::wire::{From, Wire};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

/// What one side says before the other speaks, and where it is cut.
#[derive(Clone)]
struct Turn {
    from: From,
    octets: Vec<u8>,
    cuts: Vec<Index>,
}

impl fmt::Debug for Turn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} b\"{}\"", self.from, self.octets.escape_ascii())
    }
}

/// Pieces of messages, whole and broken, and what is found between them.
fn pieces(words: &'static [&'static [u8]]) -> impl Strategy<Value = Vec<u8>> {
    const COMMON: &[&[u8]] = &[
        b"Content-Length: 5\r\n",
        b"Content-Length: 0\r\n",
        b"Content-Length: x\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"Connection: close\r\n",
        b" folded\r\n",
        b"no colon\r\n",
        b"\r\n\r\n",
        b"\r\n",
        b"\n",
        b"\r",
        b"5\r\nhello\r\n",
        b"hello",
        b"0\r\n\r\n",
        b"fffffffffffffffff\r\n",
        b"3;x\nabc\n",
        b"7",
        b" ",
        b"\0",
        b"garbage\r\n",
        b"XX yy\r\n",
        b"<html>",
        b"HTTP/",
    ];
    let piece = prop_oneof![
        3 => prop::sample::select(words),
        3 => prop::sample::select(COMMON),
    ];
    // Some stop short, which leaves the start of a word before whatever comes next.
    let piece = (piece, any::<Index>(), 0..6).prop_map(|(piece, end, cut)| {
        let end = if cut == 0 { end.index(piece.len() + 1) } else { piece.len() };
        piece[..end].to_vec()
    });
    prop::collection::vec(piece, 1..8).prop_map(|pieces| pieces.concat())
}

fn asked() -> impl Strategy<Value = Vec<u8>> {
    pieces(&[
        b"GET /a HTTP/1.1\r\n\r\n",
        b"GET /b HTTP/1.1\r\n",
        b"POST /c HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello",
        b"POST /d HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HEAD /e HTTP/1.0\n\n",
        b"PUT /k HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n",
        b"CONNECT a:1 HTTP/1.1\r\n\r\n",
        b"GET /f g HTTP/1.1\r\n",
        b"GET /h http/1.1\r\n",
        b"GET",
        b"FOOBAR /i HTTP/1.1\r\n",
        b"AMETHODTHATISLONGERTHANANYTHATIStaken /j HTTP/1.1\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"PROXY TCP4 192.0.2.1 10.0.0.1 5 80\r\n",
        b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\x01\x02\x03\x04\x0a\0\0\x01\0\x05\0\x50",
        b"\x16\x03\x01\0\x05\x01\0\0\x01\x03",
    ])
}

fn answered() -> impl Strategy<Value = Vec<u8>> {
    pieces(&[
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 201 OK\r\nContent-Length: 5\r\n\r\nhello",
        b"HTTP/1.1 400 No\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.0 404\n\n",
        b"HTTP/1.1 100 C\r\n\r\n",
        b"HTTP/1.1 101 S\r\n\r\n",
        b"HTTP/1.1 099 S\r\n\r\n",
        b"HTTP/1.1 200x\r\n",
        b"http/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 2000 OK\r\n\r\n",
        b"ICY 200 OK\r\n",
    ])
}

fn turn() -> impl Strategy<Value = Turn> {
    let said = prop_oneof![
        asked().prop_map(|octets| (From::Client, octets)),
        answered().prop_map(|octets| (From::Server, octets)),
    ];
    (said, prop::collection::vec(any::<Index>(), 0..12)).prop_map(|((from, octets), cuts)| Turn {
        from,
        octets,
        cuts,
    })
}

/// The turns on the wire, where all the segments of one are sent at the same moment.
fn wire(turns: &[Turn], cut: bool) -> Wire {
    let mut wire = Wire::open();
    for Turn { from, octets, cuts } in turns {
        let cuts = if cut { &cuts[..] } else { &[] };
        let mut places: Vec<_> = cuts.iter().map(|cut| cut.index(octets.len() + 1)).collect();
        places.extend([0, octets.len()]);
        places.sort_unstable();
        let (first, time) = (wire.packets.len(), wire.packets.last().map_or(0, |last| last.time));
        for part in places.windows(2).filter(|part| part[0] < part[1]) {
            wire.push(*from, 0x10, &octets[part[0]..part[1]]);
        }
        wire.packets[first..].iter_mut().for_each(|packet| packet.time = time + 1);
    }
    wire.close()
}

fn observations(turns: &[Turn], cut: bool, ports: PortFilter) -> Vec<Observation> {
    let wire = wire(turns, cut);
    let bodies = BodyPolicies::all(BodyPolicy { sha256: true, content_cap: 8 });
    let mut engine = Engine::new(Options { ports, bodies, ..Options::default() });
    let mut seen = Vec::new();
    for segment in wire.segments() {
        engine.segment(&segment, &mut |observation| seen.push(observation));
    }
    engine.finish(&mut |observation| seen.push(observation));
    seen
}

fn exchanges(observations: &[Observation]) -> impl Iterator<Item = &Exchange> {
    observations.iter().filter_map(|observation| match observation {
        Observation::Exchange(exchange) => Some(&**exchange),
        Observation::Opaque(_) | Observation::Skip(_) => None,
    })
}

proptest! {
    #[test]
    fn cuts_make_no_difference_to_any_octets(
        turns in prop::collection::vec(turn(), 1..6),
        watched: bool,
    ) {
        let ports = || if watched { PortFilter::Only([80].into()) } else { PortFilter::Any };
        let whole = observations(&turns, false, ports());
        let cut = observations(&turns, true, ports());
        let lines = |seen: &[Observation]| exchanges(seen).map(line).collect::<Vec<_>>();
        prop_assert_eq!(lines(&cut), lines(&whole));
        prop_assert_eq!(&cut, &whole);
        for exchange in exchanges(&whole) {
            let lacks_request = exchange.request.is_none();
            prop_assert!(lacks_request || !exchange.coverage.has(Coverage::GAP), "{}", line(exchange));
        }
    }
}

/// Both turns whole, and cut at every place.
#[track_caller]
fn check_cut(client: &str, server: &str, expected: &[&str]) {
    check(&Wire::open().client(client).server(server).close(), expected);
    for cut in 1..client.len() {
        let wire = Wire::open().client(&client[..cut]).client(&client[cut..]);
        check(&wire.server(server).close(), expected);
    }
    for cut in 1..server.len() {
        let wire = Wire::open().client(client).server(&server[..cut]);
        check(&wire.server(&server[cut..]).close(), expected);
    }
}

#[test]
fn a_line_that_is_no_start_line_is_passed_over_alone() {
    let get = "GET /a HTTP/1.1\r\n\r\n";
    check_cut(
        get,
        &format!("garbage\r\n{OK}"),
        &["GET /a 0/19 -> 200 0/38 !unrecognised_response"],
    );
    check_cut(
        get,
        "http/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        &["GET /a 0/19 -> 200 0/38 !bad_version"],
    );
    let behind =
        "POST /a HTTP/1.1\r\nContent-Length: 5\r\n\r\nhelloEXTRA\r\nGET /b HTTP/1.1\r\n\r\n";
    check_cut(behind, OK, &["POST /a 5/44 -> 200 0/38", "GET /b 0/19 -> - !unrecognised_request"]);
}

/// What a server makes of such a line is not known: it may answer to it, or to what follows.
#[test]
fn an_answer_behind_a_line_that_is_no_request_is_given_to_none() {
    let wire = Wire::open().client("XX yy\r\nGET /a HTTP/1.1\r\n\r\n");
    let ports = PortFilter::Only([80].into());
    let (exchanges, _) =
        super::replay(&wire.server(OK).close(), Options { ports, ..Options::default() });
    let lines: Vec<_> = exchanges.iter().map(line).collect();
    assert_eq!(
        lines,
        ["GET /a 0/19 -> - !unrecognised_request", "- -> 200 0/38 !unrecognised_request"]
    );
}
