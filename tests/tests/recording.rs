//! Deliveries that real clients send are recorded, all of them and right.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics where it stands")]

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr};
use std::time::Duration;

use harness::agent::{Agent, Settings, binary};
use harness::conversation::{Side, conversation};
use harness::curl::Delivery;
use harness::eventually;
use harness::link::Link;
use harness::load::{Load, Progress, Report};
use harness::network::{CLIENT_INTERFACE, Network, SERVER_V4, SERVER_V6};
use harness::server::{LOCATIONS, Server};
use nix::sys::signal::Signal;
use serde_json::{Value, json};

const PORT: u16 = 8080;

/// How long a record may take to be written after its exchange.
const SETTLE: Duration = Duration::from_secs(30);

fn target(address: impl Into<IpAddr>) -> SocketAddr {
    SocketAddr::new(address.into(), PORT)
}

fn start(network: &Network) -> (Server, Agent<'_>) {
    let server = Server::start(&network.server, PORT).unwrap();
    let settings = Settings::new(network.interfaces(), PORT);
    (server, Agent::start(&binary().unwrap(), &network.server, &settings).unwrap())
}

/// The delivery records, once there are `count`.
fn records(agent: &Agent<'_>, count: usize) -> Vec<Value> {
    let enough = || agent.dataset("delivery").ok().filter(|records| records.len() >= count);
    eventually(SETTLE, "records", enough).unwrap_or_else(|error| {
        let there = agent.dataset("delivery").unwrap();
        panic!("{error}: {} of {count}, the log is\n{}", there.len(), agent.log())
    })
}

fn find<'a>(records: &'a [Value], id: &str) -> &'a Value {
    let mut found = records.iter().filter(|record| record["webhook"]["delivery_id"] == id);
    let record = found.next().unwrap_or_else(|| panic!("{id} has no record"));
    assert!(found.next().is_none(), "{id} has two records");
    record
}

/// Each of `expected` is a JSON pointer and the value there.
fn check(record: &Value, expected: &[(&str, Value)]) {
    for (pointer, value) in expected {
        assert_eq!(record.pointer(pointer), Some(value), "{pointer} in {record:#}");
    }
}

fn load(rate: u32, count: u64, connections: u64, keep_alive: bool) -> Load {
    Load {
        target: target(SERVER_V4),
        path: LOCATIONS[0].0.to_owned(),
        rate,
        count,
        connections,
        keep_alive,
        body_bytes: 500,
        prefix: "load-".to_owned(),
    }
}

fn run(network: &Network, load: &Load) -> Report {
    let report = network.clients[0].namespace.run(|| load.run(&Progress::default())).unwrap();
    assert_eq!(report.ids.len(), report.latencies.len(), "unanswered: {:?}", report.errors);
    report
}

fn assert_all_recorded(agent: &Agent<'_>, report: &Report) -> Vec<Value> {
    let records = records(agent, report.ids.len());
    let recorded: Vec<_> =
        records.iter().filter_map(|record| record["webhook"]["delivery_id"].as_str()).collect();
    assert_eq!(recorded.len(), report.ids.len(), "a delivery was recorded twice");
    let sent: BTreeSet<_> = report.ids.iter().map(String::as_str).collect();
    assert_eq!(recorded.into_iter().collect::<BTreeSet<_>>(), sent);
    records
}

#[test]
fn every_outcome_is_recorded_over_both_families() {
    let network = Network::new(1).unwrap();
    let (_server, agent) = start(&network);
    let client = &network.clients[0];
    let body = "{\"ref\":\"refs/heads/main\"}";
    for (family, address) in [("v4", IpAddr::from(SERVER_V4)), ("v6", SERVER_V6.into())] {
        for (path, status) in LOCATIONS {
            for chunked in [false, true] {
                let id = format!("{family}-{status}-{chunked}");
                let delivery = Delivery::new(target(address), path, &id, body);
                let delivery = if chunked { delivery.chunked() } else { delivery };
                assert_eq!(delivery.send(&client.namespace).unwrap(), status);
            }
        }
    }
    let records = records(&agent, 2 * LOCATIONS.len() * 2);
    for (family, address) in [("v4", IpAddr::from(SERVER_V4)), ("v6", SERVER_V6.into())] {
        for (path, status) in LOCATIONS {
            for chunked in [false, true] {
                let record = find(&records, &format!("{family}-{status}-{chunked}"));
                let outcome = if status < 400 { "success" } else { "failure" };
                check(
                    record,
                    &[
                        ("/event/kind", json!("event")),
                        ("/event/outcome", json!(outcome)),
                        ("/source/ip", json!(client.address_like(address))),
                        ("/client/ip", json!(client.address_like(address))),
                        ("/destination/ip", json!(address)),
                        ("/destination/port", json!(PORT)),
                        ("/network/transport", json!("tcp")),
                        ("/observer/ingress/interface/name", json!(client.server_interface)),
                        ("/http/version", json!("1.1")),
                        ("/http/request/method", json!("POST")),
                        ("/http/request/body/bytes", json!(body.len())),
                        ("/http/request/headers/x-hub-signature-256", json!("[redacted]")),
                        ("/http/response/status_code", json!(status)),
                        ("/url/original", json!(path)),
                        ("/url/path", json!(path)),
                        ("/user_agent/original", json!("GitHub-Hookshot/044aadd")),
                        ("/webhook/provider", json!("github")),
                        ("/webhook/event_type", json!("push")),
                        ("/hooksensor/coverage", json!("full")),
                    ],
                );
            }
        }
    }
    assert!(!serde_json::to_string(&records).unwrap().contains("sha256="), "a signature leaked");
}

#[test]
fn a_large_body_is_counted_to_its_end() {
    let network = Network::new(1).unwrap();
    let (_server, agent) = start(&network);
    let body = "x".repeat(1 << 20);
    for (id, chunked) in [("whole", false), ("chunked", true)] {
        // curl reads a body of this size from a file: no argument may be so long.
        let path = agent.folder().join(id);
        std::fs::write(&path, &body).unwrap();
        let reference = format!("@{}", path.display());
        let delivery = Delivery::new(target(SERVER_V4), LOCATIONS[0].0, id, &reference);
        let delivery = if chunked { delivery.chunked() } else { delivery };
        assert_eq!(delivery.send(&network.clients[0].namespace).unwrap(), 200);
    }
    let records = records(&agent, 2);
    for id in ["whole", "chunked"] {
        check(
            find(&records, id),
            &[
                ("/http/request/body/bytes", json!(body.len())),
                ("/hooksensor/coverage", json!("full")),
            ],
        );
    }
}

#[test]
fn exchanges_of_a_connection_are_numbered() {
    let network = Network::new(1).unwrap();
    let (_server, agent) = start(&network);
    let report = run(&network, &load(200, 200, 1, true));
    let records = assert_all_recorded(&agent, &report);
    let flows: BTreeSet<_> =
        records.iter().map(|record| record["hooksensor"]["flow_id"].as_str()).collect();
    assert_eq!(flows.len(), 1, "{flows:?}");
    for (number, id) in report.ids.iter().enumerate() {
        check(find(&records, id), &[("/hooksensor/tx", json!(number))]);
    }
}

#[test]
fn five_hundred_deliveries_a_second_are_all_recorded() {
    let network = Network::new(1).unwrap();
    let (_server, agent) = start(&network);
    for keep_alive in [true, false] {
        let mut load = load(500, 2_500, 8, keep_alive);
        load.prefix = format!("keep-alive-{keep_alive}-");
        run(&network, &load);
    }
    let records = records(&agent, 5_000);
    assert_eq!(records.len(), 5_000);
    for record in &records {
        check(record, &[("/hooksensor/coverage", json!("full"))]);
    }
    let published = || {
        let metrics = agent.metrics().ok()?;
        (metrics.sum("hooksensor_endpoint_requests_total", &[]) == 5_000).then_some(metrics)
    };
    let metrics = eventually(SETTLE, "the figures", published).unwrap();
    // A head that TCP sends again counts again.
    let requests = metrics.sum("hooksensor_requests_total", &[]);
    let most = 5_000 + network.clients[0].namespace.sent_again().unwrap();
    assert!((5_000..=most).contains(&requests), "{requests} of 5000 to {most}");
    let responses = metrics.sum("hooksensor_responses_total", &[("class", "2xx")]);
    let most = 5_000 + network.server.sent_again().unwrap();
    assert!((5_000..=most).contains(&responses), "{responses} of 5000 to {most}");
    assert_eq!(metrics.sum("hooksensor_samples_lost_total", &[]), 0);
    let recorded = |labels| metrics.sum("hooksensor_endpoint_requests_total", labels);
    assert_eq!((recorded(&[("coverage", "full")]), recorded(&[])), (5_000, 5_000));
    assert_eq!(metrics.sum("hooksensor_requests_unrecorded", &[]), requests - 5_000);
}

/// Sends a body, of which little is under way before the agent has said that it needs no more; the
/// status line.
fn upload(network: &Network, agent: &Agent<'_>, octets: usize) -> String {
    const PIECE: [u8; 1000] = [b'x'; 1000];
    let connected = network.clients[0].namespace.connect(target(SERVER_V4));
    let mut stream = connected.unwrap().unwrap();
    stream.set_read_timeout(Some(SETTLE)).unwrap();
    let path = LOCATIONS[0].0;
    write!(stream, "POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {octets}\r\n\r\n").unwrap();
    let mut sent = 0;
    let is_left_out = || {
        stream.write_all(&PIECE).unwrap();
        sent += PIECE.len();
        let left_out = agent.metrics().ok()?.sum("hooksensor_skipped_bytes_total", &[]);
        (left_out > 0).then_some(())
    };
    eventually(SETTLE, "octets that are left out", is_left_out).unwrap();
    stream.write_all(&vec![b'x'; octets - sent]).unwrap();
    // The server answers before it has all of it, and a socket that is closed too soon sends no
    // more.
    stream.shutdown(Shutdown::Write).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.chars().take("HTTP/1.1 200".len()).collect()
}

#[test]
fn a_large_body_that_nobody_needs_is_counted_and_not_copied_up() {
    const UPLOAD: usize = 5_000_000;
    let network = Network::new(1).unwrap();
    let (_server, agent) = start(&network);
    let line = upload(&network, &agent, UPLOAD);
    assert_eq!(line, format!("HTTP/1.1 {}", LOCATIONS[0].1));
    let records = records(&agent, 1);
    let full = [
        ("/hooksensor/coverage", json!("full")),
        ("/http/request/body/bytes", json!(UPLOAD)),
        ("/http/response/status_code", json!(LOCATIONS[0].1)),
    ];
    check(&records[0], &full);
    let metrics = agent.metrics().unwrap();
    let left_out = metrics.sum("hooksensor_skipped_bytes_total", &[]);
    assert!(left_out > UPLOAD as u64 * 4 / 5, "{left_out} of {UPLOAD} octets were left out");
    assert_eq!(metrics.sum("hooksensor_samples_lost_total", &[]), 0);
}

/// What the kernel counted of each source, whatever was copied up.
#[test]
fn sources_are_listed_with_what_they_sent_and_got() {
    let network = Network::new(2).unwrap();
    let (_server, agent) = start(&network);
    let refused = LOCATIONS.iter().find(|(_, status)| (400..500).contains(status)).unwrap().0;
    let send = |client: usize, path: &str, count: u64| {
        let load = Load { path: path.to_owned(), ..load(500, count, 2, true) };
        network.clients[client].namespace.run(|| load.run(&Progress::default())).unwrap();
    };
    send(0, LOCATIONS[0].0, 30);
    send(1, refused, 20);
    let list = |by: &str| -> Value {
        let text = agent.done(&["sources", "--by", by, "--top", "1", "-o", "json"]).unwrap();
        serde_json::from_str::<Value>(&text).unwrap()[0].clone()
    };
    let network_of = |client: usize| json!(format!("{}/32", network.clients[client].v4));
    let busiest = [
        ("/source", network_of(0)),
        ("/port", json!(PORT)),
        ("/established", json!(true)),
        ("/connections", json!(2)),
        ("/requests", json!(30)),
        ("/responses/2xx", json!(30)),
    ];
    check(&list("requests"), &busiest);
    let failing =
        [("/source", network_of(1)), ("/requests", json!(20)), ("/responses/4xx", json!(20))];
    check(&list("failures"), &failing);
    let text = agent.done(&["sources"]).unwrap();
    assert!(text.contains("OVER LIMIT") && text.lines().count() == 3, "{text}");
}

/// Tagged segments of both ends, sent as they are: the sensor sees them at the interface whether
/// or not the hosts have a VLAN device.
#[test]
fn tagged_deliveries_carry_their_vlan() {
    let network = Network::new(1).unwrap();
    let (_server, agent) = start(&network);
    let client = &network.clients[0];
    let near = SocketAddr::new(Ipv4Addr::new(10, 88, 0, 2).into(), 40_000);
    let far = target(Ipv4Addr::new(10, 88, 0, 1));
    let request = "POST /hooks/github HTTP/1.1\r\nHost: h\r\nX-GitHub-Delivery: tagged\r\n\
                   X-GitHub-Event: push\r\nContent-Length: 2\r\n\r\n{}";
    let response = "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n";
    for (side, packet) in conversation(near, far, request, response) {
        let (namespace, interface) = match side {
            Side::Client => (&client.namespace, CLIENT_INTERFACE),
            Side::Server => (&network.server, client.server_interface.as_str()),
        };
        let frame = packet.tag(0x88a8, 42).tag(0x8100, 7).frame();
        namespace.run(|| Link::open(interface).unwrap().send(&frame).unwrap()).unwrap();
    }
    check(
        find(&records(&agent, 1), "tagged"),
        &[
            ("/network/vlan/id", json!("42")),
            ("/source/ip", json!(near.ip())),
            ("/http/response/status_code", json!(202)),
            ("/hooksensor/coverage", json!("full")),
        ],
    );
}

/// What was answered before the signal is on the disk after it.
#[test]
fn a_graceful_stop_loses_no_record() {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let network = Network::new(1).unwrap();
        let (_server, mut agent) = start(&network);
        let report = run(&network, &load(1_000, 500, 4, true));
        assert_eq!(agent.stop(signal).unwrap().code(), Some(0), "{}", agent.log());
        assert_eq!(agent.dataset("delivery").unwrap().len(), report.ids.len());
    }
}
