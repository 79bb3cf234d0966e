//! What deliveries claim, held against the facts: where they came from, where they went, how.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics where it stands")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use harness::curl::{SECRET, signature};
use harness::replay::{Exchange, Scratch, replay};
use harness::webhook::{BODY, PORT, endpoint, text};

/// Networks of a provider are the user's own knowledge: none are built in.
const ACME: &str = "[[provider]]\nname = \"acme\"\nrecognise = [\"header x-acme\"]\n\
                    networks = [\"203.0.113.0/24\"]\nnetworks_as_of = \"2026-11-01\"\n";

/// What is not given of a built-in provider is as it is built in.
const GITHUB: &str = "[[provider]]\nname = \"github\"\nnetworks = [\"203.0.113.0/24\"]\n\
                      networks_as_of = \"2026-11-01\"\n";

/// The rules of the findings that one delivery from an address, answered with a status, leads to;
/// twice within a minute, which is told once.
fn check(path: &str, head: &str, client: &str, status: u16, expected: &[&str]) {
    let scratch = Scratch::new().unwrap();
    let secret = scratch.write("secret", SECRET).unwrap();
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();
    let tables = [
        ACME.to_owned(),
        GITHUB.to_owned(),
        endpoint("github", "/github", "github", Some(&secret)),
        endpoint("open", "/open", "", None),
    ]
    .concat();
    let exchange = |second| Exchange {
        second,
        took: 0,
        client: client.parse().unwrap(),
        port: PORT,
        request: format!(
            "POST {path} HTTP/1.1\r\n{head}Content-Length: {}\r\n\r\n{BODY}",
            BODY.len()
        ),
        response: format!("HTTP/1.1 {status} x\r\nContent-Length: 0\r\n\r\n"),
    };
    let records =
        replay(&[exchange(1_793_500_000), exchange(1_793_500_030)], &[PORT], &tables).unwrap();
    let rules: Vec<_> = records
        .iter()
        .filter(|record| text(record, "/event/dataset") == "hooksensor.finding")
        .map(|finding| text(finding, "/rule/id"))
        .collect();
    assert_eq!(rules, expected, "{path} {head} {client}");
    let decisions = records.iter().any(|one| text(one, "/event/dataset") == "hooksensor.decision");
    assert!(!decisions, "a claim led to a ban: {records:#?}");
}

#[test]
fn claims_that_do_not_hold_are_told() {
    let signed =
        format!("X-GitHub-Event: push\r\nX-Hub-Signature-256: {}\r\n", signature(BODY.as_bytes()));
    let unsigned = "X-GitHub-Event: push\r\n";
    let acme = "X-Acme: 1\r\n";
    let stripe = "Stripe-Signature: t=1793500000,v1=ab\r\n";
    let (home, away, local) = ("203.0.113.7", "198.51.100.7", "10.1.2.3");
    check("/github", &signed, local, 200, &[]);
    check("/github", &signed, home, 200, &["plaintext-delivery"]);
    check("/github", &signed, home, 401, &[]);
    check("/github", &signed, away, 401, &["outside-provider-networks"]);
    check("/github", unsigned, local, 200, &["missing-signature"]);
    check("/open", acme, home, 401, &[]);
    check("/open", acme, away, 401, &["outside-provider-networks"]);
    check("/open", acme, local, 401, &[]);
    check("/github", stripe, local, 200, &["missing-signature", "unexpected-provider"]);
}

#[test]
fn a_source_whose_ban_is_in_force_is_not_told_of_again() {
    let exchange = |number: u64| Exchange {
        second: 1_793_500_000 + number / 10,
        took: 0,
        client: "198.51.100.7".parse().unwrap(),
        port: PORT,
        request: "GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(),
        response: "HTTP/1.1 404 x\r\nContent-Length: 0\r\n\r\n".to_owned(),
    };
    let exchanges: Vec<_> = (0..150).map(exchange).collect();
    let records = replay(&exchanges, &[PORT], "").unwrap();
    let count =
        |dataset| records.iter().filter(|record| text(record, "/event/dataset") == dataset).count();
    assert_eq!(count("hooksensor.delivery"), 150);
    assert_eq!((count("hooksensor.finding"), count("hooksensor.decision")), (1, 1));
}

#[test]
fn who_says_github_is_held_against_the_list_that_is_shipped() {
    let list = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/networks/github.toml");
    let tables = format!("network_lists = [{list:?}]\n{}", endpoint("hooks", "/", "github", None));
    let clients = ["140.82.115.9", "198.51.100.7", "9.234.98.170"];
    let exchange = |(second, client): (u64, &str)| Exchange {
        second,
        took: 0,
        client: client.parse().unwrap(),
        port: PORT,
        request: "POST / HTTP/1.1\r\nX-GitHub-Event: push\r\nContent-Length: 0\r\n\r\n".to_owned(),
        response: "HTTP/1.1 401 x\r\nContent-Length: 0\r\n\r\n".to_owned(),
    };
    let exchanges: Vec<_> = (1_793_500_000..).zip(clients).map(exchange).collect();
    let records = replay(&exchanges, &[PORT], &tables).unwrap();
    let findings: Vec<_> = records
        .iter()
        .filter(|record| text(record, "/event/dataset") == "hooksensor.finding")
        .map(|one| {
            ["/rule/id", "/source/ip", "/webhook/provider", "/webhook/endpoint"]
                .map(|key| text(one, key))
        })
        .collect();
    assert_eq!(findings, [["outside-provider-networks", "198.51.100.7", "github", "hooks"]]);
}
