//! Signed deliveries from segments to records, through every stage.

use std::collections::BTreeMap;

use serde_json::Value;
use zeroize::Zeroizing;

use super::*;
use crate::tcp::wire::Wire;
use crate::webhook::Secret;

const CONFIG: &str = r#"
    [[endpoint]]
    name = "github"
    port = 80
    path_prefix = "/github"
    provider = "github"
    secrets = ["env:OLD", "env:NEW"]
    [[endpoint]]
    name = "open"
    port = 80
    path_prefix = "/open"
"#;

const BODY: &str = "Hello, World!";

/// GitHub's own example: `BODY` signed with "It's a Secret to Everybody".
const SIGNATURE: &str = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";

/// Settings with the keys and the observer that go with them.
type Settings = (Config, Arc<Knowledge>, Arc<Observer>);

fn settings() -> Settings {
    let config = Config::parse(CONFIG, "test").unwrap();
    let secret = |name: &str, text: &str| Secret::new(name, Zeroizing::new(text.into()));
    let secrets = vec![secret("env:OLD", "older"), secret("env:NEW", "It's a Secret to Everybody")];
    let knowledge = Arc::new(Knowledge::new(&config, vec![secrets, Vec::new()]));
    let observer = Observer { hostname: String::new(), version: "0", interfaces: BTreeMap::new() };
    (config, knowledge, Arc::new(observer))
}

fn basis((config, knowledge, observer): &Settings) -> Basis<'_> {
    let (knowledge, observer) = (Arc::clone(knowledge), Arc::clone(observer));
    Basis { config, knowledge, ports: PortFilter::Any, observer, seed: 0 }
}

/// The records of the requests of one connection, and the rules of the findings they lead to.
fn run(wire: &Wire) -> (Vec<Value>, Vec<&'static str>) {
    run_through(Stages::new(basis(&settings())), wire)
}

fn run_through(mut stages: Stages, wire: &Wire) -> (Vec<Value>, Vec<&'static str>) {
    let (mut records, mut rules) = (Vec::new(), Vec::new());
    let mut put = |output: Output<'_>| match output {
        Output::Delivery(line) => records.push(serde_json::from_slice(line).unwrap()),
        Output::Finding(finding) => rules.push(finding.rule.id),
        Output::Connection(line) => panic!("{line:?}"),
        Output::Skip(skip) => panic!("{skip:?}"),
    };
    for segment in wire.segments() {
        stages.segment(&segment, &mut put);
    }
    stages.finish(&mut put);
    (records, rules)
}

fn request(path: &str, delivery: &str, signature: &str, body: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nX-GitHub-Event: push\r\nX-GitHub-Delivery: {delivery}\r\n\
         X-Hub-Signature-256: sha256={signature}\r\nTransfer-Encoding: chunked\r\n\r\n\
         5\r\n{}\r\n{:x}\r\n{}\r\n0\r\n\r\n",
        &body[..5],
        body.len() - 5,
        &body[5..]
    )
}

fn answered(wire: Wire, request: &str, status: u16) -> Wire {
    wire.client(request).server(format!("HTTP/1.1 {status} x\r\nContent-Length: 0\r\n\r\n"))
}

/// What a record says of its signature and of earlier deliveries.
fn said(record: &Value) -> (&str, &str, &str) {
    let text = |pointer: &str| record.pointer(pointer).and_then(Value::as_str).unwrap_or("-");
    (text("/webhook/signature/status"), text("/webhook/signature/key_id"), text("/webhook/replay"))
}

#[test]
fn each_status_reaches_its_record() {
    let good = |id: &str| request("/github", id, SIGNATURE, BODY);
    let mut wire = answered(Wire::open(), &good("a"), 500);
    wire = answered(wire, &good("a"), 200);
    wire = answered(wire, &good("a"), 200);
    wire = answered(wire, &request("/github", "b", SIGNATURE, "Hello, world!"), 200);
    wire = answered(wire, &request("/open", "c", SIGNATURE, BODY), 200);
    wire = answered(wire, &good("d").replace("X-Hub", "X-No"), 200);
    let common = Arc::new(Common::new(&settings().0));
    let company = Company { common: Arc::clone(&common), size: 1 };
    let stages = Stages::among(company, basis(&settings()));
    let (records, rules) = run_through(stages, &wire);
    let found: Vec<_> = records.iter().map(said).collect();
    let expected = [
        ("valid", "env:NEW", "first"),
        ("valid", "env:NEW", "retry"),
        ("valid", "env:NEW", "replayed"),
        ("invalid", "-", "first"),
        ("unchecked", "-", "first"),
        ("missing", "-", "first"),
    ];
    assert_eq!(found, expected);
    assert_eq!(rules, ["replayed-delivery", "invalid-signature", "missing-signature"]);
    let counted: Vec<_> = common.coverage().iter().map(signatures).collect();
    let expected = [("github", "invalid 1, missing 1, valid 3"), ("open", "unchecked 1")];
    assert_eq!(counted, expected.map(|(endpoint, counts)| (endpoint.into(), counts.into())));
}

/// The endpoint, and how many of its requests have each status of a signature.
fn signatures(one: &EndpointCoverage) -> (String, String) {
    let there = one.signatures.iter().filter(|(_, count)| **count > 0);
    let counts: Vec<_> = there.map(|(status, count)| format!("{status} {count}")).collect();
    (one.endpoint.clone(), counts.join(", "))
}

/// A retry may come from another address, and so to another shard.
#[test]
fn stages_in_company_know_what_the_others_saw() {
    let settings = settings();
    let common = Arc::new(Common::new(&settings.0));
    let mut found = Vec::new();
    for status in [500, 200, 200] {
        let company = Company { common: Arc::clone(&common), size: 2 };
        let one = Stages::among(company, basis(&settings));
        let wire = answered(Wire::open(), &request("/github", "a", SIGNATURE, BODY), status);
        let (records, rules) = run_through(one, &wire);
        found.push((said(&records[0]).2.to_owned(), rules));
    }
    let expected = [("first", vec![]), ("retry", vec![]), ("replayed", vec!["replayed-delivery"])];
    assert_eq!(found, expected.map(|(replay, rules)| (replay.to_owned(), rules)));
    assert_eq!(common.coverage()[0].requests["full"], 3);
}

/// One client's deliveries come to one shard, and the largest needs more than its part of the
/// memory.
#[test]
fn the_largest_body_is_checked_while_other_shards_need_no_memory() {
    let settings = settings();
    let common = Arc::new(Common::new(&settings.0));
    let one = || {
        let company = Company { common: Arc::clone(&common), size: 16 };
        Stages::among(company, basis(&settings))
    };
    let mut wire = Wire::open().client(format!(
        "POST /github HTTP/1.1\r\nX-GitHub-Event: push\r\nX-GitHub-Delivery: a\r\n\
         X-Hub-Signature-256: sha256={SIGNATURE}\r\nContent-Length: {MAX_BODY_BYTES}\r\n\r\n"
    ));
    let part = "x".repeat(MAX_BODY_BYTES / 400);
    for _ in 0..400 {
        wire = wire.client(&part);
    }
    wire = wire.server("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    let checked = || said(&run_through(one(), &wire).0[0]).0.to_owned();
    // That it is not the one that was signed is known only where it was kept whole.
    assert_eq!(checked(), "invalid");
    let mut others = [one(), one()];
    for segment in wire.segments().take(300) {
        others.iter_mut().for_each(|other| other.segment(&segment, &mut |_| {}));
    }
    assert_eq!(checked(), "unverifiable");
    drop(others);
    assert_eq!(checked(), "invalid");
}

#[test]
fn the_requests_of_each_endpoint_are_counted_by_coverage() {
    let mut stages = Stages::new(basis(&settings()));
    let mut wire = answered(Wire::open(), &request("/github", "a", SIGNATURE, BODY), 200);
    wire = answered(wire, &request("/open", "b", SIGNATURE, BODY), 200);
    wire = wire.client("GET /open HTTP/1.1\r\nContent-Length: 9\r\n\r\nhalf").close();
    for segment in wire.segments() {
        stages.segment(&segment, &mut |_| {});
    }
    stages.finish(&mut |_| {});
    let parts: Vec<_> = stages
        .coverage()
        .into_iter()
        .map(|one| (one.port, one.endpoint, one.requests["full"], one.requests["truncated"]))
        .collect();
    let expected = [(80, "github", 1, 0), (80, "open", 1, 1)];
    assert_eq!(parts, expected.map(|(port, name, full, cut)| (port, name.to_owned(), full, cut)));
}

#[test]
fn a_secret_that_a_reload_adds_is_used_at_once() {
    let (mut config, knowledge, observer) = settings();
    let nothing = Config::default();
    let unknowing = Arc::new(Knowledge::new(&nothing, Vec::new()));
    let mut stages = Stages::new(basis(&(nothing, unknowing, Arc::clone(&observer))));
    config.ports.insert(80);
    stages.configure(&config, knowledge, observer);
    let wire = answered(Wire::open(), &request("/github", "a", SIGNATURE, BODY), 200);
    let (records, _) = run_through(stages, &wire);
    assert_eq!(said(&records[0]), ("valid", "env:NEW", "first"));
}

#[test]
fn no_record_holds_a_secret_a_signature_or_a_body() {
    let wire = answered(Wire::open(), &request("/github", "a", SIGNATURE, BODY), 200);
    let (records, _) = run(&wire);
    let text = records[0].to_string();
    for hidden in [BODY, SIGNATURE, "Everybody", "older"] {
        assert!(!text.contains(hidden), "{hidden} in {text}");
    }
}

#[test]
fn a_body_with_a_gap_is_never_called_invalid() {
    let text = request("/github", "a", SIGNATURE, BODY)
        .replace("Transfer-Encoding: chunked", "Content-Length: 30");
    let mut wire = answered(Wire::open(), &text, 200);
    let lost = wire.packets.len() - 2;
    let (head, body) = text.split_at(text.len() - 10);
    assert!(!head.is_empty() && !body.is_empty());
    let payload = &mut wire.packets[lost].payload;
    payload.truncate(payload.len() - 10);
    let (records, rules) = run(&wire);
    assert_eq!(said(&records[0]).0, "unverifiable", "{}", records[0]);
    assert!(rules.is_empty(), "{rules:?}");
}
