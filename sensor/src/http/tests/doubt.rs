//! What looks like a request where no segment is missing, and may be part of something else.

use super::check;
use crate::tcp::wire::Wire;

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
const NEXT: &str = "GET /next HTTP/1.1\r\n\r\n";

/// Where a body begins is not known behind a head that is too long.
#[test]
fn requests_behind_a_head_without_end_are_marked() {
    let long =
        format!("POST /real HTTP/1.1\r\nX: {}\r\nContent-Length: 22\r\n\r\n", "x".repeat(70_000));
    let whole = Wire::open().client(format!("{long}GET /body HTTP/1.1\r\n\r\n")).server(OK);
    let wire = whole.client(NEXT).server(OK).client(NEXT).server(OK).close();
    check(
        &wire,
        &[
            "POST /real ?/65536~ -> 200 0/38 ?truncated !head_too_long",
            "GET /body 0/22 -> - ?truncated !unrecognised_request",
            "GET /next 0/22 -> - !unrecognised_request",
            "- -> 200 0/38 !unrecognised_request",
            "GET /next 0/22 -> 200 0/38",
        ],
    );
    let without = Wire::open().client(long).client("no request in here.\r\n").server(OK);
    check(
        &without.client(NEXT).server(OK).close(),
        &[
            "POST /real ?/65536~ -> 200 0/38 ?truncated !head_too_long",
            "GET /next 0/22 -> 200 0/38",
        ],
    );
}

#[test]
fn requests_behind_chunks_that_are_none_are_marked() {
    let broken = "POST /real HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n";
    let refusal = "HTTP/1.1 400 No\r\nContent-Length: 0\r\n\r\n";
    let wire = Wire::open().client(format!("{broken}{NEXT}")).server(refusal).close();
    check(
        &wire,
        &[
            "POST /real 0/52~ -> 400 0/38 ?truncated !bad_chunk_size",
            "GET /next 0/22 -> - ?truncated !unrecognised_request",
        ],
    );
    check(
        &Wire::open().client(broken).server(refusal).client(NEXT).server(OK).close(),
        &["POST /real 0/52~ -> 400 0/38 ?truncated !bad_chunk_size", "GET /next 0/22 -> 200 0/38"],
    );
}

const ASK: &str = "PUT /a HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 22\r\n\r\n";
const NO: &str = "HTTP/1.1 417 No\r\nContent-Length: 0\r\n\r\n";

/// What stands in the place of a body, whole and octet by octet.
#[track_caller]
fn in_place_of_body(ask: &str, answer: &str, instead: &str, expected: &[&str]) {
    let start = || Wire::open().client(ask).server(answer);
    let end = |wire: Wire| check(&wire.server(OK).client(NEXT).server(OK).close(), expected);
    end(start().client(instead));
    let mut octets = start();
    for at in 0..instead.len() {
        octets = octets.client(&instead[at..=at]);
    }
    end(octets);
}

/// RFC 9110, section 10.1.1: a client that is answered finally need not send the body.
#[test]
fn a_request_in_place_of_a_declined_body_is_one_and_marked() {
    let expected = [
        "PUT /a 0/61~ -> 417 0/38 ?truncated !declined_body",
        "GET /next 0/22 -> 200 0/38 !declined_body",
        "GET /next 0/22 -> 200 0/38",
    ];
    in_place_of_body(ASK, NO, NEXT, &expected);
    let chunked = "PUT /a HTTP/1.1\r\nExpect: 100-Continue\r\nTransfer-Encoding: chunked\r\n\r\n";
    let expected =
        [&expected[0].replace("0/61", "0/69"), expected[1], expected[2]].map(str::to_owned);
    in_place_of_body(chunked, NO, NEXT, &expected.each_ref().map(String::as_str));
}

#[test]
fn a_body_is_one_though_it_was_declined_or_never_asked_for() {
    let body = "GET /next HTTP\r\nabcdef";
    let sent = [
        "PUT /a 22/83 -> 417 0/38",
        "- -> 200 0/38 !unasked_response",
        "GET /next 0/22 -> 200 0/38",
    ];
    in_place_of_body(ASK, NO, body, &sent);
    in_place_of_body(ASK, NO, "{\"a\": 1}\r\nGET / HTTP/1", &sent);
    let unasked = ASK.replace("Expect", "Accept");
    in_place_of_body(&unasked, NO, NEXT, &sent);
    let old = ASK.replace("1.1", "1.0");
    in_place_of_body(&old, NO, NEXT, &sent);
    let go_on = "HTTP/1.1 100 Continue\r\n\r\n";
    let asked = ["PUT /a 22/83 -> 200 0/38", "GET /next 0/22 -> 200 0/38"];
    in_place_of_body(ASK, go_on, NEXT, &asked);
}

/// A body that is made to look like a request is not answered; what comes behind it is.
#[test]
fn an_answer_is_not_given_to_what_may_be_a_declined_body() {
    let wire =
        Wire::open().client(ASK).server(NO).client("GET /fake HTTP/1.1\r\n\r\n").client(NEXT);
    check(
        &wire.server(OK).client(NEXT).server(OK).close(),
        &[
            "PUT /a 0/61~ -> 417 0/38 ?truncated !declined_body",
            "GET /fake 0/22 -> - !declined_body",
            "GET /next 0/22 -> - !declined_body",
            "- -> 200 0/38 !declined_body",
            "GET /next 0/22 -> 200 0/38",
        ],
    );
    let lost = Wire::open().client(ASK).server(NO).client(NEXT).lose().server(OK).client(NEXT);
    check(
        &lost.server(OK).close(),
        &[
            "PUT /a 0/61~ -> 417 0/38 ?gap !declined_body",
            "- -> 200 0/38 ?gap",
            "GET /next 0/22 -> 200 0/38",
        ],
    );
}

/// A server need not read all of a head to refuse it.
#[test]
fn a_request_that_is_refused_in_its_head_has_its_answer() {
    let refusal = "HTTP/1.1 431 No\r\nContent-Length: 0\r\n\r\n";
    let timeout = "HTTP/1.1 408 No\r\nContent-Length: 0\r\n\r\n";
    let refused = |head: &str, refusal| Wire::open().client(head).server(refusal);
    let head = "POST /h HTTP/1.1\r\nHost: a\r\nX: aaa";
    let expected = "POST /h ?/33~ -> 431 0/38 ?truncated";
    check(&refused(head, refusal).close(), &[expected]);
    check(&refused(head, timeout).close(), &[&expected.replace("431", "408")]);
    check(&refused("GET /aaa", refusal).close(), &["GET /aaa ?/8~ -> 431 0/38 ?truncated"]);
    check(&refused("GE", refusal).close(), &["- -> 431 0/38 !unrecognised_request"]);
    let second = Wire::open().client(NEXT).server(OK).client(head).server(refusal);
    check(&second.close(), &["GET /next 0/22 -> 200 0/38", expected]);
    // A server that goes on all the same, after the rest of the head.
    let rest = "bbb\r\nGET /fake HTTP/1.1\r\n\r\n";
    let goes_on = refused(head, refusal).client(rest).client(NEXT).server(OK);
    check(
        &goes_on.close(),
        &[
            expected,
            "GET /fake 0/22 -> - ?truncated !unrecognised_request",
            "GET /next 0/22 -> - ?truncated !unrecognised_request",
            "- -> 200 0/38 !unrecognised_request",
        ],
    );
}

#[test]
fn an_answer_to_an_earlier_request_is_not_a_refusal() {
    let wire = Wire::open().client(format!("{NEXT}POST /h HTTP/1.1\r\nX: aaa")).server(OK);
    let rest = wire.client("bbb\r\n\r\n").server(NO).close();
    check(&rest, &["GET /next 0/22 -> 200 0/38", "POST /h 0/31 -> 417 0/38"]);
}
