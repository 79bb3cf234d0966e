//! Heads and bodies that break the grammar: each deviation by its name, and what is certain kept.

use super::{check, fields, replay};
use crate::http::{Anomaly, Options};
use crate::tcp::wire::Wire;

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

/// A request, then another that must be found where the first one ended.
#[track_caller]
fn request(octets: &str, expected: &str) {
    let next = "GET /next HTTP/1.1\r\n\r\n";
    let wire = Wire::open().client(octets).server(OK).client(next).server(OK).close();
    check(&wire, &[expected, "GET /next 0/22 -> 200 0/38"]);
}

#[track_caller]
fn response(octets: &str, expected: &str) {
    let wire = Wire::open().client("GET / HTTP/1.1\r\n\r\n").server(octets).close();
    check(&wire, &[&format!("GET / 0/18 -> {expected}")]);
}

#[test]
fn lengths_that_cannot_be_trusted() {
    request(
        "POST / HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 5\r\n\r\nabc",
        "POST / 3/60 -> 200 0/38 !conflicting_length",
    );
    request(
        "POST / HTTP/1.1\r\nContent-Length: 3, 3\r\n\r\nabc",
        "POST / 3/44 -> 200 0/38 !repeated_length",
    );
    request(
        "POST / HTTP/1.1\r\nContent-Length: +3\r\n\r\n",
        "POST / 0/39 -> 200 0/38 !bad_content_length",
    );
    request(
        "POST / HTTP/1.1\r\nContent-Length: 18446744073709551616\r\n\r\n",
        "POST / 0/57 -> 200 0/38 !bad_content_length",
    );
    request(
        "POST / HTTP/1.1\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST / 0/71 -> 200 0/38 !conflicting_length",
    );
    request(
        "POST / HTTP/1.1\r\nContent-Length: \x0c5\r\n\r\n",
        "POST / 0/39 -> 200 0/38 !control_character !bad_content_length",
    );
    request(
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\x0c\r\n\r\n",
        "POST / 0/48 -> 200 0/38 !control_character !transfer_coding",
    );
    request(
        "POST / HTTP/1.1\r\nTransfer-Encoding: xchunked\r\nContent-Length: 3\r\n\r\nabc",
        "POST / 3/70 -> 200 0/38 !conflicting_length !transfer_coding",
    );
}

/// What comes before the server has answered may be the body that such a length is of.
#[test]
fn what_follows_a_length_that_is_none_may_be_its_body() {
    let next = "GET /next HTTP/1.1\r\n\r\n";
    let last = "GET /last HTTP/1.1\r\n\r\n";
    for (field, name) in [
        ("Content-Length: +5", "bad_content_length"),
        ("Content-Length: 0x5", "bad_content_length"),
        ("Transfer-Encoding: cow", "transfer_coding"),
    ] {
        let first = format!("POST / HTTP/1.1\r\n{field}\r\n\r\n");
        let expected = format!("POST / 0/{} -> 200 0/38 !{name}", first.len());
        let start = Wire::open().client(format!("{first}hello{next}")).server(OK);
        let wire = start.client(last).server(OK).close();
        check(&wire, &[&expected, "GET /last 0/22 -> 200 0/38"]);
        let wire = Wire::open().client(format!("{first}{next}")).server(OK).close();
        let unsure = "GET /next 0/22 -> - ?truncated !unrecognised_request";
        check(&wire, &[&expected, unsure]);
        let start = Wire::open().client(format!("{first}{next}")).server(OK.repeat(2));
        let wire = start.client(last).server(OK).close();
        let answered = "GET /next 0/22 -> 200 0/38 ?truncated !unrecognised_request";
        check(&wire, &[&expected, answered, "GET /last 0/22 -> 200 0/38"]);
    }
}

/// `chunked` frames a request only as the last coding, once, and since HTTP/1.1.
#[test]
fn codings_that_cannot_be_trusted() {
    for (version, fields, body, rest) in [
        (
            "1.1",
            "Transfer-Encoding: identity, chunked",
            "5\r\nhello\r\n0\r\n\r\n",
            "5/72 -> 200 0/38",
        ),
        ("1.0", "Transfer-Encoding: chunked", "0\r\n\r\n", "0/52 -> 200 0/38 !transfer_coding"),
        (
            "1.1",
            "Transfer-Encoding: chunked,",
            "5\r\nhello\r\n0\r\n\r\n",
            "5/63 -> 200 0/38 !transfer_coding",
        ),
        (
            "1.1",
            "Transfer-Encoding: , chunked ,\t,",
            "5\r\nhello\r\n0\r\n\r\n",
            "5/68 -> 200 0/38 !transfer_coding",
        ),
        (
            "1.1",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: ,",
            "0\r\n\r\n",
            "0/74 -> 200 0/38 !transfer_coding",
        ),
        ("1.1", "Transfer-Encoding:", "", "0/39 -> 200 0/38 !transfer_coding"),
        (
            "1.1",
            "Transfer-Encoding: chunked, chunked",
            "0\r\n\r\n",
            "0/61 -> 200 0/38 !transfer_coding",
        ),
        (
            "1.1",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
            "",
            "0/76 -> 200 0/38 !transfer_coding",
        ),
        (
            "1.1",
            "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked",
            "0\r\n\r\n",
            "0/77 -> 200 0/38",
        ),
    ] {
        request(
            &format!("POST / HTTP/{version}\r\n{fields}\r\n\r\n{body}"),
            &format!("POST / {rest}"),
        );
    }
}

#[test]
fn lines_that_are_not_ended_or_folded_as_they_should() {
    request("GET / HTTP/1.1\nHost: a\n\n", "GET / 0/24 -> 200 0/38 !bare_lf");
    request("GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n", "GET / 0/28 -> 200 0/38 !obs_fold");
    request("GET / HTTP/1.1\r\nA : b\r\n\r\n", "GET / 0/25 -> 200 0/38 !space_before_colon");
    request("GET / HTTP/1.1\r\nno colon\r\n\r\n", "GET / 0/28 -> 200 0/38 !field_without_colon");
    request("GET / HTTP/1.1\r\nA(: b\r\n\r\n", "GET / 0/25 -> 200 0/38 !field_name");
    request("GET / HTTP/1.1\r\nA: b\0\r\n\r\n", "GET / 0/25 -> 200 0/38 !nul");
    request("GET /a b HTTP/1.1\r\n\r\n", "GET /a b 0/21 -> 200 0/38 !request_line");
    request("GET  /a  HTTP/1.1\r\n\r\n", "GET /a 0/21 -> 200 0/38 !request_line");
    request("GET / HTTP/2.0\r\n\r\n", "GET / 0/18 -> 200 0/38 !bad_version");
    request("GET / HTTP/0.99\r\n\r\n", "GET / 0/19 -> 200 0/38 !bad_version");
    request("GET / HTTP/01.1\r\n\r\n", "GET / 0/19 -> 200 0/38 !bad_version");
    request("GET / http/1.1\r\n\r\n", "GET / 0/18 -> 200 0/38 !bad_version");
    for version in ["HTTP/2", "HTTP/11", "HTTP/1.x", "HTTP/1.1.1", "HTTP/1.1x", "HTTP/300.1"] {
        let wire_bytes = 10 + version.len();
        request(
            &format!("GET / {version}\r\n\r\n"),
            &format!("GET / 0/{wire_bytes} -> 200 0/38 !bad_version"),
        );
    }
    request("GET / HTTP/1.1 x\r\n\r\n", "GET / 0/20 -> 200 0/38 !request_line !bad_version");
    request("GET\t/\tHTTP/1.1\r\n\r\n", "GET / 0/18 -> 200 0/38 !request_line");
    request("GET /\x0cHTTP/1.1\r\n\r\n", "GET / 0/18 -> 200 0/38 !control_character !request_line");
    request("GET / HTTP/1.1\r\nA: b\rC: d\r\n\r\n", "GET / 0/29 -> 200 0/38 !bare_cr");
    request("GET / HTTP/1.1\r\nA: b\r\r\n\r\n", "GET / 0/25 -> 200 0/38 !bare_cr");
    request(
        "GET / HTTP/1.1\r\nHost: a\r\nhost: b\r\n\r\n",
        "GET / 0/36 -> 200 0/38 !repeated_host",
    );
}

/// A line that starts with white space behind the first line is no field, nor part of one.
#[test]
fn fields_behind_white_space_are_not_believed() {
    for space in [" ", "\t", " A: b\r\n ", " \r\n\t"] {
        let head = format!("POST / HTTP/1.1\r\n{space}Content-Length: 22\r\nHost: a\r\n\r\n");
        let length = head.len();
        request(&head, &format!("POST / 0/{length} -> 200 0/38 !space_before_fields"));
    }
    let head = "POST / HTTP/1.1\r\n Content-Length: 5\r\nA: b\r\n c\r\nContent-Length: 2\r\n\r\nok";
    request(head, "POST / 2/70 -> 200 0/38 !space_before_fields !obs_fold");
    response(
        "HTTP/1.1 200 OK\r\n A: b\r\nContent-Length: 2\r\n\r\nok",
        "200 2/47 !space_before_fields",
    );
    let (exchanges, _) = replay(&Wire::open().client(head), Options::default());
    let request = exchanges[0].request.as_ref().unwrap();
    assert_eq!(fields(&request.headers), "A: b   c\nContent-Length: 2\n");
}

#[test]
fn chunks_that_are_not_what_they_say() {
    let head = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
    request(&format!("{head}3\nabc\n0\n\n"), "POST / 3/56 -> 200 0/38 !bare_lf");
    request(&format!("{head}3 ;x\r\nabc\r\n0\r\n\r\n"), "POST / 3/63 -> 200 0/38 !bad_chunk_size");
    request(&format!("{head}zz\r\n"), "POST / 0/48~ -> 200 0/38 ?truncated !bad_chunk_size");
    request(
        &format!("{head}fffffffffffffffff\r\n"),
        "POST / 0/63~ -> 200 0/38 ?truncated !bad_chunk_size",
    );
    request(&format!("{head}3\r\nabcdef\r\n"), "POST / 3/54~ -> 200 0/38 ?truncated !bad_chunk");
}

#[test]
fn control_characters_have_no_place_in_a_head() {
    for octet in ["\x01", "\x08", "\x0b", "\x1f", "\x7f"] {
        let named = "0/26 -> 200 0/38 !control_character";
        request(&format!("GET / HTTP/1.1\r\nA: b{octet}c\r\n\r\n"), &format!("GET / {named}"));
        let target = format!("GET /{octet} HTTP/1.1\r\n\r\n");
        request(&target, &format!("GET /{octet} 0/19 -> 200 0/38 !control_character"));
        response(
            &format!("HTTP/1.1 200 OK\r\nA: b{octet}c\r\n\r\n"),
            "200 0/27 !control_character",
        );
    }
    request("GET / HTTP/1.1\r\nA: b\tc\u{e9}\r\n\r\n", "GET / 0/28 -> 200 0/38");
}

#[test]
fn hosts_and_targets_that_are_none() {
    for target in ["../../etc/passwd", "htt:p//", "*", "a", "a.example:80", "?q"] {
        let length = 17 + target.len();
        let expected = format!("GET {target} 0/{length} -> 200 0/38 !bad_target");
        request(&format!("GET {target} HTTP/1.1\r\n\r\n"), &expected);
    }
    request("GET a b HTTP/1.1\r\n\r\n", "GET a b 0/20 -> 200 0/38 !request_line !bad_target");
    request("OPTIONS * HTTP/1.1\r\n\r\n", "OPTIONS * 0/22 -> 200 0/38");
    for (host, named) in
        [("a b", true), ("a/b", true), ("u@a", true), ("a.example:80", false), ("", false)]
    {
        let length = 26 + host.len();
        let named = if named { " !bad_host" } else { "" };
        let expected = format!("GET / 0/{length} -> 200 0/38{named}");
        request(&format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n"), &expected);
    }
    request(
        "GET / HTTP/1.1\r\nHost: a\r\nHost: b c\r\n\r\n",
        "GET / 0/38 -> 200 0/38 !repeated_host !bad_host",
    );
}

#[test]
fn lengths_where_no_body_may_be() {
    let named = "!length_without_body";
    response("HTTP/1.1 204 No\r\nContent-Length: 5\r\n\r\n", &format!("204 0/38 {named}"));
    response("HTTP/1.1 204 No\r\nTransfer-Encoding: chunked\r\n\r\n", &format!("204 0/47 {named}"));
    response("HTTP/1.1 101 S\r\nContent-Length: 5\r\n\r\n", &format!("101 0/37 {named}"));
    response("HTTP/1.1 204 No\r\nContent-Length: 0\r\n\r\n", "204 0/38");
    // What a response without its body would have had (RFC 9110, section 8.6; RFC 9112, section
    // 6.1).
    response("HTTP/1.1 304 No\r\nContent-Length: 5\r\n\r\n", "304 0/38");
    response("HTTP/1.1 304 No\r\nTransfer-Encoding: chunked\r\n\r\n", "304 0/47");
}

#[test]
fn segments_that_contradict_each_other() {
    let wire = Wire::open()
        .client("GET /first ")
        .client("HTTP/1.1\r\nHost: a\r\n\r\n")
        .again("HTTP/1.1\r\nHost: b\r\n\r\n");
    let mut packets = wire.packets.clone();
    let start = packets.remove(2);
    packets.push(start);
    let wire = wire.with(packets).server(OK).client("GET /next HTTP/1.1\r\n\r\n").server(OK);
    check(
        &wire.close(),
        &["GET /first 0/32 -> 200 0/38 !conflicting_segments", "GET /next 0/22 -> 200 0/38"],
    );
}

#[test]
fn a_retransmission_that_says_something_else_marks_what_it_belongs_to() {
    let post = "POST /a HTTP/1.1\r\nContent-Length: 4\r\n\r\n";
    let ended = "!conflicting_segments";
    // In a body under way, in a request that waits for its response, in a head under way.
    let body = Wire::open().client(post).client("ab").again("aX").client("cd").server(OK);
    check(&body.close(), &[&format!("POST /a 4/43 -> 200 0/38 {ended}")]);
    let whole = Wire::open().client(post).client("abcd").again("abcX").server(OK);
    check(&whole.close(), &[&format!("POST /a 4/43 -> 200 0/38 {ended}")]);
    let head = Wire::open().client("GET /a HT").again("GET /b HT").client("TP/1.1\r\n\r\n");
    check(&head.server(OK).close(), &[&format!("GET /a 0/19 -> 200 0/38 {ended}")]);
    let answer = Wire::open()
        .client("GET /a HTTP/1.1\r\n\r\n")
        .server("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n")
        .again("HTTP/1.1 500 No\r\nContent-Length: 2\r\n\r\n")
        .server("{}");
    check(&answer.close(), &[&format!("GET /a 0/19 -> 200 2/40 {ended}")]);
}

#[test]
fn only_what_differs_is_a_contradiction() {
    let get = "GET /a HTTP/1.1\r\n\r\n";
    check(&Wire::open().client(get).again(get).server(OK).close(), &["GET /a 0/19 -> 200 0/38"]);
    // A probe whether the peer is alive repeats one number, with any octet.
    let mut probe = Wire::open().client(get);
    let mut packet = probe.packets.last().unwrap().clone();
    packet.sequence = packet.sequence.wrapping_add(u32::try_from(get.len()).unwrap() - 1);
    packet.payload = vec![0];
    packet.payload_length = 1;
    probe.packets.push(packet);
    check(&probe.server(OK).close(), &["GET /a 0/19 -> 200 0/38"]);
}

#[test]
fn responses_that_break_the_grammar() {
    response("HTTP/1.1 200 OK\nContent-Length: 1\n\nx", "200 1/36 !bare_lf");
    response("HTTP/1.01 200\r\nContent-Length: 1\r\n\r\nx", "200 1/37 !bad_version");
    response("HTTP/1.1 200 OK\r\nA: b\r\n\tc\r\n\r\n", "200 0/29 !obs_fold");
    response("HTTP/1.1 200ok\r\n\r\n", "200 0/18 !status_line");
    response("HTTP/1.1 200;ok\r\n\r\n", "200 0/19 !status_line");
    for line in [
        "HTTP/1.1   200  OK",
        "HTTP/1.1\t200\tOK",
        "HTTP/1.1 \t200 OK",
        "HTTP/1.1 200\tOK",
        "HTTP/1.0  200",
    ] {
        let length = line.len() + 4;
        response(&format!("{line}\r\n\r\n"), &format!("200 0/{length} !status_line"));
    }
    response("HTTP/1.1 200\r\n\r\n", "200 0/16");
    response("HTTP/1.1 200 \r\n\r\n", "200 0/17");
    response("HTTP/1.1 200  a \t b\r\n\r\n", "200 0/23");
    response("HTTP/1.1 2000 OK\r\n\r\n", "- !unrecognised_response");
    response("what is this\r\n\r\n", "- !unrecognised_response");
}

#[test]
fn folded_and_odd_fields_keep_their_values() {
    let head = "GET / HTTP/1.1\r\nA: b\r\n  c\r\nno colon\r\nB\t: d\r\n\r\n";
    let (exchanges, _) = replay(&Wire::open().client(head), Options::default());
    let request = exchanges[0].request.as_ref().unwrap();
    assert_eq!(fields(&request.headers), "A: b    c\nB: d\n");
}

#[test]
fn every_field_is_kept_and_many_are_named() {
    let many = |count: usize| format!("GET / HTTP/1.1\r\n{}\r\n", "A: b\r\n".repeat(count));
    for (count, anomalies) in [(96, 0), (97, 0), (1024, 0), (1025, 1), (10_000, 1)] {
        let (exchanges, _) = replay(&Wire::open().client(many(count)), Options::default());
        let request = exchanges[0].request.as_ref().unwrap();
        assert_eq!(request.headers.iter().count(), count);
        assert_eq!(exchanges[0].anomalies.len(), anomalies, "{count}");
    }
}

/// Whoever reads only so many fields takes the body for requests.
#[test]
fn a_body_is_framed_by_fields_behind_many_others() {
    let fake = "GET /fake HTTP/1.1\r\n\r\n";
    let many = "a:\r\n".repeat(1024);
    let named = "!too_many_fields";
    request(
        &format!("POST / HTTP/1.1\r\n{many}Content-Length: 22\r\n\r\n{fake}"),
        &format!("POST / 22/4157 -> 200 0/38 {named}"),
    );
    request(
        &format!(
            "POST / HTTP/1.1\r\n{many}Transfer-Encoding: chunked\r\n\r\n16\r\n{fake}\r\n0\r\n\r\n"
        ),
        &format!("POST / 22/4176 -> 200 0/38 {named}"),
    );
    response(
        &format!("HTTP/1.1 200 OK\r\n{many}Content-Length: 2\r\n\r\nok"),
        &format!("200 2/4136 {named}"),
    );
}

/// Two responses to one request, as where a field let one be split; nothing is missing.
#[test]
fn responses_beyond_the_requests_are_named() {
    let get = "GET /a HTTP/1.1\r\n\r\n";
    let expected =
        ["GET /a 0/19 -> 200 0/38", "- -> 200 0/38 !unasked_response", "GET /a 0/19 -> 200 0/38"];
    let one = Wire::open().client(get).server(format!("{OK}{OK}")).client(get).server(OK);
    check(&one.close(), &expected);
    let two = Wire::open().client(get).server(OK).server(OK).client(get).server(OK);
    check(&two.close(), &expected);
}

/// Octets behind a response: its exchange is put out when it ends, so the next one has the name.
#[test]
fn octets_behind_a_response_are_named() {
    let next = "GET /next HTTP/1.1\r\n\r\n";
    for (method, response) in [
        ("GET", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"),
        ("HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"),
        ("GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n"),
    ] {
        let get = format!("{method} /a HTTP/1.1\r\n\r\n");
        let whole = Wire::open().client(&get).server(format!("{response}hello"));
        let parts = Wire::open().client(&get).server(response).server("hel").server("lo");
        for wire in [whole, parts] {
            let (exchanges, _) =
                replay(&wire.client(next).server(OK).client(next).server(OK), Options::default());
            let anomalies: Vec<&[Anomaly]> =
                exchanges.iter().map(|exchange| &exchange.anomalies[..]).collect();
            assert_eq!(anomalies, [&[][..], &[Anomaly::UnrecognisedResponse], &[]], "{response}");
        }
    }
    // Empty lines are nothing.
    let wire = Wire::open().client(next).server(format!("{OK}\r\n")).client(next).server(OK);
    check(&wire.close(), &["GET /next 0/22 -> 200 0/38"; 2]);
}

/// A proxy's header with nothing behind it, or the start of HTTP/2: no octet is missing.
#[test]
fn an_answer_to_no_request_is_named() {
    for octets in ["PROXY UNKNOWN\r\n", "PRI * HTTP/2.0\r\n\r\n", "PROXY nobody\r\n"] {
        let wire = Wire::open().client(octets).server(OK);
        check(&wire.close(), &["- -> 200 0/38 !unrecognised_request"]);
    }
    let wire = Wire::open().client("PROXY /hook HTTP/1.1\r\n\r\n").server(OK);
    check(&wire.close(), &["PROXY /hook 0/24 -> 200 0/38"]);
}
