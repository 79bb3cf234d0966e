//! Messages that follow the grammar, and where each of them ends.

use super::{check, fields, replay};
use crate::config::ClientHeader;
use crate::http::{BodyPolicies, BodyPolicy, Options, PortFilter, TrustedProxies, Version};
use crate::tcp::wire::Wire;

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const GET: &str = "GET / HTTP/1.1\r\n\r\n";

#[test]
fn bodies_end_where_their_framing_says() {
    let post = "POST /p HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello";
    check(&Wire::open().client(post).server(OK).close(), &["POST /p 5/44 -> 200 2/40"]);
    let chunked = "POST /c HTTP/1.1\r\nTransfer-Encoding: gzip, Chunked\r\n\r\n\
                   5\r\nhello\r\n6;a=\"b\"\r\n world\r\n0\r\nX-Sum: 1\r\n\r\n";
    let wire = Wire::open().client(chunked).server(OK).close();
    check(&wire, &["POST /c 11/96 -> 200 2/40"]);
    let until_close = "HTTP/1.0 200 OK\r\n\r\nall the rest";
    check(&Wire::open().client(GET).server(until_close).close(), &["GET / 0/18 -> 200 12/31"]);
}

#[test]
fn some_responses_have_no_body_whatever_they_declare() {
    let declared = |status: &str| format!("HTTP/1.1 {status} X\r\nContent-Length: 9\r\n\r\n");
    let wire = Wire::open()
        .client("HEAD /h HTTP/1.1\r\n\r\n")
        .server(declared("200"))
        .client(GET)
        .server(declared("304"))
        .client(GET)
        .server(declared("204"))
        .client(GET)
        .server(OK)
        .close();
    check(
        &wire,
        &[
            "HEAD /h 0/20 -> 200 0/37",
            "GET / 0/18 -> 304 0/37",
            "GET / 0/18 -> 204 0/37 !length_without_body",
            "GET / 0/18 -> 200 2/40",
        ],
    );
}

#[test]
fn interim_responses_come_before_the_final_one() {
    let wire = Wire::open()
        .client("POST /e HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n")
        .server("HTTP/1.1 100 Continue\r\n\r\n")
        .client("abc")
        .server("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
        .server(OK)
        .close();
    check(&wire, &["POST /e 3/64 -> 200 2/40"]);
    let (exchanges, engine) = replay(&wire, Options::default());
    let request = exchanges[0].request.as_ref().unwrap();
    let response = exchanges[0].response.as_ref().unwrap();
    assert_eq!(response.started.nanoseconds_since(request.started), 1000);
    assert_eq!(engine.counters().responses, 1);
}

#[test]
fn requests_may_be_sent_before_earlier_ones_are_answered() {
    let wire = Wire::open()
        .client(format!("{GET}\r\nGET /2 HTTP/1.1\r\n\r\nGET /3"))
        .client(" HTTP/1.1\r\n\r\n")
        .server(format!("{OK}{OK}HTTP/1.1 40"))
        .server("4 No\r\nContent-Length: 0\r\n\r\n")
        .close();
    check(&wire, &["GET / 0/18 -> 200 2/40", "GET /2 0/19 -> 200 2/40", "GET /3 0/19 -> 404 0/38"]);
}

#[test]
fn an_answer_may_come_before_the_request_has_ended() {
    let wire = Wire::open()
        .client("POST /big HTTP/1.1\r\nContent-Length: 6\r\n\r\nabc")
        .server("HTTP/1.1 413 Big\r\nContent-Length: 0\r\n\r\n")
        .client("def")
        .client(GET)
        .server(OK)
        .close();
    check(&wire, &["POST /big 6/47 -> 413 0/39", "GET / 0/18 -> 200 2/40"]);
}

#[test]
fn other_protocols_after_the_head_are_not_read() {
    let wire = Wire::open()
        .client("GET /ws HTTP/1.1\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n")
        .server("HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\n\r\nHTTP/1.1 200 OK\r\n\r\n")
        .client(GET)
        .close();
    check(&wire, &["GET /ws 0/61 -> 101 0/46"]);
    let wire = Wire::open()
        .client("CONNECT a.example:443 HTTP/1.1\r\n\r\n")
        .server("HTTP/1.1 200 Yes\r\n\r\n")
        .client(GET)
        .server(OK)
        .close();
    let (_, engine) = replay(&wire, Options::default());
    check(&wire, &["CONNECT a.example:443 0/34 -> 200 0/20"]);
    assert_eq!(engine.counters().opaque_connections, 1);
    assert_eq!(engine.counters().opaque_octets, (GET.len() + OK.len()) as u64);
}

/// Whatever is sent behind the request belongs to the other protocol, also before it is granted.
#[test]
fn what_is_sent_early_into_a_tunnel_is_no_request() {
    let upgrade = "GET /ws HTTP/1.1\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n";
    let switch = "HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n";
    let connect = "CONNECT a.example:443 HTTP/1.1\r\n\r\n";
    let granted = "HTTP/1.1 200 Yes\r\n\r\n";
    let post = "POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\n";
    for early in [GET, "GET / HT", "GET / HTTP/1.1\r\nA", &format!("{GET}{GET}"), post, "\x16\x03"]
    {
        for (request, answer, expected) in [
            (upgrade, switch, "GET /ws 0/53 -> 101 0/38"),
            (connect, granted, "CONNECT a.example:443 0/34 -> 200 0/20"),
        ] {
            let one = Wire::open().client(format!("{request}{early}")).server(answer).server(OK);
            check(&one.client(GET).close(), &[expected]);
            let two = Wire::open().client(request).client(early).server(answer).client(GET);
            let two = two.close();
            check(&two, &[expected]);
            let (_, engine) = replay(&two, Options::default());
            let seen = engine.counters().opaque_octets + engine.counters().unrecognised_octets;
            assert_eq!(seen, (early.len() + GET.len()) as u64, "{early}");
        }
    }
    // Nobody asked for it: what follows may be meant as a request.
    let unasked = Wire::open().client(format!("{GET}{GET}")).server(switch).close();
    check(&unasked, &["GET / 0/18 -> 101 0/38", "GET / 0/18 -> -"]);
}

#[test]
fn a_refused_tunnel_leaves_the_connection_http() {
    let wire = Wire::open()
        .client("CONNECT a.example:443 HTTP/1.1\r\n\r\n")
        .server("HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n")
        .client(GET)
        .server(OK)
        .close();
    check(&wire, &["CONNECT a.example:443 0/34 -> 407 0/38", "GET / 0/18 -> 200 2/40"]);
}

#[test]
fn targets_and_fields_stand_exactly_as_sent() {
    let head = "OPTIONS http://a.example/%2F?x=1#y HTTP/1.0\r\n\
                Host:  a.example \r\nX-Empty:\r\nx-twice: 1\r\nX-Twice: 2\r\n\r\n";
    let (exchanges, _) = replay(&Wire::open().client(head).close(), Options::default());
    let request = exchanges[0].request.as_ref().unwrap();
    assert_eq!(request.target, "http://a.example/%2F?x=1#y");
    assert_eq!(request.version, Version(1, 0));
    assert_eq!(fields(&request.headers), "Host: a.example\nX-Empty: \nx-twice: 1\nX-Twice: 2\n");
    assert_eq!(request.headers.all("x-TWICE").count(), 2);
}

#[test]
fn what_was_cut_off_is_said_to_be() {
    let half = "POST /half HTTP/1.1\r\nContent-Length: 9\r\n\r\nabc";
    check(&Wire::open().client(half).close(), &["POST /half 3/45~ -> - ?truncated"]);
    let head = "GET /head HTTP/1.1\r\nHost: a";
    check(&Wire::open().client(head).close(), &["GET /head ?/27~ -> - ?truncated"]);
    check(&Wire::open().client("GET /li").close(), &[]);
    check(&Wire::open().client(GET), &["GET / 0/18 -> - ?truncated"]);
    check(&Wire::open().client(GET).reset(), &["GET / 0/18 -> -"]);
    let short = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc";
    let wire = Wire::open().client(GET).server(short).reset();
    check(&wire, &["GET / 0/18 -> 200 3/41~ ?truncated"]);
}

#[test]
fn connections_that_do_not_speak_http_give_nothing() {
    let table: [(&[u8], &[u8]); 5] = [
        (b"", b"220 mail.example ESMTP\r\n"),
        (b"\x16\x03\x01\x02\x00\x01", b"\x16\x03\x03"),
        (b"SSH-2.0-x\r\n", b"SSH-2.0-y\r\n"),
        (b"OPTIONS sip:a@b SIP/2.0\r\n\r\n", b"SIP/2.0 200 OK\r\n\r\n"),
        (b"USER anonymous\r\n", b"331 Please\r\n"),
    ];
    for (client, server) in table {
        check(&Wire::open().client(client).server(server).close(), &[]);
        check(&Wire::open().server(server).client(client).client(GET).close(), &[]);
    }
}

#[test]
fn an_odd_method_needs_an_answer_that_is_http() {
    let odd = "REQ /odd HTTP/1.1\r\n\r\n";
    check(&Wire::open().client(odd).server(OK).close(), &["REQ /odd 0/21 -> 200 2/40"]);
    let wire = Wire::open().client(odd).server("\x01\x02OK\r\n").close();
    check(&wire, &[]);
    assert_eq!(replay(&wire, Options::default()).1.counters().taken_back, 1);
}

#[test]
fn only_the_ports_asked_for_are_read() {
    let wire = Wire::open().client(GET).server(OK).close();
    for (port, exchanges) in [(80, 1), (40_000, 1), (81, 0)] {
        let ports = PortFilter::Only([port].into());
        let options = Options { ports, ..Options::default() };
        assert_eq!(replay(&wire, options).0.len(), exchanges, "{port}");
    }
}

#[test]
fn a_watched_port_keeps_the_answer_to_what_is_no_request() {
    let request = "GET / HTTP/1.1\r\n\r\n";
    for octets in ["\x00\x01garbage\r\n\r\n", &format!(" {request}"), &format!("\u{feff}{request}")]
    {
        let options = Options { ports: PortFilter::Only([80].into()), ..Options::default() };
        let wire = Wire::open()
            .client(octets)
            .server("HTTP/1.1 400 Bad\r\nContent-Length: 0\r\n\r\n")
            .close();
        let (exchanges, _) = replay(&wire, options);
        let lines: Vec<_> = exchanges.iter().map(super::line).collect();
        assert_eq!(lines, ["- -> 400 0/39 !unrecognised_request"], "{octets:?}");
    }
}

#[test]
fn bodies_are_kept_as_the_policy_says() {
    let digest = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
    let chunked = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n\
                   2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n";
    for (content_cap, content, truncated) in
        [(0, None, false), (3, Some("hel"), true), (9, Some("hello"), false)]
    {
        let bodies = BodyPolicies::all(BodyPolicy { sha256: true, content_cap });
        let wire = Wire::open().client(chunked).close();
        let (exchanges, _) = replay(&wire, Options { bodies, ..Options::default() });
        let body = &exchanges[0].request.as_ref().unwrap().body;
        let hex: String = body.sha256.unwrap().iter().map(|o| format!("{o:02x}")).collect();
        assert_eq!(hex, digest);
        assert_eq!(body.content.as_deref(), content.map(str::as_bytes));
        assert_eq!(body.truncated, truncated);
    }
}

#[test]
fn the_client_behind_trusted_proxies_is_named() {
    let get = "GET / HTTP/1.1\r\nX-Forwarded-For: 192.0.2.7\r\n\r\n";
    let header = "PROXY TCP4 192.0.2.9 10.0.0.2 5000 80\r\n";
    let trust = |net: &str| TrustedProxies {
        networks: vec![net.parse().unwrap()],
        header: ClientHeader::XForwardedFor,
    };
    let table = [
        (trust("10.0.0.1/32"), get.to_owned(), "192.0.2.7"),
        (trust("172.16.0.0/12"), get.to_owned(), "10.0.0.1"),
        (trust("10.0.0.1/32"), format!("{header}{GET}"), "192.0.2.9"),
        (trust("10.0.0.1/32"), format!("{header}{get}"), "192.0.2.9"),
        (trust("172.16.0.0/12"), format!("{header}{GET}"), "10.0.0.1"),
        (trust("0.0.0.0/0"), format!("{header}{get}"), "192.0.2.7"),
    ];
    for (proxies, octets, client) in table {
        for cut in [0, 3, 30] {
            let wire = Wire::open().client(&octets[..cut]).client(&octets[cut..]).server(OK);
            let options = Options { proxies: proxies.clone(), ..Options::default() };
            let (exchanges, _) = replay(&wire, options);
            assert_eq!(exchanges.len(), 1);
            assert_eq!(exchanges[0].client.to_string(), client, "{octets} {cut}");
            assert_eq!(exchanges[0].flow.source.ip().to_string(), "10.0.0.1");
        }
    }
}
