//! Who asks and who answers, whatever either of them says.

use super::{line, replay};
use crate::http::{Exchange, Options, PortFilter};
use crate::tcp::wire::Wire;

const NO: &str = "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";

/// On a port that is read by its number, as an agent's are.
fn watched(wire: &Wire) -> Vec<Exchange> {
    let ports = PortFilter::Only([80].into());
    replay(wire, Options { ports, ..Options::default() }).0
}

#[track_caller]
fn check(wire: &Wire, expected: &[&str]) {
    let exchanges = watched(wire);
    assert!(exchanges.iter().all(|exchange| exchange.flow.source == wire.client));
    let lines: Vec<String> = exchanges.iter().map(line).collect();
    assert_eq!(lines, expected);
}

#[test]
fn who_opened_the_connection_asks_whatever_is_said() {
    let forged = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";
    check(
        &Wire::open().client(forged).server(NO).close(),
        &["- -> 400 0/47 !unrecognised_request"],
    );
    let behind = Wire::open().client(forged).server(NO).client("GET /real HTTP/1.1\r\n\r\n");
    check(
        &behind.server(NO).close(),
        &["- -> 400 0/47 !unrecognised_request", "GET /real 0/22 -> 400 0/47"],
    );
    let banner = Wire::open().server("GET / HTTP/1.1\r\n\r\n").client("GET /real HTTP/1.1\r\n\r\n");
    check(&banner.server(NO).close(), &["GET /real 0/22 -> 400 0/47 !unrecognised_response"]);
}

#[test]
fn what_is_said_tells_where_the_opening_was_not_seen() {
    let wire = Wire::midstream().server(NO).client("GET /real HTTP/1.1\r\n\r\n").server(NO);
    let (exchanges, _) = replay(&wire, Options::default());
    let lines: Vec<String> = exchanges.iter().map(line).collect();
    assert_eq!(lines, ["- -> 400 0/47 ?midstream", "GET /real 0/22 -> 400 0/47 ?midstream"]);
}
