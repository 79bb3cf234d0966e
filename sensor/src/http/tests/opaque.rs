//! Connections that do not speak HTTP/1 are named once, and nothing is made up of their octets.

use crate::http::tls::tests::hello;
use crate::http::{Engine, Observation, Options, PortFilter, Protocol};
use crate::tcp::wire::Wire;

/// What a connection is put out as, one word an observation.
#[track_caller]
fn check(wire: &Wire, ports: &[u16], expected: &[&str]) {
    let ports = match ports {
        [] => PortFilter::Any,
        ports => PortFilter::Only(ports.iter().copied().collect()),
    };
    let mut engine = Engine::new(Options { ports, ..Options::default() });
    let mut seen = Vec::new();
    let mut sink = |observation| seen.push(word(observation));
    for segment in wire.segments() {
        engine.segment(&segment, &mut sink);
    }
    engine.finish(&mut sink);
    assert_eq!(seen, expected);
    assert_eq!(engine.buffered(), 0);
}

fn word(observation: Observation) -> String {
    match observation {
        Observation::Exchange(_) => "exchange".to_owned(),
        Observation::Skip(_) => "skip".to_owned(),
        Observation::Opaque(connection) => match connection.protocol {
            Protocol::Tls(Some(hello)) => format!("tls {}", hello.server_name.unwrap_or_default()),
            Protocol::Tls(None) => "tls".to_owned(),
            Protocol::Http2 => "http2".to_owned(),
            Protocol::Unknown => "unknown".to_owned(),
        },
    }
}

#[test]
fn tls_is_told_from_its_first_message() {
    let hello = hello("a.example", 200);
    let ciphertext = b"\x17\x03\x03\x01\0GET / HTTP/1.1\r\n\r\n";
    let rest = |wire: Wire| wire.server(b"\x16\x03\x03\0\x04\x02\0\0\0").client(ciphertext).close();
    check(&rest(Wire::open().client(&hello)), &[], &["tls a.example"]);
    let octets = hello.iter().fold(Wire::open(), |wire, octet| wire.client([*octet]));
    check(&rest(octets), &[], &["tls a.example"]);
    let proxied = [b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n", &hello[..]].concat();
    check(&rest(Wire::open().client(proxied)), &[80], &["tls a.example"]);
}

#[test]
fn a_hello_that_ends_early_is_still_tls() {
    let hello = hello("a.example", 200);
    check(&Wire::open().client(&hello[..100]).close(), &[], &["tls"]);
    check(&Wire::open().client(&hello[..100]).reset(), &[], &["tls"]);
}

#[test]
fn other_protocols() {
    let http2 = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    check(&Wire::open().client(http2).server("\0\0\0\x04\0\0\0\0\0").close(), &[], &["http2"]);
    let ssh = Wire::open().client("SSH-2.0-a\r\n").server("SSH-2.0-b\r\n").close();
    check(&ssh, &[80], &["unknown"]);
    // Where no port is named, what is not HTTP is nobody's business.
    check(&ssh, &[], &[]);
    check(&Wire::open().close(), &[80], &[]);
}

#[test]
fn http_is_not_opaque() {
    for head in ["GET / HTTP/1.1\r\n\r\n", "PRI / HTTP/1.1\r\n\r\n", "P"] {
        let end = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
        let method = if head.len() > 1 { "" } else { "OST / HTTP/1.1\r\n\r\n" };
        let wire = Wire::open().client(head).client(method).server(end).close();
        check(&wire, &[80], &["exchange"]);
    }
}
