//! When a message starts, however it was cut into segments.

use hooksensor_ebpf::abi::Method;
use hooksensor_ebpf::head;

use super::{line, replay};
use crate::http::{Options, TrustedProxies};
use crate::tcp::wire::Wire;

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

const SECOND: u64 = 1_000_000_000;

/// `expected` is when the request of a connection started, in seconds after its first packet.
#[track_caller]
fn check_started(wire: &Wire, expected: u64) {
    let proxies = TrustedProxies {
        networks: vec!["10.0.0.1/32".parse().unwrap()],
        ..TrustedProxies::default()
    };
    let (exchanges, _) = replay(wire, Options { proxies, ..Options::default() });
    assert_eq!(exchanges.len(), 1);
    let request = exchanges[0].request.as_ref().unwrap();
    let after = request.started.0 - wire.packets[0].time;
    assert_eq!(after / SECOND, expected, "{}", line(&exchanges[0]));
}

/// A proxy's header and HTTP/2 begin as requests may, and are waited for.
#[test]
fn a_request_starts_with_its_first_octet() {
    let get = "POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n";
    for cut in 1..get.len() {
        let wire = Wire::open().wait(SECOND).client(&get[..cut]).wait(5 * SECOND);
        check_started(&wire.client(&get[cut..]).server(OK).close(), 1);
    }
    let header = "PROXY TCP4 192.0.2.1 10.0.0.2 5000 80\r\n";
    let all = format!("{header}{get}");
    for cut in 1..all.len() {
        let wire = Wire::open().wait(SECOND).client(&all[..cut]).wait(5 * SECOND);
        let started = if cut <= header.len() { 6 } else { 1 };
        check_started(&wire.client(&all[cut..]).server(OK).close(), started);
    }
}

/// A word and a version are too weak a sign where nobody saw that a message is due.
#[test]
fn a_connection_under_way_is_read_from_the_first_method_that_is_known() {
    let registered = "ACL BASELINE-CONTROL BIND CHECKIN CHECKOUT CONNECT COPY DELETE GET HEAD LABEL \
        LINK LOCK MERGE MKACTIVITY MKCALENDAR MKCOL MKREDIRECTREF MKWORKSPACE MOVE OPTIONS \
        ORDERPATCH PATCH POST PROPFIND PROPPATCH PUT QUERY REBIND REPORT SEARCH TRACE UNBIND \
        UNCHECKOUT UNLINK UNLOCK UPDATE UPDATEREDIRECTREF VERSION-CONTROL";
    let others = "M-SEARCH NOTIFY SUBSCRIBE UNSUBSCRIBE PURGE SOURCE RPC_IN_DATA RPC_OUT_DATA";
    let not_found = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";
    let answer = |method: &str| {
        let target = if method == "CONNECT" { "a.example:443" } else { "/x" };
        let request = format!("{method} {target} HTTP/1.1\r\n\r\n");
        let (exchanges, _) =
            replay(&Wire::midstream().client(request).server(not_found), Options::default());
        let exchange = &exchanges[0];
        exchange.request.is_some() && exchange.response.is_some() && exchanges.len() == 1
    };
    // The kernel counts by the same words, from the first eight octets.
    let is_counted = |method: &str| {
        let line = format!("{method} /x HTTP");
        let number =
            |at: usize| u32::from_be_bytes(line.as_bytes()[at..at + 4].try_into().unwrap());
        head::method(number(0), number(4)) != Method::None
    };
    for method in registered.split_whitespace().chain(others.split_whitespace()) {
        assert!(answer(method), "{method}");
        assert!(is_counted(method), "{method} in the kernel");
        assert!(!answer(&method.to_lowercase()), "{method} in lower case");
        assert!(!answer(&format!("{method}X")), "{method}X");
    }
}

/// A method that is not known takes a whole first line with nothing odd about it, and a field.
#[test]
fn a_connection_under_way_is_read_from_any_method_behind_which_a_field_stands() {
    let check = |request: &str, expected: bool| {
        let wire = Wire::midstream().client(request).server(OK).client(request).server(OK);
        let lines: Vec<String> = replay(&wire, Options::default()).0.iter().map(line).collect();
        let whole = lines.iter().filter(|line| line.contains("/x 0/") && line.contains("-> 200"));
        assert_eq!(whole.count(), if expected { 2 } else { 0 }, "{request:?} {lines:?}");
    };
    for method in ["BREW", "get", "FOO", "PRI", "INVITE", "X-y_z"] {
        check(&format!("{method} /x HTTP/1.1\r\nHost: a\r\n\r\n"), true);
        check(&format!("{method} http://a/x HTTP/1.0\nHost: a\n\n"), true);
        check(&format!("{method} /x HTTP/1.1\r\n\r\n"), false);
        check(&format!("{method} /x HTTP/1.1\r\nno field\r\n\r\n"), false);
        check(&format!("{method} x HTTP/1.1\r\nHost: a\r\n\r\n"), false);
        check(&format!("{method}  /x HTTP/1.1\r\nHost: a\r\n\r\n"), false);
        check(&format!("{method} /x HTTP/1.1 \r\nHost: a\r\n\r\n"), false);
        check(&format!("{method} /x http/1.1\r\nHost: a\r\n\r\n"), false);
        check(&format!("{method} /x HTTP/2.0\r\nHost: a\r\n\r\n"), false);
    }
    // What is left of a method whose start is missing, and a method behind the end of a body.
    check("OST /x HTTP/1.1\r\nHost: a\r\n\r\n", false);
    check("T /x HTTP/1.1\r\nHost: a\r\n\r\n", false);
    check("mPOST /x HTTP/1.1\r\nHost: a\r\n\r\n", false);
    let cut = Wire::midstream().client("BREW /x HTTP/1.1\r\nHo").client("st: a\r\n\r\n");
    let (exchanges, _) = replay(&cut.server(OK), Options::default());
    assert_eq!(line(&exchanges[0]), "BREW /x 0/29 -> 200 2/40 ?midstream");
}
