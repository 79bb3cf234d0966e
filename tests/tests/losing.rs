//! A network that loses packets changes nothing of what is recorded: what was lost comes again, and
//! what the sensor sees twice is one delivery.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics where it stands")]

use std::collections::BTreeMap;
use std::net::SocketAddr;

use harness::agent::{Agent, Settings, binary};
use harness::load::{Load, Progress};
use harness::loss::lose;
use harness::network::{Network, SERVER_V4};
use harness::server::Server;
use harness::webhook::{PORT, WORKING, dataset, endpoint, secret_file};
use serde_json::{Value, json};

/// Packets in a hundred that each host loses in each direction. TCP gets through, and most
/// deliveries of [`BODY`] octets lose at least one.
const PERCENT: u8 = 3;

/// Two dozen segments.
const BODY: usize = 32_000;

/// Sends deliveries over connections of both sorts; their identifiers.
fn deliver(network: &Network) -> Vec<String> {
    let ids = [true, false].map(|keep_alive| {
        let load = Load {
            target: SocketAddr::new(SERVER_V4.into(), PORT),
            path: WORKING.to_owned(),
            rate: 200,
            count: 400,
            connections: 8,
            keep_alive,
            // No body comes twice: that would be a replay.
            body_bytes: BODY + usize::from(keep_alive),
            prefix: format!("keep-alive-{keep_alive}-"),
        };
        let report = network.clients[0].namespace.run(|| load.run(&Progress::default())).unwrap();
        assert_eq!(report.ids.len(), report.latencies.len(), "unanswered: {:?}", report.errors);
        report.ids
    });
    ids.concat()
}

/// What a record says that a loss could change. A signature that is valid stands for every octet.
fn said(record: &Value) -> Value {
    let pointers = [
        "/webhook/signature/status",
        "/webhook/replay",
        "/http/response/status_code",
        "/hooksensor/coverage",
        "/hooksensor/anomalies",
    ];
    pointers.map(|pointer| record.pointer(pointer).cloned().unwrap_or_default()).into()
}

/// The records of `sent` that are not what they should be, and those there should be none of.
fn wrong(sent: &[String], records: &[Value]) -> BTreeMap<String, Vec<Value>> {
    let mut found: BTreeMap<_, _> = sent.iter().map(|id| (id.clone(), Vec::new())).collect();
    for record in records {
        let id = record["webhook"]["delivery_id"].as_str().unwrap_or("no identifier");
        found.entry(id.to_owned()).or_default().push(said(record));
    }
    let right = [json!(["valid", "first", 200, "full", null])];
    found.retain(|_, records| *records != right);
    found
}

#[test]
fn every_delivery_is_recorded_once_and_whole_whatever_the_network_loses() {
    let network = Network::new(1).unwrap();
    let _server = Server::start(&network.server, PORT).unwrap();
    let mut settings = Settings::new(network.interfaces(), PORT);
    let secret = secret_file(&network.server).unwrap();
    settings.tables = endpoint("github", WORKING, "github", Some(&secret));
    let agent = Agent::start(&binary().unwrap(), &network.server, &settings).unwrap();
    for host in [&network.server, &network.clients[0].namespace] {
        lose(host, PERCENT).unwrap();
    }
    let sent = deliver(&network);
    let records = dataset(&agent, "delivery", sent.len());
    assert_eq!(wrong(&sent, &records), BTreeMap::new());
    let totals = agent.status().unwrap()["streams"]["totals"].clone();
    assert_eq!((&totals["gaps"], &totals["gap_octets"]), (&json!(0), &json!(0)), "{totals:#}");
    assert!(totals["repeated_octets"].as_u64() > Some(0), "nothing was lost: {totals:#}");
}
