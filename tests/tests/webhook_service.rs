//! How well our own receivers serve their senders: figures, findings, and no ban for our faults.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics where it stands")]

use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use harness::agent::{Agent, Settings, binary};
use harness::network::{Network, SERVER_V4};
use harness::replay::{Exchange, replay};
use harness::sender::Sender;
use harness::server::{ANY, Server};
use harness::webhook::{BODY, BROKEN, PORT, dataset, endpoint, github, secret_file, text};
use serde_json::Value;

const MINUTE: u64 = 60;
const DAY: u64 = 24 * 60 * MINUTE;

/// A moment in November 2026, in seconds since 1970.
const START: u64 = 1_793_500_000;

fn start(network: &Network) -> (Server, Agent<'_>) {
    let server = Server::start(&network.server, PORT).unwrap();
    let mut settings = Settings::new(network.interfaces(), PORT);
    let secret = secret_file(&network.server).unwrap();
    // Five failures would ban the sender, were they its own.
    settings.ban = "failures = 5\n".to_owned();
    settings.tables = endpoint("github", "/hooks/", "github", Some(&secret));
    (server, Agent::start(&binary().unwrap(), &network.server, &settings).unwrap())
}

#[test]
fn our_own_failures_never_count_against_the_sender() {
    const FAILED: usize = 60;
    let network = Network::new(1).unwrap();
    let (_server, agent) = start(&network);
    let target = SocketAddr::new(SERVER_V4.into(), PORT);
    let mut sender = Sender::connect(&network.clients[0].namespace, target).unwrap();
    for number in 0..FAILED {
        let body = format!("{BODY}{number}");
        let head = github("push", &format!("id-{}", number / 2), body.as_bytes());
        assert_eq!(sender.post(BROKEN, &head, body.as_bytes()).unwrap(), 500);
    }
    let records = dataset(&agent, "delivery", FAILED);
    assert_eq!(text(&records[1], "/webhook/replay"), "retry");
    assert_eq!(agent.dataset("finding").unwrap(), Vec::<Value>::new());
    assert_eq!(agent.dataset("decision").unwrap(), Vec::<Value>::new());
    let labels = [("endpoint", "github"), ("provider", "github"), ("event_type", "push")];
    let count = |name: &str, outcome: &[(&str, &str)]| {
        agent.metrics().unwrap().sum(name, &[&labels, outcome].concat())
    };
    let published = || {
        let broken = count("hooksensor_deliveries_total", &[("outcome", "broken")]);
        (broken == FAILED as u64).then_some(())
    };
    harness::eventually(Duration::from_secs(30), "the figures", published).unwrap();
    assert_eq!(count("hooksensor_deliveries_retried_total", &[]), FAILED as u64 / 2);
    let status = agent.done(&["status"]).unwrap();
    let shown = status.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let of_push: Vec<_> = shown.filter(|cells| cells.contains(&"push")).collect();
    assert_eq!(of_push, [["github", "github", "push", "60", "0", "%", "60", "0", "30"]]);
    assert_eq!(count("hooksensor_deliveries_total", &[("outcome", "served")]), 0);
    // The sender's own failures do: the same number of them, where nothing is found.
    for number in 0..5 {
        let head = github("push", &format!("lost-{number}"), b"{}");
        assert_eq!(sender.post("/nowhere", &head, b"{}").unwrap(), 404);
    }
    let finding = &dataset(&agent, "finding", 1)[0];
    assert_eq!(text(finding, "/rule/id"), "failed-requests", "{finding:#}");
}

/// A delivery of GitHub's at a second, with the status of its answer and the seconds until then.
struct Given(u64, u16, u64);

/// The rule of each finding and its second, in a replay of deliveries to an endpoint of GitHub's.
/// Another port is in use all the time, so that the capture has no holes.
fn replayed(given: &[Given], end: u64) -> Vec<(String, u64)> {
    let exchange = |second, took, port, request, response| Exchange {
        second: START + second,
        took,
        client: [10, 1, 2, 3].into(),
        port,
        request,
        response,
    };
    let mut exchanges: Vec<_> = (0..end / MINUTE)
        .map(|minute| exchange(minute * MINUTE, 0, PORT + 1, String::new(), String::new()))
        .collect();
    for Given(second, status, took) in given {
        let request = format!(
            "POST {ANY}github HTTP/1.1\r\nX-GitHub-Event: push\r\nX-GitHub-Delivery: {second}\r\n\
             Content-Length: 2\r\n\r\n{{}}"
        );
        let response = format!("HTTP/1.1 {status} x\r\nContent-Length: 0\r\n\r\n");
        exchanges.push(exchange(*second, *took, PORT, request, response));
    }
    let endpoint = endpoint("github", ANY, "github", None);
    let records = replay(&exchanges, &[PORT, PORT + 1], &endpoint).unwrap();
    let findings =
        records.iter().filter(|record| text(record, "/event/dataset") == "hooksensor.finding");
    findings
        .map(|finding| {
            assert_eq!(text(finding, "/webhook/endpoint"), "github");
            (text(finding, "/rule/id").to_owned(), second(text(finding, "/@timestamp")))
        })
        .collect()
}

/// The second since the start of a time in RFC 3339.
fn second(timestamp: &str) -> u64 {
    let output = Command::new("date").args(["--utc", "+%s", "--date", timestamp]).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().parse::<u64>().unwrap() - START
}

fn check(given: &[Given], end: u64, expected: &[(&str, u64)]) {
    let found = replayed(given, end);
    let found: Vec<_> = found.iter().map(|(rule, second)| (rule.as_str(), *second)).collect();
    assert_eq!(found, expected);
}

#[test]
fn a_receiver_that_fails_or_is_late_is_told_once() {
    let failing = (0..80).map(|n| Given(30 * n, if n < 10 { 503 } else { 200 }, 0));
    let told = [("receiver-failing", 120), ("receiver-recovered", 870)];
    check(&failing.collect::<Vec<_>>(), 40 * MINUTE, &told);
    // GitHub waits ten seconds.
    let late = (0..80).map(|n| Given(30 * n, 200, if n < 10 { 11 } else { 1 }));
    let told = [("answers-too-slow", 120), ("answers-in-time", 870)];
    check(&late.collect::<Vec<_>>(), 40 * MINUTE + 1, &told);
}

#[test]
fn deliveries_that_stop_are_told_once_and_that_they_resume() {
    let stop = 2 * DAY;
    let resume = stop + 3 * 60 * MINUTE;
    let steady = (0..3 * DAY / 300).map(|n| Given(300 * n, 200, 0));
    let given: Vec<_> = steady.filter(|one| !(stop..resume).contains(&one.0)).collect();
    // Five minutes are usual; eight times that is not, while hours of the week are not known.
    let told = [("deliveries-stopped", stop + 36 * MINUTE), ("deliveries-resumed", resume)];
    check(&given, 3 * DAY, &told);
}
