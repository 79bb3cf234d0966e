//! Where no port is named, a connection that began with what is no request is HTTP if its server
//! says so first.

use super::{line, replay};
use crate::http::{Options, PortFilter};
use crate::tcp::wire::Wire;

const NO: &str = "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";
const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
const NEXT: &str = "GET /next HTTP/1.1\r\n\r\n";

fn lines(wire: &Wire, ports: PortFilter) -> Vec<String> {
    let (exchanges, engine) = replay(wire, Options { ports, ..Options::default() });
    assert_eq!(engine.buffered(), 0);
    exchanges.iter().map(line).collect()
}

/// What clients say first that is no request.
fn odd() -> Vec<String> {
    let heads = [
        " GET /a HTTP/1.1\r\n\r\n",
        "\u{feff}GET /a HTTP/1.1\r\n\r\n",
        " \r\nGET /a HTTP/1.1\r\n\r\n",
        "GET /a\r\nHost: a\r\n\r\n",
        "GET  HTTP/1.1\r\n\r\n",
        "PUT / RTSP/1.0\r\n\r\n",
        "HELLO\r\n\r\n",
        "\0\x01garbage",
    ];
    let long = format!("{}\r\n\r\n", "x".repeat(60_000));
    heads.iter().map(|head| (*head).to_owned()).chain([long]).collect()
}

#[test]
fn a_status_line_makes_it_what_a_named_port_does() {
    for odd in odd() {
        let sent = [odd.clone(), format!("{odd}{NEXT}")];
        for sent in sent {
            let wire = Wire::open().client(&sent).server(NO).client(NEXT).server(OK).close();
            let expected = lines(&wire, PortFilter::Only([80].into()));
            assert!(expected.iter().any(|line| line.contains("-> 400")), "{expected:?}");
            assert_eq!(lines(&wire, PortFilter::Any), expected, "{sent:.40}");
        }
    }
    let wire = Wire::open().client(" GET /a HTTP/1.1\r\n\r\n").server(NO).client(NEXT).server(OK);
    assert_eq!(
        lines(&wire.close(), PortFilter::Any),
        ["- -> 400 0/47 !unrecognised_request", "GET /next 0/22 -> 200 0/38"]
    );
}

#[test]
fn nothing_else_does() {
    let answers = ["SSH-2.0-b\r\n", "RTSP/1.0 200 OK\r\n\r\n", "HTTP/2.0 200 OK\r\n\r\n", "<html>"];
    for odd in odd() {
        let sent = format!("{odd}{NEXT}");
        for answer in answers {
            let wire = Wire::open().client(&sent).server(answer).client(NEXT).server(OK).close();
            assert_eq!(lines(&wire, PortFilter::Any), [""; 0], "{sent:.40} {answer}");
        }
        let silent = Wire::open().client(&sent).client(NEXT);
        assert_eq!(lines(&silent, PortFilter::Any), [""; 0], "{sent:.40}");
        assert_eq!(lines(&silent.close(), PortFilter::Any), [""; 0], "{sent:.40}");
        let lost = Wire::open().client(&sent).server("220 a\r\n").lose().server(OK).client(NEXT);
        assert_eq!(lines(&lost.server(OK).close(), PortFilter::Any), [""; 0], "{sent:.40}");
    }
}

/// Requests behind octets that are none are not kept for ever, nor believed.
#[test]
fn patience_ends() {
    let few = format!("HELLO\r\n\r\n{}", NEXT.repeat(127));
    let many = format!("HELLO\r\n\r\n{}", NEXT.repeat(128));
    let long = format!("{}\r\n", "x".repeat(64 << 10));
    for (sent, is_read) in [(few, true), (many, false), (long, false)] {
        let wire = Wire::open().client(sent).server(NO).close();
        assert_eq!(!lines(&wire, PortFilter::Any).is_empty(), is_read);
    }
}
