//! The stage itself: knowledge that may be replaced, and the memory that goes on.
//!
//! It must not know how any of its parts works.

use std::borrow::Cow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use super::knowledge::{Knowledge, Place, public_url};
use super::memory::{Memory, Seen};
use super::message::Message;
use super::payload::{Origin, Payloads, Shapes, Voucher};
use super::{
    Delivery, Payload, Replay, Signature, Status, answer, delivery_event_id, redact, request_id,
};
use crate::config::{Algorithm, Provider};
use crate::http::{Body, Exchange, Request};
use crate::time::Timestamp;

/// Invalid signatures a second that are looked into for what they would match. A person debugs one
/// sender; an attacker sends thousands, and each look hashes the body some ten times.
const DIAGNOSES_PER_SECOND: u32 = 20;

/// Octets of a body below which two equal ones prove nothing.
const MIN_BODY_BYTES: u64 = 64;

const SECOND: u64 = 1_000_000_000;

/// What deliveries leave behind for those that come after them, at whichever stage.
#[derive(Debug, Default)]
pub struct Past {
    memory: Mutex<Memory>,
    shapes: Mutex<Shapes>,
}

/// Turns exchanges into deliveries.
#[derive(Debug)]
pub struct Webhooks {
    knowledge: Arc<Knowledge>,
    roles: Arc<super::Roles>,
    judge: Judge,
}

/// Says what an exchange was by what is known, which stands apart so that it can be read meanwhile.
#[derive(Debug)]
struct Judge {
    past: Arc<Past>,
    payloads: Payloads,
    budget: Budget,
}

/// What may be spent within one second of packet time.
#[derive(Debug, Default)]
struct Budget {
    second: u64,
    spent: u32,
}

impl Past {
    /// The deliveries that were seen.
    pub fn memory(&self) -> MutexGuard<'_, Memory> {
        // It is whole between two of its calls, whatever became of the caller.
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The shapes that payloads had.
    pub fn shapes(&self) -> MutexGuard<'_, Shapes> {
        self.shapes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Webhooks {
    /// A stage that knows this much, and shares the past with whoever has it.
    #[must_use]
    pub fn new(knowledge: Arc<Knowledge>, past: Arc<Past>) -> Self {
        let roles = Arc::new(knowledge.table().roles().clone());
        let judge = Judge { past, payloads: Payloads::default(), budget: Budget::default() };
        Self { knowledge, roles, judge }
    }

    /// Takes on other knowledge; what is remembered stays.
    pub fn learn(&mut self, knowledge: Arc<Knowledge>) {
        self.roles = Arc::new(knowledge.table().roles().clone());
        self.knowledge = knowledge;
        self.judge.payloads.renew();
    }

    /// Says what `exchange` was.
    #[must_use]
    pub fn deliver(&mut self, exchange: Box<Exchange>) -> Delivery {
        let mut delivery = Delivery {
            id: delivery_event_id(&exchange),
            exchange,
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
            roles: Arc::clone(&self.roles),
        };
        if let Some(mut request) = delivery.exchange.request.take() {
            self.judge.understand(&self.knowledge, &mut delivery, &request);
            let shown = delivery.endpoint.as_ref().map_or(0, |endpoint| endpoint.record_body);
            show(&mut request.body, shown);
            delivery.exchange.request = Some(request);
        }
        delivery
    }
}

impl Judge {
    fn understand(&mut self, knowledge: &Knowledge, delivery: &mut Delivery, request: &Request) {
        let place = knowledge.place(request, &delivery.exchange);
        delivery.endpoint = place.endpoint.cloned();
        delivery.request_id = request_id(&request.headers);
        let message = Message::new(request, &delivery.exchange);
        self.attribute(knowledge, delivery, &place, &message, request);
        delivery.payload = self.check_payload(delivery, &place, &message, request.started);
    }

    /// Says what the provider means by it, and what is known of that.
    fn attribute(
        &mut self,
        knowledge: &Knowledge,
        delivery: &mut Delivery,
        place: &Place<'_>,
        message: &Message<'_>,
        request: &Request,
    ) {
        let Some(provider) = place.provider else { return };
        delivery.event_type = message.identifier(&provider.event_type).map(redact::identifier);
        let delivery_id = message.identifier(&provider.delivery_id);
        delivery.attempt = message.identifier(&provider.attempt).and_then(|number| {
            number.parse::<u32>().ok()?.checked_sub(provider.first_attempt)?.checked_add(1)
        });
        delivery.handshake = provider.handshake.iter().any(|mark| message.bears(mark));
        if !is_unsigned_proof(delivery, provider, message) {
            let signature = self.check(knowledge, place, message, request.started);
            delivery.signature =
                if request.doubtful { signature.map(Signature::doubted) } else { signature };
        }
        delivery.provider = Some(Arc::clone(provider));
        // What is covered alike in two deliveries tells them apart all the same.
        delivery.replay = delivery_id
            .as_deref()
            .and_then(|delivery_id| self.remember(delivery, delivery_id, message, request));
        delivery.delivery_id = delivery_id.map(redact::identifier);
    }

    fn check_payload(
        &mut self,
        delivery: &Delivery,
        place: &Place<'_>,
        message: &Message<'_>,
        now: Timestamp,
    ) -> Option<Payload> {
        let origin = Origin {
            endpoint: place.endpoint?,
            schemas: place.schemas?,
            provider: delivery.provider.as_ref().map_or("", |provider| &provider.name),
            event_type: delivery.event_type.as_deref().unwrap_or_default(),
            voucher: voucher(delivery),
            now,
        };
        self.payloads.judge(origin, message, &self.past)
    }

    fn check(
        &mut self,
        knowledge: &Knowledge,
        place: &Place<'_>,
        message: &Message<'_>,
        now: Timestamp,
    ) -> Option<Signature> {
        let (provider, check) = place.check?;
        let url = place
            .endpoint
            .map(|endpoint| public_url(endpoint, message.method, message.target))
            .unwrap_or_default();
        let terms = knowledge.terms(place.endpoint, &url, self.budget.is_left(now));
        let signature = check.judge(provider, message, now, terms)?;
        self.budget.spend(&signature);
        Some(signature)
    }

    fn remember(
        &mut self,
        delivery: &Delivery,
        delivery_id: &str,
        message: &Message<'_>,
        request: &Request,
    ) -> Option<Replay> {
        let provider = delivery.provider.as_ref()?;
        let signature = delivery.signature.as_ref().map(|signature| signature.status);
        let body = name_of_body(provider, message, request, signature);
        let seen = Seen {
            provider,
            delivery_id,
            source: delivery.exchange.client,
            time: request.started,
            answer: answer(request, &delivery.exchange),
            body: body.as_deref(),
            signature,
            expects_signature: has_secrets(delivery),
        };
        Some(self.past.memory().judge(&seen))
    }
}

/// Leaves so many octets of a body to those who come after this stage. Nobody else may see it, and
/// 25 MB are too many to carry along.
fn show(body: &mut Body, octets: usize) {
    let Some(content) = body.content.take().filter(|_| octets > 0) else { return };
    let is_longer = content.len() > octets;
    body.truncated |= is_longer;
    body.content =
        Some(if is_longer { Bytes::copy_from_slice(&content[..octets]) } else { content });
}

/// Whether it asks who owns the endpoint before anything is sent, and has no event that a signature
/// would prove: a GET, or the one field of a form that its provider pings with.
fn is_unsigned_proof(delivery: &Delivery, provider: &Provider, message: &Message<'_>) -> bool {
    let is_bare = || provider.handshake.iter().any(|mark| message.is_only(mark));
    delivery.handshake && (message.method == b"GET" || is_bare())
}

/// Who says that a delivery is genuine: its signature, or where that is not known, the application,
/// which may know better. A copy of a genuine one proves nothing of who sent it, and costs him
/// nothing.
fn voucher(delivery: &Delivery) -> Voucher {
    let has_secrets = has_secrets(delivery);
    match delivery.signature.as_ref().map(|signature| signature.status) {
        Some(Status::Valid) if is_copy(delivery) => Voucher::Nobody,
        Some(Status::Valid) => Voucher::Signature,
        Some(Status::Invalid | Status::Missing | Status::Stale) if has_secrets => Voucher::Denied,
        _ => {
            let response = delivery.exchange.response.as_ref();
            let is_taken = response.is_some_and(|response| (200..300).contains(&response.status));
            if is_taken { Voucher::Application } else { Voucher::Nobody }
        }
    }
}

fn is_copy(delivery: &Delivery) -> bool {
    matches!(delivery.replay, Some(Replay::Replayed(_)))
}

/// Whether signatures can be checked where it went.
fn has_secrets(delivery: &Delivery) -> bool {
    delivery.endpoint.as_ref().is_some_and(|endpoint| !endpoint.secrets.is_empty())
}

/// What tells the body from any other: its hash, where that was computed on the way, or a valid
/// signature of it, which spares computing one.
fn name_of_body<'m>(
    provider: &Provider,
    message: &Message<'m>,
    request: &Request,
    signature: Option<Status>,
) -> Option<Cow<'m, [u8]>> {
    if request.body.bytes < MIN_BODY_BYTES {
        return None;
    }
    if let Some(hash) = request.body.sha256 {
        return Some(Cow::Owned(hash.to_vec()));
    }
    if signature != Some(Status::Valid) {
        return None;
    }
    // A token is the same over any body.
    let mut schemes =
        provider.signature.iter().filter(|scheme| scheme.algorithm != Algorithm::Token);
    schemes.find_map(|scheme| message.find(&scheme.signature))
}

impl Budget {
    fn is_left(&mut self, now: Timestamp) -> bool {
        let second = now.0 / SECOND;
        if self.second != second {
            *self = Self { second, spent: 0 };
        }
        self.spent < DIAGNOSES_PER_SECOND
    }

    fn spend(&mut self, signature: &Signature) {
        if signature.status == Status::Invalid {
            self.spent = self.spent.saturating_add(1);
        }
    }
}
