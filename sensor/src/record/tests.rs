//! Whole records: reviewed ones, and what must hold for any content.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::*;
use serde_json::Value;
use uuid::Uuid;

use super::*;
use crate::capture::Timestamp;
use crate::decide::{Action, Origin, Scope};
use crate::detect::{Consequence, Place, Rule};
use crate::golden;
use crate::http::{
    Anomaly, Body, ClientHello, Coverage, Exchange, Headers, Opaque, Protocol, Response, Version,
};
use crate::webhook::{Delivery, fixture};

const GITHUB: &str = "Host: hooks.example.com:8080\n\
    User-Agent: GitHub-Hookshot/044aadd\n\
    Content-Type: application/json\n\
    Content-Length: 7324\n\
    X-GitHub-Event: push\n\
    X-GitHub-Delivery: 72d3162e-cc78-11e3-81ab-4c9367dc0958\n\
    X-Hub-Signature-256: sha256=f3a1\n\
    traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

fn observer() -> Observer {
    Observer {
        hostname: "host1".to_owned(),
        version: "0.1.0",
        interfaces: BTreeMap::from([(1, "eth0".to_owned())]),
    }
}

/// The record as the line of JSON that is written.
fn line(record: &impl Serialize) -> String {
    let mut line = Vec::new();
    write_line(record, &mut line);
    String::from_utf8(line).unwrap()
}

/// The line of a delivery.
fn delivery(delivery: &Delivery) -> String {
    let mut recorder = Recorder::new(Arc::new(observer()));
    let line = recorder.delivery(delivery).to_vec();
    assert_eq!(line, recorder.delivery(delivery), "what is remembered is what was written");
    String::from_utf8(line).unwrap()
}

/// The line of a connection.
fn connection(connection: &Opaque) -> String {
    let mut recorder = Recorder::new(Arc::new(observer()));
    String::from_utf8(recorder.connection(connection).to_vec()).unwrap()
}

/// Compares the line with the reviewed record of this name.
fn check(name: &str, line: &str) {
    let record: Value = serde_json::from_str(line).unwrap();
    golden::check(&format!("tests/golden/records/{name}.json"), &format!("{record:#}\n"));
}

fn check_delivery(name: &str, exchange: Box<Exchange>) {
    let endpoint = crate::config::Endpoint {
        name: "github".to_owned(),
        port: 8080,
        path_prefix: "/hooks/github".to_owned(),
        ..crate::config::Endpoint::default()
    };
    let content = exchange.request.as_ref().and_then(|request| request.body.content.clone());
    let mut delivered = fixture::deliver_to(exchange, vec![endpoint]);
    // As where the configuration asks for contents.
    if let Some(request) = &mut delivered.exchange.request {
        request.body.content = content;
    }
    check(name, &delivery(&delivered));
}

fn response(status: u16) -> Response {
    Response {
        started: Timestamp(1_700_000_000_004_200_000),
        status,
        version: Version(1, 1),
        headers: Headers::default(),
        body: Body { bytes: 2, ..Body::default() },
        wire_bytes: 40,
    }
}

/// A POST with its body and response.
fn answered(target: &str, lines: &str, status: u16) -> Box<Exchange> {
    let mut exchange = fixture::exchange(target, lines);
    let request = exchange.request.as_mut().unwrap();
    request.body.bytes = 7324;
    request.wire_bytes = 7800;
    exchange.response = Some(response(status));
    exchange
}

#[test]
fn a_full_delivery() {
    let mut exchange = answered("/hooks/github/ci?branch=main", GITHUB, 202);
    exchange.request.as_mut().unwrap().body.sha256 = Some([0xab; 32]);
    exchange.flow.vlan = Some(42);
    exchange.client = "203.0.113.9".parse().unwrap();
    check_delivery("github", exchange);
}

#[test]
fn a_chunked_request() {
    let lines = "Host: a\nTransfer-Encoding: chunked\nContent-Length: 1";
    let mut exchange = answered("/hook", lines, 401);
    exchange.request.as_mut().unwrap().wire_bytes = 9000;
    exchange.anomalies = vec![Anomaly::ConflictingLength, Anomaly::BareLf];
    check_delivery("chunked", exchange);
}

#[test]
fn no_response() {
    let mut exchange = fixture::exchange("/hook", "Host: a\nReferer: https://b/c");
    exchange.index = 3;
    check_delivery("no_response", exchange);
}

#[test]
fn a_response_only() {
    let mut exchange = answered("/hook", "", 200);
    exchange.request = None;
    exchange.coverage = Coverage::MIDSTREAM;
    check_delivery("response_only", exchange);
}

#[test]
fn midstream_with_a_gap() {
    let mut exchange = answered("/hook", "Host: a", 500);
    exchange.coverage = Coverage::MIDSTREAM;
    exchange.coverage.add(Coverage::GAP);
    exchange.request.as_mut().unwrap().body.truncated = true;
    check_delivery("midstream_gap", exchange);
}

#[test]
fn secrets() {
    let lines = "Host: admin:S3CRET@hooks.example.com\n\
        Authorization: Bearer S3CRET\nCookie: session=S3CRET\nX-Gitlab-Event: Push Hook\n\
        X-Gitlab-Token: S3CRET\nX-Api-Key: S3CRET\nX-Hub-Signature-256: sha256=S3CRET\n\
        Referer: https://u:S3CRET@example.com/?code=S3CRET&page=2\n\
        X-Original-URL: /hook?token=S3CRET";
    let target = "http://u:S3CRET@hooks.example.com/hook?a=1&Access_Token=S3CRET&b=2";
    let exchange = answered(target, lines, 200);
    let text = delivery(&fixture::deliver(exchange.clone()));
    assert!(!text.contains("S3CRET"), "{text}");
    check_delivery("redaction", exchange);
}

#[test]
fn payloads_with_faults_and_unjudged() {
    use crate::webhook::payload::{Fault, Mismatch, Unjudged};
    use crate::webhook::{Delivery, Payload};

    let mut exchange = fixture::exchange("/hook", "X-GitHub-Event: push");
    exchange.index = 1;
    let mut delivered = fixture::deliver(exchange);
    let mismatch = Mismatch { pointer: "/commits/0/id".to_owned(), keyword: "type".to_owned() };
    let fields = |delivered: &Delivery| {
        let record: Value = serde_json::from_str(&delivery(delivered)).unwrap();
        [record["webhook"]["payload"].clone(), record["webhook"]["schema"].clone()]
    };
    delivered.payload = Some(Payload::unjudged(Unjudged::TooLarge));
    let reason = "it is larger than is looked at";
    let unjudged = serde_json::json!({ "status": "unjudged", "reason": reason });
    assert_eq!(fields(&delivered), [unjudged, Value::Null]);
    delivered.payload = Some(Payload { schema: Some(Ok(())), ..Payload::default() });
    let expected = [r#"{"status":"sound"}"#, r#"{"valid":true}"#];
    assert_eq!(fields(&delivered).map(|fields| fields.to_string()), expected);
    let faults = vec![Fault::Schema(mismatch.clone())];
    delivered.payload = Some(Payload { faults, schema: Some(Err(mismatch)), unjudged: None });
    check("payload", &delivery(&delivered));
}

#[test]
fn hostile_octets() {
    let mut exchange = answered("/", "", 200);
    // The value of what is no name is covered.
    let (name, value) = (b"Bad\xffName\x01Fine", b"\"a\xffb\0\n\"\\\x1b[31m\xc2\x9b");
    let request = exchange.request.as_mut().unwrap();
    let head = Bytes::from([&name[..], value].concat());
    request.headers = Headers::new(head, vec![(0..9, 13..28), (9..13, 13..28)]);
    request.method = Bytes::from_static(b"P\xf0ST\r");
    request.target = Bytes::from_static(b"/\xff\"}\n{\"a\":1?\0=\xc3&x=\xe2\x80\xa8");
    request.body.content = Some(Bytes::from_static(b"\0\x01\xfe\xff{"));
    check_delivery("hostile", exchange);
}

#[test]
fn repeated_headers() {
    let lines = "Accept: a\nX-Tag: 1\naccept: b\nX-TAG: 2\nACCEPT: c\nCookie: a\ncookie: b";
    check_delivery("repeated_headers", answered("/hook", lines, 204));
}

fn opaque(protocol: Protocol) -> Opaque {
    let flow = fixture::exchange("/", "").flow;
    Opaque { flow, started: Timestamp(1_700_000_000_000_000_000), protocol }
}

#[test]
fn connections_that_are_not_read() {
    let hello = ClientHello {
        server_name: Some("hooks.example.com".to_owned()),
        protocols: vec!["h2".to_owned(), "http/1.1".to_owned()],
        version: 0x0304,
        ja4: "t13d1516h2_8daaf6152771_e5627efa2ab1".to_owned(),
    };
    let tls = opaque(Protocol::Tls(Some(Box::new(hello))));
    check("connection_tls", &connection(&tls));
    check("connection_tls_cut", &connection(&opaque(Protocol::Tls(None))));
    check("connection_http2", &connection(&opaque(Protocol::Http2)));
    check("connection_unknown", &connection(&opaque(Protocol::Unknown)));
}

#[test]
fn ipv6() {
    let mut exchange = answered("/hook", "Host: [2001:db8::2]:8080", 200);
    exchange.flow.source = "[2001:db8::1]:40000".parse::<SocketAddr>().unwrap();
    exchange.flow.destination = "[2001:db8::2]:8080".parse().unwrap();
    exchange.flow.interface = 9;
    exchange.client = exchange.flow.source.ip();
    check_delivery("ipv6", exchange);
}

#[test]
fn bounds() {
    let cut = |lines: &str| -> Value {
        let delivered = fixture::deliver(answered("/", lines, 200));
        serde_json::from_str(&delivery(&delivered)).unwrap()
    };
    let many =
        (0..=headers::MAX_FIELDS).fold(String::new(), |text, n| text + &format!("h{n}: v\n"));
    let record = cut(&many);
    let shown = record["http"]["request"]["headers"].as_object().unwrap();
    assert_eq!(shown.len(), headers::MAX_FIELDS);
    assert_eq!(record["hooksensor"]["cut"], serde_json::json!(["http.request.headers"]));

    // The last character that fits in part has four octets.
    let long = format!("{}\u{1f600}", "x".repeat(headers::MAX_VALUE_BYTES - 2));
    let record = cut(&format!("long: {long}\nuser-agent: {long}"));
    let expected = "x".repeat(headers::MAX_VALUE_BYTES - 2);
    assert_eq!(record["http"]["request"]["headers"]["long"], expected);
    assert_eq!(record["user_agent"]["original"], expected);
    assert_eq!(record["hooksensor"]["cut"], serde_json::json!(["http.request.headers"]));

    let fits = "x".repeat(headers::MAX_VALUE_BYTES);
    assert!(cut(&format!("long: {fits}"))["hooksensor"]["cut"].is_null());
}

const RULE: Rule = Rule { id: "failed_requests", version: 1, consequence: Consequence::Ban };

fn ids() -> Vec<Uuid> {
    vec![Uuid::from_u128(1), Uuid::from_u128(2)]
}

#[test]
fn a_finding() {
    let found = Finding {
        id: Uuid::from_u128(3),
        rule: RULE,
        time: Timestamp(1_700_000_000_000_000_000),
        source: Some("198.51.100.7".parse().unwrap()),
        place: None,
        port: 8080,
        reason: "50 failed requests in 60s".to_owned(),
        evidence: ids(),
    };
    check("finding", &line(&finding(&found, &observer())));
}

#[test]
fn a_finding_about_a_receiver() {
    let place = Place { endpoint: "orders".to_owned(), provider: "github".to_owned() };
    let found = Finding {
        id: Uuid::from_u128(3),
        rule: Rule { id: "receiver-failing", version: 1, consequence: Consequence::Alert },
        time: Timestamp(1_700_000_000_000_000_000),
        source: None,
        place: Some(place),
        port: 8080,
        reason: "5 of the last 7 deliveries were not answered with success".to_owned(),
        evidence: ids(),
    };
    check("finding_receiver", &line(&finding(&found, &observer())));
    // Of a delivery to no configured endpoint only the provider is known.
    let place = Place { endpoint: String::new(), provider: "github".to_owned() };
    let found = Finding { place: Some(place), ..found };
    check("finding_no_endpoint", &line(&finding(&found, &observer())));
}

#[test]
fn decisions() {
    let ban = Decision {
        id: Uuid::from_u128(4),
        time: Timestamp(1_700_000_000_000_000_000),
        action: Action::Ban,
        target: "198.51.100.7/32".parse().unwrap(),
        scope: Scope::WatchedPorts,
        duration: Duration::from_secs(3600),
        origin: Origin::Rule(RULE),
        reason: "50 failed requests in 60s".to_owned(),
        evidence: ids(),
        enforced: true,
    };
    check("ban", &line(&decision(&ban, &observer())));
    check("would_ban", &line(&decision(&Decision { enforced: false, ..ban.clone() }, &observer())));
    let unban = Decision {
        action: Action::Unban,
        target: "2001:db8::/48".parse().unwrap(),
        scope: Scope::Ports([80, 8080].into()),
        origin: Origin::Operator,
        reason: "said \"sorry\"\n".to_owned(),
        evidence: Vec::new(),
        ..ban
    };
    check("unban", &line(&decision(&unban, &observer())));
}

proptest! {
    #[test]
    fn any_content_is_one_line_of_json(
        method: Vec<u8>,
        target: Vec<u8>,
        name: Vec<u8>,
        value: Vec<u8>,
        content: Vec<u8>,
    ) {
        let mut exchange = answered("/", "", 200);
        let request = exchange.request.as_mut().unwrap();
        request.method = method.into();
        request.target = target.into();
        request.body.content = Some(content.into());
        let end = u32::try_from(name.len()).unwrap();
        let last = end + u32::try_from(value.len()).unwrap();
        let head = Bytes::from([name, value].concat());
        request.headers = Headers::new(head, vec![(0..end, end..last), (0..end, end..last)]);
        let text = delivery(&fixture::deliver(exchange));
        prop_assert!(!text.contains(char::is_control));
        let record: Value = serde_json::from_str(&text).unwrap();
        prop_assert!(record["http"]["request"]["headers"].is_object());
    }

    #[test]
    fn no_secret_is_shown(
        header in "authorization|cookie|set-cookie|proxy-authorization|x-gitlab-token|\
                   x-hub-signature-256|stripe-signature|x-api-key|x-[a-z]{1,5}-(token|secret)",
        parameter in "token|access_token|key|api_key|secret|signature|sig|password|code",
        page in "[a-z]{1,5}",
        in_capitals: bool,
    ) {
        let in_case = |name: String| if in_capitals { name.to_ascii_uppercase() } else { name };
        let (header, parameter) = (in_case(header), in_case(parameter));
        let url = format!("https://u:S3CRET@h/?{page}=1&{parameter}=S3CRET");
        let host = format!("S3CRET@h?{parameter}=S3CRET");
        let lines = format!("{header}: S3CRET\nReferer: {url}\nX-Url: {url}\nHost: {host}");
        for target in [&url[..], &url["https://".len()..], &url["https://u:S3CRET@h".len()..]] {
            let text = delivery(&fixture::deliver(answered(target, &lines, 200)));
            prop_assert!(!text.contains("S3CRET"), "{text}");
        }
    }
}
