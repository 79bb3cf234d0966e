//! Deliveries from headers, as each provider sends them.

use bytes::Bytes;
use proptest::prelude::*;

use super::fixture::{deliver, deliver_to, exchange, headers};
use super::*;
use crate::config::{Algorithm, Config, Mark, Part, Source};
use crate::http::Response;

/// What the headers in `lines` say: provider, event type, delivery id, attempt and signature.
fn check(
    lines: &str,
    (provider, event_type, delivery_id): (&str, Option<&str>, Option<&str>),
    attempt: Option<u32>,
    signature: Option<Status>,
) {
    let delivery = deliver(exchange("/", lines));
    assert_eq!(name(&delivery), Some(provider), "{lines}");
    assert_eq!(delivery.event_type.as_deref(), event_type, "{lines}");
    assert_eq!(delivery.delivery_id.as_deref(), delivery_id, "{lines}");
    assert_eq!(delivery.attempt, attempt, "{lines}");
    assert_eq!(delivery.signature.map(|signature| signature.status), signature, "{lines}");
}

fn name(delivery: &Delivery) -> Option<&str> {
    delivery.provider.as_deref().map(|provider| provider.name.as_str())
}

#[test]
fn providers_with_identifiers() {
    use Status::{Missing, Unchecked};
    let check_signed = |lines, expected| check(lines, expected, None, Some(Unchecked));
    check_signed(
        "X-GitHub-Event: push\nX-GitHub-Delivery: 72d3162e\nX-Hub-Signature-256: sha256=ab",
        ("github", Some("push"), Some("72d3162e")),
    );
    check_signed(
        "X-GitHub-Event: push\nX-Gitea-Event: push\nX-Gitea-Delivery: f6266f16\n\
         X-Gitea-Signature: ab",
        ("gitea", Some("push"), Some("f6266f16")),
    );
    check_signed(
        "X-Gitlab-Event: Push Hook\nX-Gitlab-Event-UUID: 13792a34\nIdempotency-Key: f5e5f430\n\
         webhook-signature: v1,x\nwebhook-id: f5e5f430",
        ("gitlab", Some("Push Hook"), Some("f5e5f430")),
    );
    check_signed(
        "X-Shopify-Topic: orders/create\nX-Shopify-Webhook-Id: b54557e4\n\
         X-Shopify-Hmac-Sha256: x=",
        ("shopify", Some("orders/create"), Some("b54557e4")),
    );
    check_signed(
        "webhook-id: msg_p5j\nwebhook-timestamp: 1\nwebhook-signature: v1,x",
        ("standard-webhooks", None, Some("msg_p5j")),
    );
    check(
        "X-Event-Key: repo:push\nX-Hook-UUID: 1\nX-Request-UUID: 2\nX-Attempt-Number: 2",
        ("bitbucket", Some("repo:push"), Some("2")),
        Some(2),
        Some(Missing),
    );
    for event in ["proj:modified", "project:modified", "mirror:repo_synchronized"] {
        check(
            &format!("X-Event-Key: {event}\nX-Request-Id: 3"),
            ("bitbucket", Some(event), Some("3")),
            None,
            Some(Missing),
        );
    }
    check(
        "X-Slack-Signature: v0=ab\nX-Slack-Retry-Num: 1",
        ("slack", None, None),
        Some(2),
        Some(Unchecked),
    );
    check(
        "x-amz-sns-message-type: Notification\nx-amz-sns-message-id: 22b80b92",
        ("aws-sns", Some("Notification"), Some("22b80b92")),
        None,
        Some(Missing),
    );
    check(
        "User-Agent: facebookexternalua\nX-Hub-Signature-256: sha256=ab",
        ("meta", None, None),
        None,
        Some(Unchecked),
    );
}

#[test]
fn a_header_that_a_provider_shares_does_not_tell_it() {
    for lines in ["X-Hub-Signature-256: sha256=ab", "X-Event-Key: other", "User-Agent: curl/8", ""]
    {
        let delivery = deliver(exchange("/", lines));
        assert_eq!(delivery.provider, None, "{lines}");
        assert_eq!(delivery.signature, None, "{lines}");
    }
}

#[test]
fn every_row_is_told_by_each_of_its_marks() {
    for provider in Table::new(&[]).providers() {
        for Mark { source, value } in &provider.recognise {
            let Source::Header(header) = source else { panic!("{source} tells no provider") };
            let delivery = deliver(exchange("/", &format!("{header}: {value}x")));
            assert_eq!(name(&delivery), Some(provider.name.as_str()), "{header}");
        }
    }
}

#[test]
fn a_ping_is_a_handshake_and_an_event_is_none() {
    let (discord, pagerduty) = ("X-Signature-Ed25519: 00", "X-PagerDuty-Signature: v1=00");
    for (lines, body, expected) in [
        (discord, r#"{"version":1,"type":0}"#, true),
        (discord, r#"{"version":1,"type":1,"event":{"type":"ENTITLEMENT_CREATE"}}"#, false),
        (pagerduty, r#"{"event":{"id":"01B","event_type":"pagey.ping"}}"#, true),
        (pagerduty, r#"{"event":{"id":"01B","event_type":"incident.triggered"}}"#, false),
    ] {
        let mut sent = exchange("/", lines);
        let request = sent.request.as_mut().unwrap();
        request.body.content = Some(Bytes::from_static(body.as_bytes()));
        assert_eq!(deliver(sent).handshake, expected, "{body}");
    }
}

#[test]
fn a_delivery_of_shopify_is_told_from_its_event() {
    for (lines, expected) in [
        ("X-Shopify-Event-Id: e1\nX-Shopify-Webhook-Id: w1", "w1"),
        ("X-Shopify-Event-Id: e1", "e1"),
    ] {
        let delivery = deliver(exchange("/", &format!("X-Shopify-Topic: orders/create\n{lines}")));
        assert_eq!(delivery.delivery_id.as_deref(), Some(expected), "{lines}");
    }
}

#[test]
fn a_token_does_not_name_the_body() {
    let endpoint = Endpoint {
        port: 8080,
        path_prefix: "/".to_owned(),
        secrets: vec!["env:UNSET".parse().unwrap()],
        ..Endpoint::default()
    };
    let config = Config { endpoints: vec![endpoint], ..Config::default() };
    let secret = Secret::new("own", zeroize::Zeroizing::new(b"a token".to_vec()));
    let knowledge = Arc::new(Knowledge::new(&config, vec![vec![secret]]));
    let mut webhooks = Webhooks::new(knowledge, Arc::default());
    for number in 0..2_u8 {
        let lines = format!(
            "X-Gitlab-Event: Push Hook\nX-Gitlab-Token: a token\nX-Gitlab-Event-UUID: {number}"
        );
        let mut sent = exchange("/", &lines);
        let body = &mut sent.request.as_mut().unwrap().body;
        (body.bytes, body.content) = (100, Some(Bytes::from(vec![number; 100])));
        let delivery = webhooks.deliver(sent);
        assert_eq!(delivery.signature.unwrap().status, Status::Valid);
        assert_eq!(delivery.replay, Some(Replay::First));
    }
}

#[test]
fn the_first_attempt_of_hubspot_is_its_number_zero() {
    for (body, expected) in [
        (r#"[{"eventId":1,"attemptNumber":0}]"#, Some(1)),
        (r#"[{"eventId":1,"attemptNumber":2}]"#, Some(3)),
        (r#"[{"eventId":1}]"#, None),
    ] {
        let mut sent = exchange("/", "X-HubSpot-Signature: 00");
        sent.request.as_mut().unwrap().body.content = Some(Bytes::from_static(body.as_bytes()));
        assert_eq!(deliver(sent).attempt, expected, "{body}");
    }
}

#[test]
fn a_handshake_is_remembered_for_its_name_is_not_signed() {
    let ping = exchange("/", "X-GitHub-Event: ping\nX-GitHub-Delivery: 72d3162e");
    let delivery = deliver(ping);
    assert!(delivery.handshake);
    assert_eq!(delivery.replay, Some(Replay::First));
}

#[test]
fn the_built_in_table_is_whole() {
    let table = Table::new(&[]);
    assert!(table.providers().len() >= 26);
    for (index, provider) in table.providers().iter().enumerate() {
        assert_eq!(table.position(&provider.name), Some(index), "a name is there twice");
        let dated = provider.networks_as_of.parse::<jiff::civil::Date>().is_ok();
        assert!(provider.networks.is_empty() || dated, "{}: undated networks", provider.name);
        assert!(!provider.signature.is_empty(), "{}: no scheme", provider.name);
        for scheme in &provider.signature {
            let needs = |part| scheme.signed.0.contains(&part);
            assert!(scheme.separator.len() <= 1, "{}", provider.name);
            let has_no_key = scheme.algorithm == Algorithm::Sha256;
            assert_eq!(needs(Part::Secret), has_no_key, "{}", provider.name);
            assert!(!needs(Part::Timestamp) || !scheme.timestamp.is_empty(), "{}", provider.name);
            assert!(
                scheme.tolerance.is_zero() || !scheme.timestamp.is_empty(),
                "{}",
                provider.name
            );
        }
    }
    let roles = table.roles();
    assert_eq!(roles.of(b"x-hub-signature-256"), Some(HeaderRole::Signature));
    assert_eq!(roles.of(b"x-gitlab-token"), Some(HeaderRole::Signature));
    assert_eq!(roles.of(b"x-github-delivery"), Some(HeaderRole::Identifier));
    assert_eq!(roles.of(b"user-agent"), None);
}

#[test]
fn a_built_in_provider_that_is_changed_keeps_its_place() {
    let text = "[[provider]]\nname = \"github\"\nnetworks = [\"192.0.2.0/24\"]\n\
                networks_as_of = \"2026-11-01\"\n\
                [[provider]]\nname = \"acme\"\nrecognise = [\"header x-acme\"]";
    let table = Table::new(&Config::parse(text, "test").unwrap().providers);
    let told = |lines: &str| {
        let index = table.told_by(&headers(lines)).unwrap();
        let provider = &table.providers()[index];
        (provider.name.clone(), provider.networks.len())
    };
    assert_eq!(told("X-GitHub-Event: push"), ("github".to_owned(), 1));
    assert_eq!(told("X-GitHub-Event: push\nX-Gitea-Event: push").0, "gitea");
    assert_eq!(told("X-GitHub-Event: push\nX-Acme: 1").0, "acme");
}

#[test]
fn a_provider_of_the_configuration_takes_ten_lines() {
    let text = r#"
        [[provider]]
        name = "acme"
        recognise = ["header x-acme-event"]
        event_type = ["header x-acme-event"]
        delivery_id = ["json /id"]
        [[provider.signature]]
        algorithm = "hmac-sha256"
        signature = "header x-acme-proof"
        prefix = "sha256="
        [[provider]]
        name = "stripe"
        recognise = ["header x-not-stripe"]
    "#;
    let config = Config::parse(text, "test").unwrap();
    let knowledge = Arc::new(Knowledge::new(&config, Vec::new()));
    let mut webhooks = Webhooks::new(knowledge, Arc::default());
    let mut told = |lines: &str| {
        let mut exchange = exchange("/", lines);
        let body = &mut exchange.request.as_mut().unwrap().body;
        (body.content, body.bytes) = (Some(Bytes::from_static(b"{\"id\":\"i1\"}")), 11);
        webhooks.deliver(exchange)
    };
    let delivery = told("X-Acme-Event: order\nX-Acme-Proof: sha256=ab");
    assert_eq!(name(&delivery), Some("acme"));
    assert_eq!(delivery.event_type.as_deref(), Some("order"));
    assert_eq!(delivery.delivery_id.as_deref(), Some("i1"));
    assert_eq!(delivery.roles.of(b"x-acme-proof"), Some(HeaderRole::Signature));
    assert_eq!(delivery.exchange.request.unwrap().body.content, None);
    assert_eq!(name(&told("Stripe-Signature: t=1,v1=ab")), None);
}

#[test]
fn correlation_identifiers() {
    let check = |lines: &str, expected: Option<&str>| {
        let delivery = deliver(exchange("/", lines));
        assert_eq!(delivery.request_id.as_deref(), expected, "{lines}");
    };
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    check(&format!("traceparent: 00-{trace}-00f067aa0ba902b7-01"), Some(trace));
    check(&format!("traceparent: 00-{trace}-00f067aa0ba902b7-01\nX-Request-Id: a"), Some("a"));
    check("X-Correlation-Id: b\nX-Request-Id:  ", Some("b"));
    check(&format!("X-Request-Id: {}", "x".repeat(257)), None);
    check("traceparent: 00-00000000000000000000000000000000-00f067aa0ba902b7-01", None);
    check("traceparent: 00-4bf92f-00f067aa0ba902b7-01", None);
    check("traceparent: ", None);
    check("X-Request-Id: Bearer a", Some("[redacted]"));
}

#[test]
fn identifiers_are_shown_covered_and_told_apart() {
    let lines = "X-GitHub-Event: Bearer a\nX-GitHub-Delivery: ";
    let knowledge = Arc::new(Knowledge::new(&Config::default(), Vec::new()));
    let mut webhooks = Webhooks::new(knowledge, Arc::default());
    for id in ["Bearer a", "Bearer b"] {
        let delivery = webhooks.deliver(exchange("/", &format!("{lines}{id}")));
        assert_eq!(delivery.event_type.as_deref(), Some("[redacted]"));
        assert_eq!(delivery.delivery_id.as_deref(), Some("[redacted]"));
        assert_eq!(delivery.replay, Some(Replay::First), "{id}");
    }
}

#[test]
fn the_longest_prefix_names_the_endpoint() {
    let named = |name: &str, port, path_prefix: &str| Endpoint {
        name: name.to_owned(),
        port,
        path_prefix: path_prefix.to_owned(),
        ..Endpoint::default()
    };
    let endpoints = [
        named("all", 8080, "/"),
        named("github", 8080, "/hooks/github"),
        named("other port", 9090, "/hooks/github/a"),
    ];
    let check = |target: &str, expected: Option<&str>| {
        let delivery = deliver_to(exchange(target, ""), endpoints.to_vec());
        let named = delivery.endpoint.as_deref().map(|endpoint| endpoint.name.as_str());
        assert_eq!(named, expected, "{target}");
    };
    check("/hooks/github/a?x=/", Some("github"));
    check("http://example.com/hooks/github", Some("github"));
    check("/hooks", Some("all"));
    check("/%68ooks/github", Some("github"));
    check("//hooks/x/../github", Some("github"));
    check("/hooks/github/../x", Some("all"));
    check("*", None);
}

#[test]
fn identifiers_differ_by_exchange_and_not_by_run() {
    let first = deliver(exchange("/", ""));
    let mut next = exchange("/", "");
    next.index = 1;
    assert_eq!(first.id, deliver(exchange("/", "")).id);
    assert_ne!(first.id, deliver(next).id);
}

#[test]
fn a_response_alone_is_a_delivery_without_request() {
    let mut alone = exchange("/", "");
    let Request { started, version, headers, body, .. } = alone.request.take().unwrap();
    alone.response = Some(Response { started, status: 200, version, headers, body, wire_bytes: 0 });
    let delivery = deliver(alone);
    assert_eq!(delivery.id, deliver(exchange("/", "")).id);
    assert_eq!((delivery.provider, delivery.endpoint), (None, None));
}

proptest! {
    #[test]
    fn no_header_is_a_panic(name in "[a-zA-Z-]{0,20}|traceparent|X-Slack-Retry-Num", value in "\\PC{0,80}") {
        let lines = format!("X-Slack-Signature: x\n{name}: {value}");
        prop_assert_eq!(deliver(exchange(&value, &lines)).provider.is_some(), true);
    }
}

#[test]
fn a_record_shows_of_a_body_what_its_endpoint_says() {
    let shown = |record_body| {
        let endpoint = Endpoint {
            port: 8080,
            path_prefix: "/".to_owned(),
            record_body,
            ..Endpoint::default()
        };
        let mut exchange = exchange("/", "");
        exchange.request.as_mut().unwrap().body.content = Some(Bytes::from_static(b"hello"));
        let body = deliver_to(exchange, vec![endpoint]).exchange.request.unwrap().body;
        (body.content, body.truncated)
    };
    assert_eq!(shown(0), (None, false));
    assert_eq!(shown(4), (Some(Bytes::from_static(b"hell")), true));
    assert_eq!(shown(5), (Some(Bytes::from_static(b"hello")), false));
}
