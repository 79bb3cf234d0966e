//! What is said of webhooks that real servers answer: genuine or not, first, retry or replay.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics where it stands")]

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use harness::agent::{Agent, Settings, binary};
use harness::curl::Delivery;
use harness::eventually;
use harness::network::{Network, SERVER_V4};
use harness::sender::Sender;
use harness::server::Server;
use harness::webhook::{
    BODY, BROKEN, PORT, WORKING, dataset, endpoint, github, post, secret_file, slack, text,
};
use serde_json::Value;

const HOUR: Duration = Duration::from_hours(1);

/// How long figures may take to be published.
const SETTLE: Duration = Duration::from_secs(30);

/// Endpoints of GitHub and Slack with a secret, one without, and a provider of our own that sends
/// from the first client alone.
fn start(network: &Network) -> (Server, Agent<'_>) {
    let server = Server::start(&network.server, PORT).unwrap();
    let mut settings = Settings::new(network.interfaces(), PORT);
    let secret = secret_file(&network.server).unwrap();
    let home = network.clients[0].v4;
    settings.tables = [
        // Of what is not signed, nothing else tells one body from another.
        "[http]\nbody_sha256 = true\n".to_owned(),
        endpoint("github", "/hooks/", "github", Some(&secret)),
        endpoint("slack", "/any/slack", "slack", Some(&secret)),
        endpoint("open", "/any/open", "", None),
        format!(
            "[[provider]]\nname = \"acme\"\nrecognise = [\"header x-acme\"]\n\
             delivery_id = [\"header x-acme\"]\nnetworks = [\"{home}\"]\n\
             networks_as_of = \"2026-11-01\"\n"
        ),
    ]
    .concat();
    (server, Agent::start(&binary().unwrap(), &network.server, &settings).unwrap())
}

fn push(id: &str, body: &str) -> Vec<String> {
    github("push", id, body.as_bytes())
}

fn acme(id: &str) -> Vec<String> {
    vec![format!("X-Acme: {id}")]
}

#[test]
fn every_status_of_a_signature() {
    let network = Network::new(1).unwrap();
    let (_server, agent) = start(&network);
    let client = &network.clients[0].namespace;
    let target = SocketAddr::new(SERVER_V4.into(), PORT);
    // curl for what curl can say; the rest needs a hand on the connection.
    let delivery = Delivery::new(target, WORKING, "valid", BODY);
    assert_eq!(delivery.send(client).unwrap(), 200);
    assert_eq!(delivery.chunked().send(client).unwrap(), 200);
    let changed = BODY.replace("main", "mian");
    post(client, WORKING, &push("invalid", BODY), changed.as_bytes()).unwrap();
    post(client, WORKING, &push("missing", BODY)[..2], BODY.as_bytes()).unwrap();
    post(client, "/any/slack", &slack(HOUR, "{}"), b"{}").unwrap();
    let cut = Sender::connect(client, target).unwrap();
    cut.break_off(WORKING, &push("cut", BODY), BODY.len(), &BODY.as_bytes()[..20]).unwrap();
    post(client, "/any/open", &push("unchecked", BODY), BODY.as_bytes()).unwrap();
    let records = dataset(&agent, "delivery", 7);
    let found: Vec<_> =
        records.iter().map(|record| text(record, "/webhook/signature/status")).collect();
    let expected = ["valid", "valid", "invalid", "missing", "stale", "unverifiable", "unchecked"];
    assert_eq!(found, expected, "{records:#?}");
    for record in [&records[2], &records[4], &records[5]] {
        assert_ne!(text(record, "/webhook/signature/reason"), "-", "{record:#}");
    }
    assert!(text(&records[0], "/webhook/signature/key_id").starts_with("file:/"));
    let skew = records[4].pointer("/webhook/signature/timestamp_skew_ms").and_then(Value::as_i64);
    let hour = i64::try_from(HOUR.as_millis()).unwrap();
    assert!(skew.is_some_and(|skew| (skew - hour).abs() < 10_000), "{:#}", records[4]);
    let findings = dataset(&agent, "finding", 3);
    let rules: Vec<_> = findings.iter().map(|finding| text(finding, "/rule/id")).collect();
    assert_eq!(rules[..3], ["replayed-delivery", "invalid-signature", "missing-signature"]);
    for rule in rules {
        let counted =
            || agent.metrics().unwrap().sum("hooksensor_findings_total", &[("rule", rule)]);
        let once = || (counted() == 1).then_some(());
        eventually(SETTLE, &format!("one {rule}"), once).unwrap();
    }
}

/// What is signed is one text, and what is sent is another, or signed with another endpoint's
/// secret.
#[test]
fn an_invalid_signature_says_what_it_would_match() {
    let network = Network::new(1).unwrap();
    let _server = Server::start(&network.server, PORT).unwrap();
    let other = network.server.folder().join("other");
    fs::write(&other, "Mellon-4711-Moria").unwrap();
    fs::set_permissions(&other, fs::Permissions::from_mode(0o600)).unwrap();
    let secret = secret_file(&network.server).unwrap();
    let mut settings = Settings::new(network.interfaces(), PORT);
    settings.tables = endpoint("here", "/hooks/", "github", Some(&other))
        + &endpoint("there", "/any/", "github", Some(&secret));
    let agent = Agent::start(&binary().unwrap(), &network.server, &settings).unwrap();
    let spaced = BODY.replace("\":\"", "\": \"").replace("\",\"", "\", \"");
    let sent = [
        (WORKING, BODY.to_owned(), "would be valid with the secret file:/"),
        ("/any/", format!("{BODY}\n"), "would be valid without the white space at the end of the"),
        ("/any/", spaced, "would be valid over the body's JSON without white space"),
        ("/any/", String::new(), "made with another secret, or over another text"),
    ];
    for (index, (path, body, reason)) in sent.iter().enumerate() {
        let head = push(&index.to_string(), BODY);
        post(&network.clients[0].namespace, path, &head, body.as_bytes()).unwrap();
        let records = dataset(&agent, "delivery", index + 1);
        let said = text(&records[index], "/webhook/signature/reason");
        assert!(said.starts_with(reason), "{said}");
    }
}

/// One client for each cause: a source is complained of once a minute.
#[test]
fn every_status_of_a_replay() {
    let network = Network::new(5).unwrap();
    let (_server, agent) = start(&network);
    let event = r#"{"event_id":"Ev1","event":{"type":"message"}}"#;
    let other = BODY.replace("main", "other");
    let sent = [
        (0, BROKEN, push("a", BODY), BODY, 500, "first"),
        (0, WORKING, push("a", BODY), BODY, 200, "retry"),
        (0, WORKING, push("a", BODY), BODY, 200, "replayed"),
        (0, WORKING, push("b", &other), &other, 200, "first"),
        (0, WORKING, push("twin", &other), &other, 200, "replayed"),
        (1, WORKING, push("c", BODY), BODY, 200, "replayed"),
        (0, "/any/open", acme("d"), "{}", 200, "first"),
        (2, "/any/open", acme("d"), "{}", 200, "replayed"),
        (3, "/any/slack", slack(Duration::ZERO, event), event, 200, "first"),
        (3, "/any/slack", slack(HOUR, event), event, 200, "replayed"),
        (0, "/any/open", acme("e"), BODY, 200, "first"),
        (4, "/any/open", acme("f"), BODY, 200, "replayed"),
    ];
    for (index, (client, path, headers, body, status, replay)) in sent.iter().enumerate() {
        let namespace = &network.clients[*client].namespace;
        let answered = post(namespace, path, headers, body.as_bytes()).unwrap();
        assert_eq!(answered, *status, "{index}");
        let records = dataset(&agent, "delivery", index + 1);
        assert_eq!(text(&records[index], "/webhook/replay"), *replay, "{index}: {records:#?}");
    }
    let findings = dataset(&agent, "finding", 5);
    for (client, cause) in [
        (0, "answered with success"),
        (2, "another network"),
        (3, "older than is tolerated"),
        (4, "under another identifier, from another source"),
    ] {
        let source = network.clients[client].v4.to_string();
        let mut of_source = findings.iter().filter(|finding| text(finding, "/source/ip") == source);
        let is_told = |finding: &Value| {
            text(finding, "/rule/id") == "replayed-delivery"
                && text(finding, "/event/reason").contains(cause)
        };
        assert!(of_source.any(is_told), "{cause} from {source}: {findings:#?}");
    }
    // What is signed may come from any host of a provider whose networks are not known.
    let twin = network.clients[1].v4.to_string();
    assert!(findings.iter().all(|finding| text(finding, "/source/ip") != twin), "{findings:#?}");
}
