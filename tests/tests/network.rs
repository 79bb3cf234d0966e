//! The harness itself: what it promises must hold before anything is measured with it.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics where it stands")]

use std::net::{IpAddr, SocketAddr};
use std::process::Command;
use std::sync::atomic::AtomicBool;

use harness::curl::Delivery;
use harness::flood::Flood;
use harness::load::{Load, Progress};
use harness::namespace::Namespace;
use harness::network::{Network, SERVER_V4, SERVER_V6};
use harness::server::{LOCATIONS, Server};

const PORT: u16 = 8080;

fn targets() -> [SocketAddr; 2] {
    [IpAddr::from(SERVER_V4), SERVER_V6.into()].map(|address| SocketAddr::new(address, PORT))
}

fn exists(namespace: &str) -> bool {
    std::path::Path::new("/run/netns").join(namespace).exists()
}

#[test]
fn the_server_answers_as_its_locations_say() {
    let network = Network::new(2).unwrap();
    let _server = Server::start(&network.server, PORT).unwrap();
    for client in &network.clients {
        for target in targets() {
            for (path, status) in LOCATIONS.into_iter().chain([("/elsewhere", 404)]) {
                let delivery = Delivery::new(target, path, "id", "{}");
                assert_eq!(delivery.send(&client.namespace).unwrap(), status, "{target} {path}");
            }
            let chunked = Delivery::new(target, LOCATIONS[0].0, "id", "{}").chunked();
            assert_eq!(chunked.send(&client.namespace).unwrap(), 200);
        }
    }
}

#[test]
fn the_load_client_gets_every_response() {
    let network = Network::new(1).unwrap();
    let _server = Server::start(&network.server, PORT).unwrap();
    for keep_alive in [true, false] {
        let load = Load {
            target: targets()[0],
            path: LOCATIONS[0].0.to_owned(),
            rate: 500,
            count: 500,
            connections: 4,
            keep_alive,
            body_bytes: 500,
            prefix: "load-".to_owned(),
        };
        let report = network.clients[0].namespace.run(|| load.run(&Progress::default())).unwrap();
        let (sent, answered) = (report.ids.len(), report.latencies.len());
        assert_eq!((sent, answered), (500, 500), "{:?}", report.errors);
    }
}

/// Every frame that counts as sent has left the interface, and arrived at the other end.
#[test]
fn a_flood_is_counted_exactly() {
    let network = Network::new(1).unwrap();
    let client = &network.clients[0];
    let flood = Flood::new(client, SocketAddr::new(SERVER_V4.into(), 9), 300_000);
    let before = received(&network);
    let run = || flood.run(100_000, &AtomicBool::new(false));
    let report = client.namespace.run(run).unwrap().unwrap();
    assert_eq!(report.sent, 100_000);
    // The host's own neighbour discovery may add a few packets.
    let arrived = received(&network) - before;
    assert!((report.sent..report.sent + 20).contains(&arrived), "{arrived} of {report:?}");
}

fn received(network: &Network) -> u64 {
    let mut ip = Command::new("ip");
    ip.args(["-json", "-statistics", "link", "show", &network.clients[0].server_interface]);
    let output = network.server.output(&mut ip).unwrap();
    let links: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let statistics = &links[0]["stats64"]["rx"];
    statistics["packets"].as_u64().unwrap() + statistics["dropped"].as_u64().unwrap()
}

#[test]
fn a_namespace_goes_with_what_runs_in_it() {
    let namespace = Namespace::new().unwrap();
    let name = namespace.name().to_owned();
    assert!(exists(&name));
    let mut child = namespace.spawn(Command::new("sleep").arg("60")).unwrap();
    drop(namespace);
    assert!(!exists(&name));
    assert!(!child.wait().unwrap().success());
}

#[test]
fn a_panic_inside_comes_out_and_cleans_up() {
    let name = std::panic::catch_unwind(|| {
        let namespace = Namespace::new().unwrap();
        let name = namespace.name().to_owned();
        namespace.run(|| std::panic::panic_any(name)).unwrap();
    });
    let name = name.unwrap_err().downcast::<String>().unwrap();
    assert!(!exists(&name));
}
