use super::*;
use crate::http::{Coverage, Exchange, Flow, Headers, Response, Version};
use crate::webhook::Status;
use std::sync::Arc;
use std::time::Duration;

const SECOND: u64 = 1_000_000_000;

fn delivery(number: u64, source: &str, second: u64, status: u16) -> Delivery {
    let source = std::net::SocketAddr::new(source.parse().unwrap(), 4000);
    let flow = Flow {
        id: number,
        source,
        destination: "192.0.2.1:8080".parse().unwrap(),
        vlan: None,
        interface: 1,
    };
    let response = Response {
        started: Timestamp(second * SECOND),
        status,
        version: Version(1, 1),
        headers: Headers::default(),
        body: crate::http::Body::default(),
        wire_bytes: 0,
    };
    let exchange = Exchange {
        flow,
        index: 0,
        client: source.ip(),
        request: None,
        response: Some(response),
        coverage: Coverage::FULL,
        anomalies: Vec::new(),
    };
    Delivery {
        id: Uuid::from_u64_pair(0, number),
        exchange: Box::new(exchange),
        provider: None,
        endpoint: None,
        event_type: None,
        delivery_id: None,
        attempt: None,
        request_id: None,
        handshake: false,
        signature: None,
        replay: None,
        payload: None,
        roles: Arc::default(),
    }
}

/// The findings of the rules with a threshold of three failures in ten seconds, as the numbers
/// of the deliveries that are their evidence.
fn check(description: &str, input: &[(&str, u64, u16)], expected: &[&[u64]]) {
    let ban = config::Ban {
        failures: 3,
        window: Duration::from_secs(10),
        over_limit_for: Duration::from_secs(2),
        ..config::Ban::default()
    };
    let mut detector = Detector::new(&ban);
    let found: Vec<Vec<u64>> = (0..)
        .zip(input)
        .flat_map(|(number, (source, second, status))| {
            let mut found = Vec::new();
            let delivery = delivery(number, source, *second, *status);
            detector.delivery(&delivery, &mut |finding| found.push(finding));
            found
        })
        .map(|finding| finding.evidence.iter().map(|id| id.as_u64_pair().1).collect())
        .collect();
    assert_eq!(found, expected, "{description}");
}

#[test]
fn failures_are_counted_by_source_code_and_window() {
    let a = "198.51.100.1";
    let b = "198.51.100.2";
    check("three in the window", &[(a, 1, 401), (a, 5, 404), (a, 10, 403)], &[&[0, 1, 2]]);
    check("two", &[(a, 1, 401), (a, 5, 404)], &[]);
    check("three, but not within the window", &[(a, 1, 401), (a, 5, 401), (a, 12, 401)], &[]);
    check("two sources", &[(a, 1, 401), (b, 2, 401), (a, 3, 401), (b, 4, 401)], &[]);
    let (c, d) = ("2001:db8::1", "2001:db8::ffff:2");
    check("one IPv6 subnet", &[(c, 1, 401), (d, 2, 401), (c, 3, 401)], &[&[0, 1, 2]]);
    check("our own failures", &[(a, 1, 500), (a, 2, 502), (a, 3, 503)], &[]);
    check("successes", &[(a, 1, 200), (a, 2, 204), (a, 3, 302)], &[]);
    let before = [(a, 100, 401), (a, 101, 401), (a, 50, 401)];
    check("before the clock was set back", &before, &[]);
    let after = [&before[..], &[(a, 51, 401), (a, 52, 401)]].concat();
    check("after the clock was set back", &after, &[&[2, 3, 4]]);
    check(
        "each finding needs failures of its own",
        &[(a, 1, 401), (a, 2, 401), (a, 3, 401), (a, 4, 401), (a, 5, 401), (a, 6, 401)],
        &[&[0, 1, 2], &[3, 4, 5]],
    );
}

/// Whether deliveries of GitHub to this endpoint, answered 404, are found.
fn check_genuine(source: &str, expected: &str, signature: Option<Status>, is_found: bool) {
    use crate::webhook::{Signature, fixture};
    let endpoint = config::Endpoint {
        port: 8080,
        path_prefix: "/".to_owned(),
        provider: expected.to_owned(),
        ..config::Endpoint::default()
    };
    let exchange = fixture::exchange("/", "X-GitHub-Event: push");
    let mut exchange = fixture::answered(exchange, Timestamp(SECOND), Some((404, 1)));
    exchange.client = source.parse().unwrap();
    let mut delivery = fixture::deliver_to(exchange, vec![endpoint]);
    let provider = delivery.provider.as_mut().unwrap();
    Arc::make_mut(provider).networks = vec!["140.82.112.0/20".parse().unwrap()];
    delivery.signature = signature.map(|status| Signature {
        status,
        reason: None,
        scheme: None,
        key_id: None,
        skew_ms: None,
    });
    let mut failures = Failures::new(&config::Ban { failures: 3, ..config::Ban::default() });
    let found = (0..3).filter_map(|_| failures.look(&delivery)).count();
    assert_eq!(found, usize::from(is_found), "{source} {expected} {signature:?}");
}

#[test]
fn what_a_genuine_sender_is_answered_is_our_own_failure() {
    let (home, away) = ("140.82.112.1", "203.0.113.9");
    check_genuine(away, "github", None, true);
    check_genuine(away, "github", Some(Status::Invalid), true);
    check_genuine(away, "github", Some(Status::Missing), true);
    check_genuine(away, "github", Some(Status::Unchecked), true);
    check_genuine(away, "github", Some(Status::Valid), false);
    check_genuine(away, "github", Some(Status::Stale), false);
    check_genuine(home, "github", Some(Status::Invalid), false);
    check_genuine(home, "stripe", Some(Status::Missing), true);
    check_genuine(home, "", None, true);
}

/// The place that is found of a source whose failures went to these endpoints, each saying to be of
/// a provider; empty names are of none.
fn check_place(failures: &[(&str, &str)], expected: Option<(&str, &str)>) {
    use crate::webhook::fixture;
    let ban = config::Ban { failures: 3, ..config::Ban::default() };
    let mut rule = Failures::new(&ban);
    let found = failures.iter().filter_map(|(endpoint, provider)| {
        let lines = if provider.is_empty() { "a: b" } else { *provider };
        let exchange = fixture::exchange(&format!("/{endpoint}"), lines);
        let exchange = fixture::answered(exchange, Timestamp(SECOND), Some((404, 1)));
        let endpoints = ["orders", "builds"].map(|name| config::Endpoint {
            name: name.to_owned(),
            port: 8080,
            path_prefix: format!("/{name}"),
            ..config::Endpoint::default()
        });
        rule.look(&fixture::deliver_to(exchange, endpoints.to_vec()))
    });
    let places: Vec<_> = found.map(|finding| finding.place).collect();
    let place = |(endpoint, provider): (&str, &str)| Place {
        endpoint: endpoint.to_owned(),
        provider: provider.to_owned(),
    };
    assert_eq!(places, [expected.map(place)], "{failures:?}");
}

#[test]
fn failures_say_where_all_of_them_went() {
    let (github, stripe) = ("X-GitHub-Event: push", "Stripe-Signature: t=1,v1=00");
    check_place(&[("orders", github); 3], Some(("orders", "github")));
    check_place(&[("orders", ""); 3], Some(("orders", "")));
    check_place(&[("", github); 3], Some(("", "github")));
    check_place(&[("", ""); 3], None);
    let (orders, builds) = (("orders", ""), ("builds", ""));
    check_place(&[orders, orders, builds], None);
    check_place(&[builds, orders, orders], None);
    check_place(&[orders, ("", ""), orders], None);
    check_place(
        &[("orders", github), ("orders", stripe), ("orders", github)],
        Some(("orders", "")),
    );
    check_place(&[("orders", github), ("builds", github), ("", github)], Some(("", "github")));
}

/// The moments, in tenths of a second, at which a source noticed at `moments` is found, and the
/// rule it is found by.
fn check_sustained(description: &str, established: bool, moments: &[u64], expected: &[u64]) {
    let ban = config::Ban { over_limit_for: Duration::from_secs(2), ..config::Ban::default() };
    let mut detector = Detector::new(&ban);
    let source = "198.51.100.1".parse().unwrap();
    let found: Vec<_> = moments
        .iter()
        .filter_map(|moment| {
            let time = Timestamp(moment * SECOND / 10);
            detector.over_limit(OverLimit { source, port: 80, established, time })
        })
        .collect();
    let times: Vec<_> = found.iter().map(|finding| finding.time.0 * 10 / SECOND).collect();
    assert_eq!(times, expected, "{description}");
    let consequence = if established { Consequence::Ban } else { Consequence::Alert };
    assert!(found.iter().all(|finding| finding.rule.consequence == consequence), "{description}");
}

#[test]
fn a_flood_is_found_when_it_lasts() {
    let steady: Vec<_> = (1..=45).collect();
    check_sustained("four seconds", true, &steady, &[21, 41]);
    check_sustained("a burst", true, &[1, 2, 3, 4, 5], &[]);
    check_sustained("bursts with silence between", true, &[1, 5, 16, 20, 31, 35], &[]);
    let set_back: Vec<_> = (1001..=1010).chain(1..=25).collect();
    check_sustained("a clock set back", true, &set_back, &[21]);
    check_sustained("two ends with nothing between", true, &[1, 30], &[]);
}

#[test]
fn a_flood_from_an_address_that_may_be_made_up_bans_nobody() {
    let steady: Vec<_> = (1..=700).collect();
    check_sustained("told once a minute", false, &steady, &[21, 621]);
    check_sustained("a burst", false, &[1, 2, 3, 4, 5], &[]);
}
