//! Telling the provider and checking the signature, beside the bare hash.
//!
//! It must not know how either is done.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hmac::{Hmac, KeyInit as _, Mac as _};
use hooksensor::webhook::signature::{Check, Terms};
use hooksensor::webhook::{Knowledge, Message, Status, Webhooks};
use sha2::Sha256;

use crate::delivery::{SECRET, exchange, secret, with_secret};
use crate::timing::{best_of_two, best_prepared};
use crate::{BODY_BYTES, Outcome};

/// Deliveries of one round; enough to outlast the clock's steps, few enough for the caches to be
/// those of steady traffic.
const ROUND: u32 = 20_000;

/// Deliveries a second that one core must reach.
const MIN_RATE: f64 = 200_000.0;

/// How much longer than the bare hash a delivery may take.
const MAX_RATIO: f64 = 1.3;

pub(crate) fn run(body: &[u8]) -> Outcome {
    let keyed = Hmac::<Sha256>::new_from_slice(SECRET).expect("a key of any length");
    let hash = || -> [u8; 32] { keyed.clone().chain_update(body).finalize().into_bytes().into() };
    let signature: String = hash().iter().map(|octet| format!("{octet:02x}")).collect();
    let knowledge = with_secret();
    let body = Bytes::copy_from_slice(body);
    let verify = verification(&knowledge, &body, &signature);
    let hash = || {
        black_box(hash());
    };
    let (bare, verified) = best_of_two(
        || -> &dyn Fn() { &hash },
        || -> &dyn Fn() { &verify },
        |work| (0..ROUND).for_each(|_| work()),
    );
    let whole = best_prepared(
        || (0..ROUND).map(|number| exchange(number, body.clone(), &signature)).collect::<Vec<_>>(),
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

/// What tells the provider of one delivery by its headers and checks its signature, without what
/// the stage remembers and hands on.
fn verification(knowledge: &Knowledge, body: &Bytes, signature: &str) -> impl Fn() {
    let exchange = exchange(0, body.clone(), signature);
    let table = knowledge.table();
    let github = table.position("github").expect("a built-in provider");
    let check = Check::new(&table.providers()[github], &[secret()]);
    move || {
        let request = exchange.request.as_ref().expect("a request");
        let message = Message::new(black_box(request), &exchange);
        let told = table.told_by(message.headers).expect("a known provider");
        let result =
            check.judge(&table.providers()[told], &message, request.started, Terms::default());
        assert_eq!(result.map(|result| result.status), Some(Status::Valid));
    }
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
