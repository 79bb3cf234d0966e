//! Deliveries as GitHub sends them, and an endpoint that expects them.
//!
//! It must not know what is measured of them.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use bytes::Bytes;
use hooksensor::config::Config;
use hooksensor::http::{Body, Coverage, Exchange, Flow, Headers, Request, Response, Version};
use hooksensor::time::Timestamp;
use hooksensor::webhook::payload::{Schema, Schemas};
use hooksensor::webhook::{Knowledge, Secret};
use zeroize::Zeroizing;

/// The secret that the endpoint shares with its sender.
pub(crate) const SECRET: &[u8] = b"secret";

/// Nanoseconds from one delivery to the next: within the octets that are looked into in a second
/// of what no signature proves.
const PAUSE: u64 = 10_000_000;

const CONFIG: &str = r#"
[[endpoint]]
name = "github"
port = 8080
path_prefix = "/hooks"
provider = "github"
secrets = ["env:UNUSED"]
schemas = { "*" = "/unused" }
"#;

/// What the stage knows where the endpoint has its secret alone.
pub(crate) fn with_secret() -> Arc<Knowledge> {
    let mut config = config();
    config.endpoints[0].schemas.clear();
    Arc::new(Knowledge::new(&config, vec![vec![secret()]]))
}

/// What the stage knows where the endpoint has a schema for all events alone.
pub(crate) fn with_schema(schema: Schema) -> Arc<Knowledge> {
    let schemas = Schemas::new(vec![("*".to_owned(), Arc::new(schema))]);
    Arc::new(Knowledge::new(&config(), Vec::new()).with_schemas(vec![schemas]))
}

fn config() -> Config {
    Config::parse(CONFIG, "bench").expect("a good configuration")
}

/// The secret, read anew.
pub(crate) fn secret() -> Secret {
    Secret::new("bench", Zeroizing::new(SECRET.to_vec()))
}

/// A delivery of this content and signature that the application accepted.
pub(crate) fn exchange(number: u32, content: Bytes, signature: &str) -> Box<Exchange> {
    let lines = format!(
        "Host: hooks.example.com\nUser-Agent: GitHub-Hookshot/044aadd\nContent-Length: 2048\n\
         Accept: */*\nX-GitHub-Delivery: {number:032x}\nX-GitHub-Event: push\n\
         X-GitHub-Hook-ID: 292430182\nX-GitHub-Hook-Installation-Target-ID: 79929171\n\
         X-GitHub-Hook-Installation-Target-Type: repository\n\
         X-Hub-Signature: sha1=7d38cdd689735b008b3c702edd92eea23791c5f6\n\
         X-Hub-Signature-256: sha256={signature}\nContent-Type: application/json"
    );
    let address = |last| SocketAddr::new(IpAddr::from(Ipv4Addr::new(192, 0, 2, last)), 8080);
    let started = Timestamp(1_700_000_000_000_000_000 + u64::from(number) * PAUSE);
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
            doubtful: false,
        }),
        response: Some(Response {
            started,
            status: 204,
            version: Version(1, 1),
            headers: Headers::default(),
            body: Body::default(),
            wire_bytes: 0,
        }),
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
