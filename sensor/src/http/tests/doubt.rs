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
            "POST /real 0/65536 -> 200 0/38 ?truncated !head_too_long",
            "GET /body 0/22 -> - ?truncated !unrecognised_request",
            "GET /next 0/22 -> - !unrecognised_request",
            "- -> 200 0/38 !unrecognised_request",
            "GET /next 0/22 -> 200 0/38",
        ],
    );
    let without = Wire::open().client(long).client("no request in here.\r\n").server(OK);
    check(
        &without.client(NEXT).server(OK).close(),
        &["POST /real 0/65536 -> 200 0/38 ?truncated !head_too_long", "GET /next 0/22 -> 200 0/38"],
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
