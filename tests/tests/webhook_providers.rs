//! Every provider of the built-in table, over real connections through the running agent: who it
//! is, what it sent, whether it is genuine, which attempt it is, and what is no delivery at all.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics where it stands")]

mod cases;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use cases::{Case, HOST, Handshake, VERIFICATION, cases};
use harness::agent::{Agent, Settings, binary};
use harness::curl::signature;
use harness::network::{Network, SERVER_V4};
use harness::sender::Sender;
use harness::server::Server;
use harness::webhook::{PORT, dataset, secret_file, text};
use hooksensor::config::built_in_providers;
use serde_json::Value;

/// An endpoint that does not name its provider, so that the request has to tell it.
fn endpoint(network: &Network, case: &Case) -> String {
    let secret = network.server.folder().join(case.provider);
    fs::write(&secret, &case.secret).unwrap();
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();
    let (path, subscription) = (case.path(), &case.subscription);
    format!(
        "[[endpoint]]\nname = {:?}\nport = {PORT}\npath_prefix = {path:?}\n\
         public_url = \"{HOST}{path}\"\nsubscription = {subscription:?}\n\
         secrets = [\"file:{}\"]\n",
        case.provider,
        secret.display()
    )
}

/// Sends what the provider sends, the same changed, and what proves who owns the endpoint, on one
/// connection; returns how many requests these were.
fn send(network: &Network, case: &Case) -> usize {
    let mut sender = connect(network);
    for body in [&case.body, &case.changed] {
        let status = sender.post(&case.path(), &case.headers, body.as_bytes()).unwrap();
        assert_eq!(status, 200);
    }
    2 + usize::from(prove(&mut sender, case))
}

/// Sends what proves who owns the endpoint, if the provider does so.
fn prove(sender: &mut Sender, case: &Case) -> bool {
    let status = match &case.handshake {
        None => return false,
        Some(Handshake::Post(headers, body)) => sender.post(&case.path(), headers, body.as_bytes()),
        Some(Handshake::Get(headers, query)) => {
            sender.get(&format!("{}?{query}", case.path()), headers)
        }
    };
    assert_eq!(status.unwrap(), 200);
    true
}

fn connect(network: &Network) -> Sender {
    let target = SocketAddr::new(SERVER_V4.into(), PORT);
    Sender::connect(&network.clients[0].namespace, target).unwrap()
}

fn start<'n>(network: &'n Network, cases: &[Case]) -> (Server, Agent<'n>) {
    let server = Server::start(&network.server, PORT).unwrap();
    let mut settings = Settings::new(network.interfaces(), PORT);
    settings.tables = cases.iter().map(|case| endpoint(network, case)).collect();
    (server, Agent::start(&binary().unwrap(), &network.server, &settings).unwrap())
}

fn check(case: &Case, records: &[&Value]) {
    let name = case.provider;
    let field = |record: &Value, place: &str| text(record, &format!("/webhook/{place}")).to_owned();
    let told: Vec<_> = records.iter().map(|record| field(record, "provider")).collect();
    assert!(told.iter().all(|one| one == name), "{name}: {told:?}");
    let genuine = records[0];
    let found = ["signature/status", "event_type", "delivery_id", "replay"]
        .map(|place| field(genuine, place));
    let replay = if case.id == "-" { "-" } else { "first" };
    assert_eq!(found, ["valid", case.event, case.id, replay], "{name}: {genuine:#}");
    assert_eq!(genuine["webhook"]["attempt"].as_u64(), case.attempt, "{name}: {genuine:#}");
    assert_eq!(field(records[1], "signature/status"), "invalid", "{name}: {:#}", records[1]);
    let marked: Vec<_> = records.iter().map(|one| one["webhook"]["handshake"] == true).collect();
    assert_eq!(marked, [false, false, true][..records.len()], "{name}");
    if let Some(handshake) = records.get(2) {
        let is_told = field(handshake, "delivery_id") != "-";
        let replay = if is_told { "first" } else { "-" };
        assert_eq!(field(handshake, "replay"), replay, "{name}: {handshake:#}");
    }
}

#[test]
fn every_provider_is_understood() {
    let cases = cases();
    let known: BTreeSet<_> = built_in_providers().iter().map(|one| one.name.as_str()).collect();
    assert_eq!(cases.iter().map(|case| case.provider).collect::<BTreeSet<_>>(), known);
    let network = Network::new(1).unwrap();
    let (_server, agent) = start(&network, &cases);
    let sent: Vec<_> = cases.iter().map(|case| send(&network, case)).collect();
    let records = dataset(&agent, "delivery", sent.iter().sum());
    for (case, count) in cases.iter().zip(sent) {
        let is_its = |record: &&Value| text(record, "/webhook/endpoint") == case.provider;
        let mut of_case: Vec<_> = records.iter().filter(is_its).collect();
        assert_eq!(of_case.len(), count, "{}", case.provider);
        of_case.sort_by_key(|record| record["hooksensor"]["tx"].as_u64());
        check(case, &of_case);
    }
}

/// Those of eight providers: GitHub's and Bitbucket's pings, Slack's, Zoom's and Twitch's
/// challenges, Meta's question, the confirmation of Amazon SNS and the ping of Discord.
#[test]
fn a_proof_of_ownership_is_no_delivery() {
    let mut cases = cases();
    cases.retain(|case| case.handshake.is_some());
    let network = Network::new(1).unwrap();
    let (_server, agent) = start(&network, &cases);
    let mut sender = connect(&network);
    assert!(cases.iter().all(|case| prove(&mut sender, case)));
    let records = dataset(&agent, "delivery", 8);
    let found: BTreeMap<_, _> = records
        .iter()
        .map(|record| {
            assert_eq!(record["webhook"]["handshake"], true, "{record:#}");
            let place = text(record, "/webhook/provider").to_owned();
            (place, text(record, "/webhook/signature/status").to_owned())
        })
        .collect();
    let mut expected: BTreeMap<_, _> =
        cases.iter().map(|case| (case.provider.to_owned(), "valid".to_owned())).collect();
    expected.insert("meta".to_owned(), "-".to_owned());
    assert_eq!(found, expected);
    assert_eq!(agent.dataset("finding").unwrap(), Vec::<Value>::new());
    let github = &cases[0];
    sender.post(&github.path(), &github.headers, github.body.as_bytes()).unwrap();
    let count = || agent.metrics().unwrap().sum("hooksensor_deliveries_total", &[]);
    let counted = || Some(count()).filter(|count| *count > 0);
    assert_eq!(harness::eventually(Duration::from_secs(30), "a delivery", counted).unwrap(), 1);
    let (_, token) = VERIFICATION.rsplit_once('=').unwrap();
    assert!(!format!("{records:?}").contains(token), "{records:#?}");
}

/// As the README has it.
#[test]
fn a_provider_of_ten_lines_is_understood() {
    let description: String = include_str!("../../README.md")
        .lines()
        .skip_while(|line| line.trim() != "[[provider]]")
        .take_while(|line| !line.is_empty())
        .map(|line| format!("{line}\n"))
        .collect();
    assert_eq!(description.lines().count(), 10, "{description}");
    let network = Network::new(1).unwrap();
    let _server = Server::start(&network.server, PORT).unwrap();
    let mut settings = Settings::new(network.interfaces(), PORT);
    let secret = secret_file(&network.server).unwrap();
    settings.tables =
        description + &harness::webhook::endpoint("acme", "/any/", "acme", Some(&secret));
    let agent = Agent::start(&binary().unwrap(), &network.server, &settings).unwrap();
    let body = r#"{"id":"d1"}"#;
    let head = |signature: &str| {
        vec!["X-Acme-Event: paid".to_owned(), format!("X-Acme-Signature: {signature}")]
    };
    let mut sender = connect(&network);
    for signature in [signature(body.as_bytes()), signature(b"")] {
        sender.post("/any/acme", &head(&signature), body.as_bytes()).unwrap();
    }
    let records = dataset(&agent, "delivery", 2);
    let told = ["provider", "event_type", "delivery_id", "signature/status"]
        .map(|place| text(&records[0], &format!("/webhook/{place}")));
    assert_eq!(told, ["acme", "paid", "d1", "valid"]);
    assert_eq!(text(&records[1], "/webhook/signature/status"), "invalid");
}
