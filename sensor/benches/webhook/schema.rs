//! GitHub's push payloads against GitHub's schemas, through the whole stage.
//!
//! It must not know how schemas are checked.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use hooksensor::config::UnknownMembers;
use hooksensor::webhook::payload::Schema;
use hooksensor::webhook::{Knowledge, Webhooks};
use serde_json::Value;

use crate::Outcome;
use crate::delivery::{exchange, with_schema};
use crate::timing::best_prepared;

/// Deliveries of one round.
const ROUND: u32 = 2_000;

/// Checks a second that one core must reach.
const MIN_RATE: f64 = 20_000.0;

#[expect(clippy::print_stdout, reason = "a benchmark prints its result")]
pub(crate) fn run() -> Outcome {
    let schema = read("webhooks-schemas/schema.json");
    let schema = Schema::parse(&schema, UnknownMembers::Allow).expect("a sound schema");
    let knowledge = with_schema(schema);
    let bodies = sound(&knowledge);
    assert!(!bodies.is_empty(), "none of the push payloads passes its schema");
    let mut webhooks = Webhooks::new(Arc::clone(&knowledge), Arc::default());
    let prepare = || {
        let bodies = bodies.iter().cycle().zip(0..ROUND);
        bodies.map(|(body, number)| exchange(number, body.clone(), "00")).collect::<Vec<_>>()
    };
    let time = best_prepared(prepare, |exchanges| {
        for exchange in exchanges {
            assert_eq!(schema_result(&mut webhooks, exchange), Some(true));
        }
    });
    let rate = f64::from(ROUND) / time.as_secs_f64();
    let octets = bodies.iter().map(Bytes::len).sum::<usize>() / bodies.len();
    println!("schema of push payloads of {octets} octets: {rate:.0} a second");
    Outcome::from(rate >= MIN_RATE)
}

/// The published push payloads that GitHub's own schema accepts.
fn sound(knowledge: &Arc<Knowledge>) -> Vec<Bytes> {
    let events: Value =
        serde_json::from_slice(&read("webhooks-examples/api.github.com/index.json"))
            .expect("a list of events");
    let pushes = events.as_array().into_iter().flatten().filter(|event| event["name"] == "push");
    let payloads = pushes.filter_map(|event| event["examples"].as_array()).flatten();
    let mut webhooks = Webhooks::new(Arc::clone(knowledge), Arc::default());
    payloads
        .map(|payload| Bytes::from(payload.to_string()))
        .filter(|body| schema_result(&mut webhooks, exchange(0, body.clone(), "00")) == Some(true))
        .collect()
}

fn schema_result(
    webhooks: &mut Webhooks,
    exchange: Box<hooksensor::http::Exchange>,
) -> Option<bool> {
    let payload = webhooks.deliver(exchange).payload?;
    payload.schema.map(|result| result.is_ok())
}

fn read(name: &str) -> Vec<u8> {
    let path: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../target/npm/node_modules/@octokit")
        .join(name);
    std::fs::read(&path)
        .unwrap_or_else(|error| panic!("{}: {error}; run cargo xtask setup", path.display()))
}
