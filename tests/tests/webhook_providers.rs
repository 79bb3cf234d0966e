//! Every provider of the built-in table, over real connections through the running agent: who it
//! is, what it sent, whether it is genuine, which attempt it is, and what is no delivery at all.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics where it stands")]

mod cases;

use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;

use cases::{Case, HOST, cases};
use harness::agent::{Agent, Settings, binary};
use harness::network::{Network, SERVER_V4};
use harness::sender::Sender;
use harness::server::Server;
use harness::webhook::{PORT, dataset, text};
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
    let target = SocketAddr::new(SERVER_V4.into(), PORT);
    let mut sender = Sender::connect(&network.clients[0].namespace, target).unwrap();
    let mut post = |headers: &[String], body: &str| {
        assert_eq!(sender.post(&case.path(), headers, body.as_bytes()).unwrap(), 200);
    };
    post(&case.headers, &case.body);
    post(&case.headers, &case.changed);
    let Some((headers, body)) = &case.handshake else { return 2 };
    post(headers, body);
    3
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
    let _server = Server::start(&network.server, PORT).unwrap();
    let mut settings = Settings::new(network.interfaces(), PORT);
    settings.tables = cases.iter().map(|case| endpoint(&network, case)).collect();
    let agent = Agent::start(&binary().unwrap(), &network.server, &settings).unwrap();
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
