//! What an operator sees of the sources: exact counts, whoever they are.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics where it stands")]

use std::net::SocketAddr;
use std::time::Duration;

use harness::agent::{Agent, Settings, binary};
use harness::curl::Delivery;
use harness::eventually;
use harness::network::{Network, SERVER_V4};
use harness::server::Server;
use serde_json::{Value, json};

const PORT: u16 = 8080;

/// How long the last packets of a connection may take.
const SETTLE: Duration = Duration::from_secs(5);

fn sources(agent: &Agent<'_>, arguments: &[&str]) -> Vec<Value> {
    let text = agent.done(&[&["sources"], arguments].concat()).unwrap();
    serde_json::from_str(&text).unwrap()
}

#[test]
fn the_busiest_sources_are_shown_with_what_they_sent_and_got() {
    let network = Network::new(2).unwrap();
    let _server = Server::start(&network.server, PORT).unwrap();
    let settings = Settings::new(network.interfaces(), PORT);
    let agent = Agent::start(&binary().unwrap(), &network.server, &settings).unwrap();
    let [busy, idle] = &network.clients[..] else { panic!("two clients were asked for") };
    let target = SocketAddr::new(SERVER_V4.into(), PORT);
    for (client, deliveries) in [(idle, 1), (busy, 5)] {
        for number in 0..deliveries {
            let delivery = Delivery::new(target, "/hooks/github", &number.to_string(), "{}");
            delivery.send(&client.namespace).unwrap();
        }
    }
    eventually(SETTLE, "the requests of both", || {
        let shown = sources(&agent, &["--json"]);
        let of = |field: &str| shown.iter().map(|one| one[field].clone()).collect::<Vec<_>>();
        (of("requests") == [5, 1]).then_some(())
    })
    .unwrap();
    let [first] = &sources(&agent, &["--top", "1", "-o", "json"])[..] else { panic!("not one") };
    assert_eq!(first["address"], json!(busy.v4));
    assert_eq!(first["port"], PORT);
    assert_eq!(first["established"], true);
    assert_eq!(first["connections"], 5);
    let responses = first["responses"].as_object().unwrap().values();
    assert_eq!(responses.filter_map(Value::as_u64).sum::<u64>(), 5, "{first}");
    assert!(agent.done(&["sources"]).unwrap().starts_with("SOURCE"));
}
