//! Which request a response is given to where part of a connection was not captured.

use proptest::prelude::*;
use proptest::sample::Index;

use super::properties::{id_of, lose};
use super::{check, replay};
use crate::http::{Exchange, Options};
use crate::tcp::wire::{From, Wire};

fn get(id: usize) -> String {
    format!("GET /{id} HTTP/1.1\r\n\r\n")
}

fn ok(id: usize) -> String {
    format!("HTTP/1.1 20{id} OK\r\nContent-Length: 2\r\n\r\nok")
}

/// The last packet acknowledges `octets` less than its sender had received.
fn acknowledging_less(mut wire: Wire, octets: usize) -> Wire {
    let last = wire.packets.last_mut().unwrap();
    last.acknowledgement = last.acknowledgement.wrapping_sub(u32::try_from(octets).unwrap());
    wire
}

/// Behind the end of a body another request was sent before the answer to the first came.
#[test]
fn a_request_behind_one_that_began_before_the_capture_is_not_given_its_answer() {
    let tail = "the end of a body";
    let apart = Wire::midstream().client(tail).client(get(1));
    let together = Wire::midstream().client(format!("{tail}\r\n{}", get(1)));
    let alone = ["GET /1 0/19 -> - ?midstream", "- -> 200 2/40 ?midstream"];
    check(&apart.clone().server(ok(0)).close(), &alone);
    let unread = |wire: Wire| acknowledging_less(wire.server(ok(0)), get(1).len()).close();
    check(&unread(apart), &[alone[1], alone[0]]);
    check(&together.server(ok(0)), &["- -> 200 2/40 ?midstream"]);
    check(&unread(Wire::midstream().client(get(1))), &[alone[1], alone[0]]);
}

#[test]
fn a_response_that_nobody_asked_for_shows_that_its_client_did_not_wait() {
    let wire = Wire::midstream().client(get(1)).server(ok(0));
    let wire = acknowledging_less(wire, get(1).len()).server(ok(1));
    let expected =
        ["- -> 200 2/40 ?midstream", "GET /1 0/19 -> - ?midstream", "- -> 201 2/40 ?midstream"];
    check(&wire, &expected);
}

/// Each turn is one more reason to believe that the client waits.
#[test]
fn a_connection_picked_up_is_said_to_be_until_its_client_was_seen_to_wait() {
    let wire = (1..7).fold(Wire::midstream(), |wire, id| wire.client(get(id)).server(ok(id)));
    check(
        &wire,
        &[
            "GET /1 0/19 -> 201 2/40 ?midstream",
            "GET /2 0/19 -> 202 2/40 ?midstream",
            "GET /3 0/19 -> 203 2/40 ?midstream",
            "GET /4 0/19 -> 204 0/38 ?midstream !length_without_body",
            "GET /5 0/19 -> 205 2/40",
            "GET /6 0/19 -> 206 2/40",
        ],
    );
}

/// How many exchanges behind two that were pipelined lack their partners.
fn unpaired_behind(start: Wire, pipelined: usize) -> usize {
    let wire = (0..20).fold(start, |wire, _| wire.client(get(9)).server(ok(1)));
    let (exchanges, _) = replay(&wire.close(), Options::default());
    let is_alone = |exchange: &&Exchange| {
        exchange.request.as_ref().is_some_and(|request| &request.target[..] == b"/9")
            && exchange.response.is_none()
    };
    assert!(exchanges.len() >= 20 + pipelined);
    exchanges.iter().filter(is_alone).count()
}

#[test]
fn a_client_that_pipelined_is_trusted_again_when_it_was_seen_to_wait() {
    let pipelined = |wire: Wire| wire.client(get(1)).client(get(2));
    let answered = |wire: Wire| wire.server(ok(1)).server(ok(2));
    assert_eq!(unpaired_behind(answered(pipelined(Wire::open())), 2), 0);
    assert_eq!(unpaired_behind(answered(pipelined(Wire::midstream())), 2), 7);
    let lost = pipelined(Wire::open()).server(ok(1)).lose().server(ok(2));
    assert_eq!(unpaired_behind(lost, 2), 7);
}

/// A gap that holds one request at most leaves no doubt when that is answered.
#[test]
fn what_is_owed_is_counted() {
    let lost = Wire::open().client(get(1)).client(get(2)).lose().client(get(3));
    let lost = lost.server(ok(1)).server(ok(2)).server(ok(3));
    check(
        &lost,
        &["GET /1 0/19 -> 201 2/40", "- -> 202 2/40 ?gap", "GET /3 0/19 -> 203 2/40 ?gap"],
    );
}

/// Octets of a body before the answer, of the request and of the response; and whether the server
/// acknowledges all that it received.
type Plan = (usize, usize, bool);

/// A conversation, a message a segment, of a client that sends another request at each of the
/// `turns` that is set, whatever waits. Tells which exchange each packet behind the handshake is
/// of.
fn conversation(plans: &[Plan], turns: &[bool]) -> (Wire, Vec<usize>) {
    let (mut wire, mut ids) = (Wire::open(), Vec::new());
    let (mut asked, mut answered, mut unread) = (0, 0, Vec::new());
    let mut turns = turns.iter();
    while answered < plans.len() {
        let may_ask = asked < plans.len();
        if may_ask && (asked == answered || turns.next() == Some(&true)) {
            let body = "x".repeat(plans[asked].0);
            let request =
                format!("POST /{asked} HTTP/1.1\r\nContent-Length: {}\r\n\r\n{body}", body.len());
            unread.push(request.len());
            wire = wire.client(request);
            ids.push(asked);
            asked += 1;
        } else {
            let (_, length, acknowledges_all) = plans[answered];
            let body = "x".repeat(length);
            wire = wire.server(format!(
                "HTTP/1.1 200 X\r\nX-Id: {answered}\r\nContent-Length: {length}\r\n\r\n{body}"
            ));
            if !acknowledges_all {
                wire = acknowledging_less(wire, unread[answered + 1..].iter().sum());
            }
            ids.push(answered);
            answered += 1;
        }
    }
    (wire, ids)
}

fn plans() -> impl Strategy<Value = Vec<Plan>> {
    prop::collection::vec((0_usize..60, 0_usize..60, any::<bool>()), 3..14)
}

/// Whether the exchange has both its messages; that they belong together is asserted.
fn is_pair(exchange: &Exchange) -> Result<bool, TestCaseError> {
    let (request, response) = id_of(exchange);
    let is_pair = request.is_some() && response.is_some();
    prop_assert!(!is_pair || request == response, "{}", super::line(exchange));
    Ok(is_pair)
}

/// How many of the exchanges from `first` on are pairs.
fn pairs_from(wire: &Wire, first: usize) -> Result<usize, TestCaseError> {
    let mut pairs = 0;
    for exchange in replay(wire, Options::default()).0 {
        let is_late =
            id_of(&exchange).0.is_some_and(|id| id[1..].parse::<usize>().unwrap() >= first);
        pairs += usize::from(is_pair(&exchange)? && is_late);
    }
    Ok(pairs)
}

proptest! {
    /// Of a client that was seen to pipeline: one that first does so where nothing was captured
    /// looks like one that waits.
    #[test]
    fn what_was_lost_leaves_only_true_pairs(
        plans in plans(),
        turns in prop::collection::vec(any::<bool>(), 0..40),
        lost in prop::collection::vec(any::<Index>(), 0..4),
    ) {
        let turns = [&[true][..], &turns].concat();
        let (whole, _) = conversation(&plans, &turns);
        let (kept, rest) = whole.packets.split_at(4);
        let mut rest = rest.to_vec();
        lose(&mut rest, &lost);
        let pairs = pairs_from(&whole.with([kept, &rest].concat()), 0)?;
        prop_assert!(!lost.is_empty() || pairs == plans.len());
    }

    #[test]
    fn a_client_that_waits_has_its_pairs_behind_a_loss(
        plans in plans(),
        lost in prop::collection::vec(any::<Index>(), 1..4),
    ) {
        let (whole, ids) = conversation(&plans, &[]);
        let (handshake, rest) = whole.packets.split_at(2);
        let gone: Vec<usize> = lost.iter().map(|index| index.index(rest.len())).collect();
        let kept = (0..rest.len()).filter(|at| !gone.contains(at)).map(|at| rest[at].clone());
        let left = whole.with(handshake.iter().cloned().chain(kept).collect());
        let sure = gone.iter().map(|at| ids[*at]).max().unwrap() + 3;
        prop_assert_eq!(pairs_from(&left, sure)?, plans.len().saturating_sub(sure));
    }

    #[test]
    fn a_client_that_waits_has_its_pairs_wherever_the_capture_begins(
        plans in plans(),
        from in any::<Index>(),
    ) {
        let (whole, ids) = conversation(&plans, &[]);
        let rest = &whole.packets[2..];
        let from = from.index(rest.len());
        let first = ids[from] + usize::from(rest[from].from == From::Server);
        let left = whole.with(rest[from..].to_vec());
        prop_assert_eq!(pairs_from(&left, first)?, plans.len() - first);
    }
}
