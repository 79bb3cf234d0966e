//! Payloads through the whole stage, with GitHub's own among them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::*;
use crate::config::{Config, SecretRef, UnknownMembers};
use crate::http::{Coverage, Exchange, Response, Version};
use crate::webhook::fixture::exchange;
use crate::webhook::{Delivery, Knowledge, NoContent, Secret, Webhooks};

const ALL: [PayloadCheck; 3] =
    [PayloadCheck::Content, PayloadCheck::Shape, PayloadCheck::Injection];

/// A stage with one endpoint that checks so much.
fn stage(checks: &[PayloadCheck], schemas: Option<Schemas>) -> Webhooks {
    let endpoint = Endpoint {
        name: "hooks".to_owned(),
        port: 8080,
        path_prefix: "/".to_owned(),
        checks: checks.iter().copied().collect::<BTreeSet<_>>(),
        // The stage asks whether there are any, and takes them from its knowledge.
        schemas: schemas.iter().map(|_| ("*".to_owned(), PathBuf::new())).collect(),
        shape_after: 5,
        ..Endpoint::default()
    };
    let config = Config { endpoints: vec![endpoint], ..Config::default() };
    let knowledge = Knowledge::new(&config, Vec::new()).with_schemas(schemas.into_iter().collect());
    Webhooks::new(Arc::new(knowledge), Arc::default())
}

/// A stage with one endpoint that checks content, and signatures with this secret.
fn signed_stage(secret: &str) -> Webhooks {
    let endpoint = Endpoint {
        port: 8080,
        path_prefix: "/".to_owned(),
        checks: BTreeSet::from([PayloadCheck::Content]),
        secrets: vec![SecretRef::Environment("SECRET".to_owned())],
        ..Endpoint::default()
    };
    let config = Config { endpoints: vec![endpoint], ..Config::default() };
    let secret = Secret::new("env:SECRET", Zeroizing::new(secret.as_bytes().to_vec()));
    Webhooks::new(Arc::new(Knowledge::new(&config, vec![vec![secret]])), Arc::default())
}

/// A delivery of GitHub's that was answered with success.
fn posted(event: &str, body: &[u8]) -> Box<Exchange> {
    posted_with("", event, body)
}

/// A delivery of GitHub's with more header lines that was answered with success.
fn posted_with(lines: &str, event: &str, body: &[u8]) -> Box<Exchange> {
    let lines = format!("Content-Type: application/json\nX-GitHub-Event: {event}\n{lines}");
    let mut exchange = exchange("/", &lines);
    let request = exchange.request.as_mut().unwrap();
    request.body.bytes = body.len() as u64;
    request.body.content = Some(Bytes::copy_from_slice(body));
    exchange.response = Some(Response {
        started: request.started,
        status: 200,
        version: Version(1, 1),
        headers: crate::http::Headers::default(),
        body: crate::http::Body::default(),
        wire_bytes: 0,
    });
    exchange
}

fn payload(delivery: Delivery) -> Payload {
    delivery.payload.expect("the endpoint asks for checks")
}

#[test]
fn what_was_not_seen_whole_is_not_judged() {
    let check = |change: fn(&mut Exchange), expected: Unjudged| {
        let mut exchange = posted("push", b"no json");
        change(&mut exchange);
        let payload = payload(stage(&ALL, None).deliver(exchange));
        assert_eq!((payload.faults.len(), payload.unjudged), (0, Some(expected)));
        assert_eq!(payload.status(), "unjudged");
    };
    assert_eq!(payload(stage(&ALL, None).deliver(posted("push", b"no json"))).status(), "unsound");
    check(
        |exchange| exchange.request.as_mut().unwrap().body.content = None,
        Unjudged::Body(NoContent::NotKept),
    );
    check(
        |exchange| {
            exchange.request.as_mut().unwrap().body.content = None;
            exchange.coverage.add(Coverage::GAP);
        },
        Unjudged::Body(NoContent::Gap),
    );
    check(
        |exchange| {
            exchange.request.as_mut().unwrap().body.content = None;
            exchange.coverage.add(Coverage::SAMPLED);
        },
        Unjudged::Body(NoContent::Sampled),
    );
    check(
        |exchange| exchange.request.as_mut().unwrap().body.truncated = true,
        Unjudged::Body(NoContent::Cut),
    );
    check(
        |exchange| {
            let body = &mut exchange.request.as_mut().unwrap().body;
            (body.bytes, body.content) = (0, None);
        },
        Unjudged::Empty,
    );
}

#[test]
fn what_is_forged_is_not_judged() {
    /// What `openssl dgst -sha256 -hmac` says of the body.
    const SIGNATURE: &str = "X-Hub-Signature-256: \
        sha256=72773e79fbab2504e19b10237677c473276f931be9bc971b920ad398b3dbb9d5";
    let check = |lines: &str, expected: &str| {
        let mut stage = signed_stage("It's a Secret to Everybody");
        let found = payload(stage.deliver(posted_with(lines, "push", b"no json")));
        assert_eq!(found.status(), expected, "{lines}: {found:?}");
        let forged = (expected == "unjudged").then_some(Unjudged::NotGenuine);
        assert_eq!(found.unjudged, forged, "{lines}");
    };
    check(SIGNATURE, "unsound");
    check(&SIGNATURE.replace("sha256=", "sha256=0"), "unjudged");
    check("", "unjudged");
}

#[test]
fn a_flood_that_nobody_vouches_for_is_read_within_bounds() {
    let mut stage = stage(&ALL, None);
    let body = format!("\"{}\"", "x".repeat(1 << 20));
    let mut judged = || {
        let mut exchange = posted("push", body.as_bytes());
        exchange.response = None;
        payload(stage.deliver(exchange)).unjudged != Some(Unjudged::Busy)
    };
    let judged: Vec<_> = (0..40).map(|_| judged()).collect();
    assert_eq!(judged, [vec![true; 32], vec![false; 8]].concat());
    let mut later = posted("push", body.as_bytes());
    later.request.as_mut().unwrap().started.0 += 1_000_000_000;
    assert_eq!(payload(stage.deliver(later)).unjudged, None);
}

#[test]
fn copies_of_what_is_genuine_are_read_within_bounds() {
    let body = format!("\"{}\"", "x".repeat(1 << 20));
    let mut stage = signed_stage("secret");
    let mut keyed = Hmac::<Sha256>::new_from_slice(b"secret").unwrap();
    keyed.update(body.as_bytes());
    let signature = keyed.finalize().into_bytes();
    let signature: String = signature.iter().map(|octet| format!("{octet:02x}")).collect();
    let mut judged = |id: usize| {
        let lines = format!("X-GitHub-Delivery: {id}\nX-Hub-Signature-256: sha256={signature}");
        let payload = payload(stage.deliver(posted_with(&lines, "push", body.as_bytes())));
        payload.unjudged != Some(Unjudged::Busy)
    };
    let judged: Vec<_> = (0..40).map(|number| judged(number.min(1))).collect();
    // The first is none, and its copy under another identifier is.
    assert_eq!(judged, [vec![true; 33], vec![false; 7]].concat());
}

#[test]
fn only_what_is_asked_for_is_checked() {
    let bad = br#"{"ref":"$(curl x)","ref":1}"#;
    assert_eq!(stage(&[], None).deliver(posted("push", bad)).payload, None);
    let faults = |checks: &[PayloadCheck], body: &[u8]| {
        payload(stage(checks, None).deliver(posted("push", body))).faults
    };
    assert_eq!(faults(&[PayloadCheck::Content], bad), [Fault::Repeated("/ref".to_owned())]);
    assert_eq!(faults(&[PayloadCheck::Shape], bad), []);
    let bad = br#"{"commits":[{"ref":"$(curl x)"}]}"#;
    let pointer = "/commits/0/ref".to_owned();
    let sign = Fault::Injection { rule: "shell-command", pointer };
    assert_eq!(faults(&[PayloadCheck::Injection], bad), [sign]);
}

#[test]
fn a_shape_is_learnt_from_genuine_deliveries() {
    let mut stage = stage(&[PayloadCheck::Shape], None);
    let mut faults = |exchange| payload(stage.deliver(exchange)).faults.len();
    (0..5).for_each(|_| assert_eq!(faults(posted("push", br#"{"a":1}"#)), 0));
    let mut refused = posted("push", br#"{"a":"1"}"#);
    refused.response.as_mut().unwrap().status = 401;
    assert_eq!((faults(refused.clone()), faults(refused)), (1, 1));
    // Nothing signs it, but the application took it: a change is news once.
    let taken = posted("push", br#"{"a":"1"}"#);
    assert_eq!((faults(taken.clone()), faults(taken)), (1, 0));
    assert_eq!(faults(posted("issues", br#"{"b":1}"#)), 0);
}

#[test]
fn no_words_hold_a_value() {
    let schema = Schema::parse(br#"{"properties":{"a":{"type":"number"}}}"#, UnknownMembers::Allow);
    let schema = schema.unwrap();
    let schemas = Schemas::new(vec![("*".to_owned(), Arc::new(schema))]);
    let mut stage = stage(&ALL, Some(schemas));
    (0..5).for_each(|_| drop(stage.deliver(posted("push", br#"{"a":1}"#))));
    for body in [r#"{"a":"hidden $(curl x)"}"#, r#"{"a":"hidden"#, r#"{"a":hidden}"#] {
        let payload = payload(stage.deliver(posted("push", body.as_bytes())));
        assert!(!payload.faults.is_empty());
        assert!(!format!("{payload:?}").contains("hidden"), "{payload:?}");
    }
}

/// The folder of a package of npm that `cargo xtask setup` fetched.
#[expect(clippy::print_stderr, reason = "a test that checks nothing has to say so")]
fn package(name: &str) -> Option<PathBuf> {
    let modules = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/npm/node_modules");
    let folder = modules.join("@octokit").join(name);
    if !folder.exists() {
        assert!(std::env::var_os("CI").is_none(), "{} is not there", folder.display());
        eprintln!("NOT CHECKED: {name} is not there; cargo xtask setup fetches it");
        return None;
    }
    Some(folder)
}

/// Every payload with the event it is of, and the schema of all of them.
struct GitHub {
    payloads: Vec<(String, Value)>,
    schema: Arc<Schema>,
}

fn github(unknown: UnknownMembers) -> Option<GitHub> {
    let examples = package("webhooks-examples")?.join("api.github.com/index.json");
    let schema = package("webhooks-schemas")?.join("schema.json");
    let events: Value = serde_json::from_slice(&fs::read(examples).unwrap()).unwrap();
    let payloads = events.as_array().unwrap().iter().flat_map(|event| {
        let name = event["name"].as_str().unwrap();
        event["examples"].as_array().unwrap().iter().map(|one| (name.to_owned(), one.clone()))
    });
    let schema = Schema::parse(&fs::read(schema).unwrap(), unknown).unwrap();
    Some(GitHub { payloads: payloads.collect(), schema: Arc::new(schema) })
}

/// GitHub's own schemas refuse 53 of them, and so does ajv, another validator; the end-to-end tests
/// name each. Members that a schema does not name are not why.
#[test]
fn payloads_of_github_against_their_schemas() {
    let check = |unknown, expected: &[(&str, usize)]| {
        let Some(GitHub { payloads, schema }) = github(unknown) else { return };
        assert_eq!(payloads.len(), 329);
        let schemas = Schemas::new(vec![("*".to_owned(), schema)]);
        let mut validators = Validators::default();
        let mut second = 0;
        let mut hold = |event: &str, payload: &Value| {
            second += 1_000_000_000;
            validators.hold(&schemas, event, payload, (true, Timestamp(second)))
        };
        let mut refused = BTreeMap::new();
        for (event, payload) in &payloads {
            match hold(event, payload) {
                Held::Checked(Ok(())) => {
                    let mut names = payload.as_object().unwrap().keys();
                    let is_missed = names.any(|name| {
                        let mut without = payload.clone();
                        without.as_object_mut().unwrap().remove(name);
                        hold(event, &without) != Held::Checked(Ok(()))
                    });
                    assert!(is_missed, "{event}: any member may be missing");
                }
                Held::Checked(Err(mismatch)) => {
                    *refused.entry(mismatch.keyword).or_insert(0) += 1;
                }
                other => panic!("{event}: {other:?}"),
            }
        }
        let refused: Vec<_> = refused.iter().map(|(name, count)| (name.as_str(), *count)).collect();
        assert_eq!(refused, expected);
    };
    let old = [("format", 2), ("required", 49), ("type", 2)];
    check(UnknownMembers::Allow, &old);
    let unknown = [("additionalProperties", 1), ("format", 2), ("required", 49), ("type", 1)];
    check(UnknownMembers::Report, &unknown);
}

#[test]
fn payloads_of_github_have_no_signs_and_no_drift() {
    let Some(GitHub { payloads, .. }) = github(UnknownMembers::Allow) else { return };
    let mut stage = stage(&ALL, None);
    for round in 0..6 {
        for (event, payload) in &payloads {
            let delivery = stage.deliver(posted(event, payload.to_string().as_bytes()));
            let found = self::payload(delivery);
            assert_eq!((&found.faults[..], found.unjudged), (&[][..], None), "{event}, {round}");
        }
    }
    let renamed = json!({ "action": "opened", "pull_request": { "title": 1 } });
    let found = payload(stage.deliver(posted("pull_request", renamed.to_string().as_bytes())));
    assert!(!found.faults.is_empty());
}
