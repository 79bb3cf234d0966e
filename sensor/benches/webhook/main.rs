//! Deliveries a second that one core recognises, verifies and checks, beside the bare hash of their
//! bodies: `cargo bench -p hooksensor --bench webhook`.
//!
//! Exits with 1 when a measure misses its bound.

mod pipeline;
mod schema;
mod timing;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hmac::{Hmac, KeyInit as _, Mac as _};
use hooksensor::config::Config;
use hooksensor::http::{Body, Coverage, Exchange, Flow, Headers, Request, Version};
use hooksensor::time::Timestamp;
use hooksensor::webhook::signature::{Check, Terms};
use hooksensor::webhook::{Knowledge, Message, Secret, Status, Webhooks};
use sha2::Sha256;
use zeroize::Zeroizing;

use timing::{best, best_prepared};

/// Deliveries of one round; enough to outlast the clock's steps, few enough for the caches to be
/// those of steady traffic.
const ROUND: u32 = 20_000;
const BODY_BYTES: usize = 2048;
/// Deliveries a second that one core must reach.
const MIN_RATE: f64 = 200_000.0;
/// How much longer than the bare hash a delivery may take.
const MAX_RATIO: f64 = 1.3;

const CONFIG: &str = r#"
[[endpoint]]
name = "github"
port = 8080
path_prefix = "/hooks"
provider = "github"
secrets = ["env:UNUSED"]
"#;

/// Whether a measure is within its bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Within,
    Missed,
}

impl From<bool> for Outcome {
    fn from(is_within: bool) -> Self {
        if is_within { Self::Within } else { Self::Missed }
    }
}

fn main() -> ExitCode {
    let body: Vec<u8> = (0..BODY_BYTES).map(|place| b"{\"a\": [1]}"[place % 10]).collect();
    let outcomes = [verification(&body), schema::run(), pipeline::run(&body)];
    if outcomes.contains(&Outcome::Missed) { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// Recognising and verifying, beside the bare hash.
fn verification(body: &[u8]) -> Outcome {
    let keyed = Hmac::<Sha256>::new_from_slice(b"secret").expect("a key of any length");
    let hash = || keyed.clone().chain_update(body).finalize().into_bytes();
    let bare = best(|| {
        for _ in 0..ROUND {
            std::hint::black_box(hash());
        }
    });
    let signature: String = hash().iter().map(|octet| format!("{octet:02x}")).collect();
    let config = Config::parse(CONFIG, "bench").expect("a good configuration");
    let secret = Secret::new("bench", Zeroizing::new(b"secret".to_vec()));
    let knowledge = Arc::new(Knowledge::new(&config, vec![vec![secret]]));
    let verified =
        best_verification(&knowledge, &exchange(0, Bytes::copy_from_slice(body), &signature));
    let whole = best_prepared(
        || exchanges(body, &signature),
        |exchanges| {
            let mut webhooks = Webhooks::new(Arc::clone(&knowledge), Arc::default());
            for exchange in exchanges {
                let delivery = webhooks.deliver(exchange);
                let status = delivery.signature.map(|signature| signature.status);
                assert_eq!(status, Some(Status::Valid));
            }
        },
    );
    report(bare, verified, whole)
}

/// The time to tell the provider by its headers and to check the signature, without what the
/// stage remembers and hands on.
fn best_verification(knowledge: &Knowledge, exchange: &Exchange) -> Duration {
    let request = exchange.request.as_ref().expect("a request");
    let message = Message {
        method: &request.method,
        target: &request.target,
        headers: &request.headers,
        content: Ok(request.body.content.as_deref().expect("a body")),
    };
    let table = knowledge.table();
    let github = table.position("github").expect("a built-in provider");
    let secrets = [Secret::new("bench", Zeroizing::new(b"secret".to_vec()))];
    let check = Check::new(&table.providers()[github], &secrets);
    best(|| {
        for _ in 0..ROUND {
            let told = table.told_by(std::hint::black_box(message.headers));
            let provider = &table.providers()[told.expect("a known provider")];
            let result = check.judge(provider, &message, request.started, Terms::default());
            assert_eq!(result.map(|result| result.status), Some(Status::Valid));
        }
    })
}

#[expect(clippy::print_stdout, reason = "a benchmark prints its result")]
fn report(bare: Duration, verified: Duration, whole: Duration) -> Outcome {
    let nanoseconds = |time: Duration| time.as_secs_f64() * 1e9 / f64::from(ROUND);
    let rate = f64::from(ROUND) / whole.as_secs_f64();
    let ratio = verified.as_secs_f64() / bare.as_secs_f64();
    println!("bare HMAC-SHA256 of {BODY_BYTES} octets: {:.0} ns", nanoseconds(bare));
    println!("recognise and verify: {:.0} ns, {ratio:.2} times as long", nanoseconds(verified));
    println!("the whole stage: {:.0} ns, {rate:.0} a second", nanoseconds(whole));
    Outcome::from(rate >= MIN_RATE && ratio <= MAX_RATIO)
}

#[expect(clippy::vec_box, reason = "the stage takes exchanges as the engine hands them on")]
fn exchanges(body: &[u8], signature: &str) -> Vec<Box<Exchange>> {
    let body = Bytes::copy_from_slice(body);
    (0..ROUND).map(|number| exchange(number, body.clone(), signature)).collect()
}

fn exchange(number: u32, content: Bytes, signature: &str) -> Box<Exchange> {
    let lines = format!(
        "Host: hooks.example.com\nUser-Agent: GitHub-Hookshot/044aadd\nContent-Length: 2048\n\
         Accept: */*\nX-GitHub-Delivery: {number:032x}\nX-GitHub-Event: push\n\
         X-GitHub-Hook-ID: 292430182\nX-GitHub-Hook-Installation-Target-ID: 79929171\n\
         X-GitHub-Hook-Installation-Target-Type: repository\n\
         X-Hub-Signature: sha1=7d38cdd689735b008b3c702edd92eea23791c5f6\n\
         X-Hub-Signature-256: sha256={signature}\nContent-Type: application/json"
    );
    let address = |last| SocketAddr::new(IpAddr::from(Ipv4Addr::new(192, 0, 2, last)), 8080);
    let started = Timestamp(1_700_000_000_000_000_000 + u64::from(number));
    Box::new(Exchange {
        flow: Flow {
            id: u64::from(number),
            source: address(1),
            destination: address(2),
            vlan: None,
            interface: 1,
        },
        index: 0,
        client: address(1).ip(),
        request: Some(Request {
            started,
            method: Bytes::from_static(b"POST"),
            target: Bytes::from_static(b"/hooks/github"),
            version: Version(1, 1),
            headers: headers(&lines),
            body: Body { bytes: content.len() as u64, content: Some(content), ..Body::default() },
            wire_bytes: 0,
        }),
        response: None,
        coverage: Coverage::FULL,
        anomalies: Vec::new(),
    })
}

fn headers(lines: &str) -> Headers {
    let head = Bytes::copy_from_slice(lines.as_bytes());
    let range = |part: &str| {
        let start = u32::try_from(part.as_ptr().addr() - lines.as_ptr().addr());
        let start = start.expect("a short head");
        start..start + u32::try_from(part.len()).expect("a short head")
    };
    let fields = lines.lines().filter_map(|line| line.split_once(": "));
    Headers::new(head, fields.map(|(name, value)| (range(name), range(value))).collect())
}
