//! Traffic that was captured in part: what is left stays with whom it belongs to.

use super::check;
use crate::tcp::wire::Wire;

fn get(id: u32) -> String {
    format!("GET /{id} HTTP/1.1\r\n\r\n")
}

fn ok(id: u32) -> String {
    format!("HTTP/1.1 20{id} OK\r\nContent-Length: 2\r\n\r\nok")
}

#[test]
fn a_lost_request_leaves_the_others_their_answers() {
    let wire = Wire::open()
        .client(get(1))
        .server(ok(1))
        .client(get(2))
        .lose()
        .server(ok(2))
        .client(get(3))
        .server(ok(3))
        .close();
    let expected = ["GET /1 0/19 -> 201 2/40", "- -> 202 2/40 ?gap", "GET /3 0/19 -> 203 2/40"];
    check(&wire, &expected);
}

#[test]
fn an_answer_to_nothing_lacks_its_request() {
    let timeout = "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n";
    let wire = Wire::open().client(get(1)).server(ok(1)).server(timeout);
    check(&wire.close(), &["GET /1 0/19 -> 201 2/40", "- -> 408 0/51"]);
    let lost = Wire::open().client(get(1)).server(ok(1)).client(get(2)).lose().server(ok(2));
    check(&lost.close(), &["GET /1 0/19 -> 201 2/40", "- -> 202 2/40 ?gap"]);
}

#[test]
fn a_lost_response_leaves_the_others_theirs() {
    let wire = Wire::open()
        .client(get(1))
        .server(ok(1))
        .lose()
        .client(get(2))
        .server(ok(2))
        .client(get(3))
        .server(ok(3))
        .close();
    let expected = ["GET /1 0/19 -> - ?gap", "GET /2 0/19 -> 202 2/40", "GET /3 0/19 -> 203 2/40"];
    check(&wire, &expected);
}

#[test]
fn a_response_that_several_may_have_asked_for_goes_to_none() {
    let pipelined = format!("{}{}{}", get(1), get(2), get(3));
    let wire = Wire::open()
        .client(&pipelined)
        .server(ok(1))
        .lose()
        .server(ok(2))
        .server(ok(3))
        .client(get(5))
        .server(ok(5))
        .close();
    // What was lost may have been an interim response, and one to the first three may be due yet.
    check(
        &wire,
        &[
            "GET /1 0/19 -> - ?gap",
            "GET /2 0/19 -> - ?gap",
            "GET /3 0/19 -> - ?gap",
            "- -> 202 2/40 ?gap",
            "- -> 203 2/40 ?gap",
            "GET /5 0/19 -> - ?gap",
            "- -> 205 2/40 ?gap",
        ],
    );
    let wire = Wire::open().client(get(1)).lose().client(get(2)).server(ok(1)).server(ok(2));
    check(&wire, &["- -> 201 2/40 ?gap", "GET /2 0/19 -> 202 2/40 ?gap"]);
}

#[test]
fn a_body_of_known_length_keeps_its_count_over_a_gap() {
    let wire = Wire::open()
        .client("POST /1 HTTP/1.1\r\nContent-Length: 30\r\n\r\n0123456789")
        .client("0123456789")
        .lose()
        .client("0123456789")
        .server(ok(1))
        .client(get(2))
        .server(ok(2))
        .close();
    check(&wire, &["POST /1 30/70 -> 201 2/40 ?gap", "GET /2 0/19 -> 202 2/40"]);
}

#[test]
fn a_chunk_keeps_its_count_over_a_gap_and_a_chunk_size_does_not() {
    let head = "POST /1 HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n14\r\n0123456789";
    let inside = Wire::open()
        .client(head)
        .client("01234")
        .lose()
        .client("01234\r\n0\r\n\r\n")
        .server(ok(1))
        .close();
    check(&inside, &["POST /1 20/79 -> 201 2/40 ?gap"]);
    let across = Wire::open()
        .client(head)
        .client("0123456789\r\n5\r\n0")
        .lose()
        .client("1234\r\n0\r\n\r\n")
        .server(ok(1))
        .client(get(2))
        .server(ok(2))
        .close();
    check(&across, &["POST /1 10/62~ -> 201 2/40 ?gap", "GET /2 0/19 -> 202 2/40"]);
}

#[test]
fn a_gap_that_takes_a_body_and_the_next_head_is_followed_by_the_one_after() {
    let wire = Wire::open()
        .client("POST /1 HTTP/1.1\r\nContent-Length: 4\r\n\r\n")
        .client(format!("body{}", get(2)))
        .lose()
        .server(ok(1))
        .server(ok(2))
        .client(get(3))
        .server(ok(3))
        .close();
    check(
        &wire,
        &["POST /1 4/43 -> 201 2/40 ?gap", "- -> 202 2/40 ?gap", "GET /3 0/19 -> 203 2/40"],
    );
}

#[test]
fn a_head_with_a_gap_keeps_what_came_before_it() {
    let wire = Wire::open()
        .client("GET /1 HTTP/1.1\r\nHost: a\r\nX-Pa")
        .client("rt: 1\r\nX")
        .lose()
        .client("-Rest: 2\r\n\r\n")
        .server(ok(1))
        .client(get(2))
        .server(ok(2))
        .close();
    check(&wire, &["GET /1 ?/30~ -> 201 2/40 ?gap", "GET /2 0/19 -> 202 2/40"]);
}

#[test]
fn snapped_packets_leave_gaps_of_known_size() {
    let wire = Wire::open()
        .client(format!("POST /1 HTTP/1.1\r\nContent-Length: 100\r\n\r\n{}", "x".repeat(100)))
        .snap(60)
        .server(ok(1))
        .snap(38)
        .client(get(2))
        .server(ok(2))
        .close();
    check(&wire, &["POST /1 100/141 -> 201 2/40 ?gap", "GET /2 0/19 -> 202 2/40"]);
}

#[test]
fn one_side_alone_is_recorded_alone() {
    let requests = Wire::midstream()
        .client(get(1))
        .server(ok(1))
        .lose()
        .client(get(2))
        .server(ok(2))
        .lose()
        .client(get(3));
    check(
        &requests,
        &[
            "GET /1 0/19 -> - ?midstream ?gap",
            "GET /2 0/19 -> - ?midstream ?gap",
            "GET /3 0/19 -> - ?midstream ?gap ?truncated",
        ],
    );
    let responses =
        Wire::midstream().client(get(1)).lose().server(ok(1)).client(get(2)).lose().server(ok(2));
    check(&responses, &["- -> 201 2/40 ?midstream", "- -> 202 2/40 ?midstream ?gap"]);
}

#[test]
fn a_connection_picked_up_in_a_body_is_read_from_the_next_message_on() {
    let wire = Wire::midstream()
        .client("the rest of a body\r\nwith lines GET /no HTTP/1.1\r\n")
        .server(ok(1))
        .client(get(2))
        .server(ok(2))
        .close();
    check(&wire, &["- -> 201 2/40 ?midstream", "GET /2 0/19 -> 202 2/40 ?midstream"]);
}

#[test]
fn a_server_that_gives_up_waiting_answers_nobody() {
    let wire = Wire::open()
        .client(get(1))
        .server(ok(1))
        .client(get(2))
        .server("HTTP/1.1 408 Late\r\nContent-Length: 0\r\n\r\n");
    let mut crossing = wire.clone();
    let request = crossing.packets.len() - 2;
    let sent = crossing.packets[request].payload_length;
    let answer = &mut crossing.packets[request + 1];
    answer.acknowledgement = answer.acknowledgement.wrapping_sub(sent);
    check(&wire, &["GET /1 0/19 -> 201 2/40", "GET /2 0/19 -> 408 0/40"]);
    check(&crossing, &["GET /1 0/19 -> 201 2/40", "- -> 408 0/40", "GET /2 0/19 -> - ?truncated"]);
}

#[test]
fn a_segment_of_a_connection_picked_up_may_break_the_grammar() {
    let picked_up = |segment: &str| Wire::midstream().client(segment).close();
    check(
        &picked_up("GET /a b HTTP/1.1\r\nHost: a\r\n\r\n"),
        &["GET /a b 0/30 -> - ?midstream !request_line"],
    );
    check(
        &picked_up("GET / HTTP/1.0\r\nA: \x1f\r\nno colon\r\n\r\n"),
        &["GET / 0/34 -> - ?midstream !control_character !field_without_colon"],
    );
    check(&picked_up("in a body\r\nGET /a b HTTP/1.1\r\nHost: a\r\n\r\n"), &[]);
}

/// The start of the line is the end of a body, which had not to end a line.
#[test]
fn two_request_lines_in_one_are_none() {
    let lines =
        ["POST GET /a HTTP/1.1", "POST /bGET /a HTTP/1.1", "PUT /b HTTP/1.1GET /a HTTP/1.1"];
    for line in lines {
        let picked_up = Wire::midstream().client(format!("{line}\r\nHost: a\r\n\r\n"));
        check(&picked_up.server(ok(1)).close(), &["- -> 201 2/40 ?midstream"]);
    }
}

/// The head of the request is lost, or that of the response; only its body is left.
#[test]
fn what_looks_like_a_message_in_the_body_of_a_lost_one_is_marked() {
    let made_up = format!("{}in between\r\n{}", get(2), get(3));
    let wire = Wire::open()
        .client("POST /1 HTTP/1.1\r\nContent-Length: 50\r\n\r\n")
        .lose()
        .server("HTTP/1.1 100 Continue\r\n\r\n")
        .client(&made_up)
        .server(ok(1))
        .client(get(4))
        .server(ok(4))
        .close();
    check(
        &wire,
        &[
            "- -> 201 2/40 ?gap",
            "GET /2 0/19 -> - ?gap",
            "GET /3 0/19 -> - ?gap",
            // One of those before it may be a request that is not answered yet.
            "GET /4 0/19 -> - ?gap",
            "- -> 204 0/38 ?gap !length_without_body",
        ],
    );
    let wire = Wire::open()
        .client(get(1))
        .server("HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\n")
        .lose()
        .server(ok(1))
        .client(get(2))
        .server(ok(2))
        .close();
    check(&wire, &["GET /1 0/19 -> 201 2/40 ?gap", "GET /2 0/19 -> 202 2/40"]);
}

#[test]
fn a_lost_request_is_answered_after_those_before_it() {
    let wire = Wire::open()
        .client(get(1))
        .client(get(2))
        .client(get(3))
        .lose()
        .server(ok(1))
        .server(ok(2))
        .client(get(4))
        .server(ok(3))
        .server(ok(4))
        .close();
    let seen = ["GET /1 0/19 -> 201 2/40", "GET /2 0/19 -> 202 2/40"];
    let known = ["- -> 203 2/40 ?gap", "GET /4 0/19 -> 204 0/38 !length_without_body"];
    check(&wire, &[&seen[..], &known[..]].concat());
    // The first answer is lost behind an interim one, and all of it was received before the third
    // request.
    let wire = Wire::open()
        .client(get(1))
        .server("HTTP/1.1 103 E\r\n\r\n")
        .server(ok(1))
        .lose()
        .client(get(2))
        .lose()
        .client(get(3))
        .server(ok(2))
        .server(ok(3));
    check(
        &wire,
        &[
            "GET /1 0/19 -> - ?gap",
            "GET /3 0/19 -> - ?gap",
            "- -> 202 2/40 ?gap",
            "- -> 203 2/40 ?gap",
        ],
    );
    // Nothing but the order of what came tells here that the client pipelines.
    let wire = Wire::open()
        .client(get(1))
        .client(get(2))
        .lose()
        .server(ok(1))
        .client(get(3))
        .server(ok(2));
    let third = "GET /3 0/19 -> - ?gap ?truncated";
    check(&wire, &["GET /1 0/19 -> 201 2/40", "- -> 202 2/40 ?gap", third]);
}

/// One gap takes the rest of a request that is answered, and the one after it that is not.
#[test]
fn an_answer_sent_before_all_that_was_lost_arrived_does_not_stand_for_it() {
    let wire = Wire::open()
        .client("GET /1 HT")
        .client("TP/1.1\r\n\r\n")
        .lose()
        .server(ok(1))
        .client("GET /2 HTTP/1.1")
        .lose()
        .client("\r\n\r\n")
        .client(get(3))
        .server(ok(2))
        .server(ok(3));
    check(
        &wire,
        &[
            "- -> 201 2/40 ?gap",
            "GET /3 0/19 -> - ?gap",
            "- -> 202 2/40 ?gap",
            "- -> 203 2/40 ?gap",
        ],
    );
}

/// The answer to a HEAD that was lost declares a body, into which the next answer falls.
#[test]
fn after_a_loss_a_message_may_start_with_any_segment() {
    let wire = Wire::open()
        .client("HEAD /1 HTTP/1.1\r\n\r\n")
        .lose()
        .client(format!("{}{}", get(2), get(3)))
        .server("HTTP/1.1 201 OK\r\nContent-Length: 39\r\n\r\n")
        .server(ok(2))
        .server(ok(3));
    check(
        &wire,
        &[
            "- -> 201 39/78 ?gap",
            "GET /2 0/19 -> - ?gap",
            "GET /3 0/19 -> - ?gap",
            "- -> 203 2/40 ?gap",
        ],
    );
}

/// The answer to a HEAD that was lost declares a body. Where the server goes on with a status line
/// when it has received more, there is none.
#[test]
fn the_answer_to_a_lost_head_has_no_body() {
    for (fields, length) in
        [("Content-Length: 60\r\n", 39), ("Transfer-Encoding: chunked\r\n", 47), ("", 19)]
    {
        let answer = format!("HTTP/1.1 201 OK\r\n{fields}\r\n");
        let wire = Wire::open()
            .client("HEAD /1 HTTP/1.1\r\n\r\n")
            .lose()
            .server(answer)
            .client(get(2))
            .server(ok(2))
            .client(get(3))
            .server(ok(3))
            .close();
        let lone = format!("- -> 201 0/{length} ?gap");
        check(&wire, &[&lone, "GET /2 0/19 -> 202 2/40", "GET /3 0/19 -> 203 2/40"]);
    }
    let body = "HTTP/1.1 299 No\r\n\r\n";
    let wire = Wire::open()
        .client(get(1))
        .lose()
        .server("HTTP/1.1 201 OK\r\nContent-Length: 19\r\n\r\n")
        .server(body)
        .client(get(2))
        .server(ok(2));
    check(&wire.close(), &["- -> 201 19/58 ?gap", "GET /2 0/19 -> 202 2/40"]);
}
