//! GitHub's own example payloads over real connections, and a body of the largest size.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics where it stands")]

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;
use std::{fs, thread};

use harness::agent::{Agent, Settings, binary};
use harness::network::{Network, SERVER_V4};
use harness::sender::Sender;
use harness::server::Server;
use harness::webhook::{PORT, WORKING, dataset, endpoint, github, losses, secret_file, text};
use nix::sys::signal::Signal;
use serde_json::Value;

/// `cargo xtask setup` and `cargo xtask test` fetch it.
const EXAMPLES: &str = "../target/npm/node_modules/@octokit/webhooks-examples/api.github.com";

/// As [`EXAMPLES`].
const SCHEMA: &str = "../target/npm/node_modules/@octokit/webhooks-schemas/schema.json";

/// Payloads in the version that is fetched.
const PAYLOADS: usize = 329;

/// Octets of the largest payload that GitHub sends.
const LARGEST: usize = 25_000_000;

/// What the agent may hold more while and after such a body arrives: the body itself, a copy while
/// its buffer grows, and the ring's segments.
const BUDGET: u64 = 96 << 20;

/// Each payload with the name of its event.
fn payloads() -> Vec<(String, Vec<u8>)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(EXAMPLES).join("index.json");
    let text = fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}; run cargo xtask setup", path.display()));
    let events: Vec<Value> = serde_json::from_str(&text).unwrap();
    let of_event = |event: &Value| {
        let name = event["name"].as_str().unwrap().to_owned();
        let examples = event["examples"].as_array().unwrap().clone();
        examples.into_iter().map(move |one| (name.clone(), serde_json::to_vec(&one).unwrap()))
    };
    let payloads: Vec<_> = events.iter().flat_map(of_event).collect();
    assert_eq!(payloads.len(), PAYLOADS);
    payloads
}

fn start(network: &Network) -> (Server, Agent<'_>) {
    start_with(network, "")
}

/// An endpoint of GitHub's with more of its keys.
fn start_with<'n>(network: &'n Network, keys: &str) -> (Server, Agent<'n>) {
    let server = Server::start(&network.server, PORT).unwrap();
    let mut settings = Settings::new(network.interfaces(), PORT);
    let secret = secret_file(&network.server).unwrap();
    settings.tables = endpoint("github", "/hooks/", "github", Some(&secret)) + keys;
    (server, Agent::start(&binary().unwrap(), &network.server, &settings).unwrap())
}

fn connect(network: &Network) -> Sender {
    let target = SocketAddr::new(SERVER_V4.into(), PORT);
    Sender::connect(&network.clients[0].namespace, target).unwrap()
}

/// How many records have each status.
fn statuses(records: &[Value]) -> BTreeMap<&str, usize> {
    let mut counts = BTreeMap::new();
    for record in records {
        *counts.entry(text(record, "/webhook/signature/status")).or_default() += 1;
    }
    counts
}

#[test]
fn every_example_is_valid_and_every_changed_one_is_not() {
    let network = Network::new(1).unwrap();
    let (_server, agent) = start(&network);
    let payloads = payloads();
    let mut sender = connect(&network);
    for (number, (event, payload)) in payloads.iter().enumerate() {
        let head = github(event, &format!("whole-{number}"), payload);
        assert_eq!(sender.post(WORKING, &head, payload).unwrap(), 200);
    }
    let records = dataset(&agent, "delivery", PAYLOADS);
    assert_eq!(statuses(&records), BTreeMap::from([("valid", PAYLOADS)]));
    for (record, (event, payload)) in records.iter().zip(&payloads) {
        assert_eq!(text(record, "/webhook/event_type"), event);
        assert_eq!(record["http"]["request"]["body"]["bytes"], payload.len());
    }
    assert_eq!(agent.dataset("finding").unwrap(), Vec::<Value>::new());
    for (number, (event, payload)) in payloads.iter().enumerate() {
        let head = github(event, &format!("changed-{number}"), payload);
        let mut changed = payload.clone();
        // A place of its own in each, from the first octet to the last.
        changed[number * (payload.len() - 1) / (PAYLOADS - 1)] ^= 1;
        assert_eq!(sender.post(WORKING, &head, &changed).unwrap(), 200);
    }
    let records = dataset(&agent, "delivery", 2 * PAYLOADS);
    assert_eq!(statuses(&records[PAYLOADS..]), BTreeMap::from([("invalid", PAYLOADS)]));
}

/// As often as an agent compiles the definition of another event and action, at most.
const DEFINITION: Duration = Duration::from_millis(120);

/// What GitHub's own schemas refuse of them, by the first place and keyword that fail: the event
/// and its action. All but four lack a member that the schema requires: they are the oldest of
/// their event, of a repository without the members that GitHub gave all of them since. Of two the
/// moments are empty texts, and of two a value is null. ajv refuses the same; no other pair of
/// versions since 6.11 has fewer. Upstream's own check reads single files and passes over the
/// index, which is all that the package holds.
const REFUSED: [(&str, &str, &[&str]); 22] = [
    (
        "/repository/is_template",
        "required",
        &[
            "branch_protection_rule edited",
            "check_run created",
            "check_suite completed",
            "commit_comment created",
            "create",
            "delete",
            "deploy_key created",
            "deployment_status created",
            "discussion created",
            "gollum",
            "member added",
            "merge_group checks_requested",
            "meta deleted",
            "milestone created",
            "package published",
            "page_build",
            "project created",
            "project_card created",
            "project_column created",
            "public",
            "push",
            "repository publicized",
            "repository_dispatch on-demand-test",
            "repository_import",
            "star created",
            "status",
            "team added_to_repository",
            "team_add",
            "watch started",
            "workflow_run completed",
        ],
    ),
    (
        "/check_run/check_suite/app/created_at",
        "format",
        &["check_run rerequested", "check_run rerequested"],
    ),
    ("/issue/active_lock_reason", "required", &["issue_comment created", "issues edited"]),
    ("/alert/number", "required", &["repository_vulnerability_alert create"]),
    ("/alert/rule/tags", "type", &["code_scanning_alert reopened"]),
    ("/changes/tier/from/is_one_time", "required", &["sponsorship pending_tier_change"]),
    ("/comment/start_line", "required", &["pull_request_review_comment created"]),
    ("/forkee/is_template", "required", &["fork"]),
    ("/hook/deliveries_url", "required", &["ping"]),
    ("/installation", "required", &["discussion_comment created"]),
    ("/installation/suspended_at", "required", &["installation deleted"]),
    ("/label/description", "required", &["label deleted"]),
    ("/pull_request/auto_merge", "required", &["pull_request opened"]),
    ("/pull_request/draft", "required", &["pull_request_review submitted"]),
    (
        "/pull_request/head/repo/web_commit_signoff_required",
        "required",
        &["pull_request_review_thread resolved"],
    ),
    ("/release/name", "type", &["release published"]),
    ("/repository/custom_properties", "required", &["dependabot_alert fixed"]),
    ("/repository/web_commit_signoff_required", "required", &["workflow_dispatch"]),
    ("/requester", "required", &["installation_repositories added"]),
    ("/security_advisory/cvss", "required", &["security_advisory published"]),
    ("/workflow", "required", &["deployment created"]),
    ("/workflow_job/run_attempt", "required", &["workflow_job in_progress"]),
];

#[test]
fn every_example_is_held_against_its_schema() {
    let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join(SCHEMA).canonicalize().unwrap();
    let network = Network::new(1).unwrap();
    let (_server, agent) = start_with(&network, &format!("schemas = {{ \"*\" = {schema:?} }}\n"));
    let mut sender = connect(&network);
    let mut known = BTreeSet::new();
    let payloads = payloads();
    for (number, (event, payload)) in payloads.iter().enumerate() {
        if known.insert((event.clone(), action(payload).to_string())) {
            thread::sleep(DEFINITION);
        }
        let head = github(event, &format!("whole-{number}"), payload);
        assert_eq!(sender.post(WORKING, &head, payload).unwrap(), 200);
    }
    let records = dataset(&agent, "delivery", PAYLOADS);
    assert_eq!(statuses(&records), BTreeMap::from([("valid", PAYLOADS)]));
    let mut refused: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (record, (event, payload)) in records.iter().zip(&payloads) {
        let error = text(record, "/webhook/schema/error");
        assert_eq!(record["webhook"]["schema"]["valid"], error == "-", "{record:#}");
        if error != "-" {
            let action = action(payload);
            let name = [event.as_str(), action.as_str().unwrap_or_default()].join(" ");
            refused.entry(error.to_owned()).or_default().push(name.trim_end().to_owned());
        }
    }
    refused.values_mut().for_each(|names| names.sort());
    let said = |(place, keyword, names): &(&str, &str, &[&str])| {
        let error = format!("{place} fails the keyword {keyword:?} of its schema");
        (error, names.iter().map(ToString::to_string).collect())
    };
    assert_eq!(refused, REFUSED.iter().map(said).collect());
    let findings = agent.dataset("finding").unwrap();
    assert!(findings.iter().all(|finding| text(finding, "/rule/id") == "payload-schema"));
}

fn action(payload: &[u8]) -> Value {
    serde_json::from_slice::<Value>(payload).unwrap()["action"].take()
}

#[test]
fn the_largest_body_is_checked_within_the_budget() {
    let network = Network::new(1).unwrap();
    let (_server, agent) = start(&network);
    let small = b"{}";
    connect(&network).post(WORKING, &github("push", "small", small), small).unwrap();
    assert_eq!(dataset(&agent, "delivery", 1).len(), 1);
    let before = agent.resident_bytes().unwrap();
    let body = vec![b'x'; LARGEST];
    for _ in 0..3 {
        send_whole(&network, &agent, &body);
    }
    let peak = agent.peak_resident_bytes().unwrap();
    assert!(peak - before < BUDGET, "{before} octets before, {peak} at most");
}

/// Sends a delivery that is judged. The ring holds what half a second brings: on a machine that is
/// held up for longer octets are lost, which is counted, and the delivery is sent again.
fn send_whole(network: &Network, agent: &Agent<'_>, body: &[u8]) {
    const ATTEMPTS: usize = 5;
    let lost = || agent.metrics().unwrap().sum("hooksensor_samples_lost_total", &[]);
    for _ in 0..ATTEMPTS {
        let (before, sent) = (lost(), agent.dataset("delivery").unwrap().len());
        let head = github("push", &sent.to_string(), body);
        assert_eq!(connect(network).post(WORKING, &head, body).unwrap(), 200);
        let record = &dataset(agent, "delivery", sent + 1)[sent];
        if text(record, "/webhook/signature/status") == "valid" {
            assert_eq!(record["http"]["request"]["body"]["bytes"], LARGEST);
            return;
        }
        assert!(lost() > before, "{}\n{record:#}", losses(agent));
    }
    panic!("{ATTEMPTS} bodies were lost in part:\n{}", losses(agent));
}

/// While the agent cannot read, the ring fills with the body. What comes after it, the answer and
/// the end of the connection, says that no more of the body will.
#[test]
fn a_body_that_is_lost_in_part_is_recorded_and_not_judged() {
    let network = Network::new(1).unwrap();
    let (_server, agent) = start(&network);
    let body = vec![b'x'; LARGEST];
    let head = github("push", "lost", &body);
    agent.signal(Signal::SIGSTOP).unwrap();
    let answered = connect(&network).post(WORKING, &head, &body);
    agent.signal(Signal::SIGCONT).unwrap();
    assert_eq!(answered.unwrap(), 200);
    let records = dataset(&agent, "delivery", 1);
    assert_eq!(statuses(&records), BTreeMap::from([("unverifiable", 1)]), "{records:#?}");
    assert_eq!(records[0]["hooksensor"]["coverage"], serde_json::json!(["gap"]));
    assert_eq!(records[0]["http"]["response"]["status_code"], 200);
    let lost = agent.metrics().unwrap().sum("hooksensor_samples_lost_total", &[]);
    assert!(lost > 0, "the ring held all of it");
}
