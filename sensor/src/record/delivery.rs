//! The record of a delivery: every field of the contract that applies, over borrowed data.
//!
//! It must not know how values are encoded or covered.

use serde::{Serialize, Serializer};

use super::common::{Common, Part};
use super::fields::{Ecs, Encoded, Event, Hexadecimal, Id, Related, Shown, Text, Word};
use super::headers::{HeaderFields, shown_value};
use super::http::{Http, UserAgent};
use super::moment::Time;
use super::payload::{PayloadFields, SchemaFields};
use super::urls::Place;
use crate::http::{Body, Coverage, Exchange, Request};
use crate::webhook::{Delivery, Reason, Signature, started};

#[derive(Serialize)]
pub(super) struct DeliveryRecord<'a> {
    #[serde(rename = "@timestamp")]
    timestamp: Time,
    event: Event<'a>,
    source: Encoded<'a>,
    destination: Encoded<'a>,
    client: Encoded<'a>,
    network: Encoded<'a>,
    http: Http<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<Encoded<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_agent: Option<UserAgent<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    webhook: Option<Webhook<'a>>,
    hooksensor: Hooksensor,
    related: Related<Encoded<'a>, Encoded<'a>>,
    observer: Encoded<'a>,
    ecs: Ecs,
}

impl<'a> DeliveryRecord<'a> {
    /// Of `delivery`, whose request has these header fields and this URL, over a connection that
    /// has this in common.
    pub(super) fn new(
        delivery: &'a Delivery,
        headers: Option<HeaderFields<'a>>,
        place: Option<Place<'a>>,
        common: &'a Common,
    ) -> Self {
        let exchange = &*delivery.exchange;
        let request = exchange.request.as_ref();
        let http = Http::new(delivery, headers);
        let agent = request
            .and_then(|request| shown_value(&request.headers, "user-agent", &delivery.roles));
        let cut = headers.is_some_and(|headers| headers.is_cut);
        Self {
            timestamp: Time(started(exchange)),
            event: event(delivery),
            source: common.part(Part::Source),
            destination: common.part(Part::Destination),
            client: common.part(Part::Client),
            network: common.part(Part::Network),
            http,
            url: place.map(|place| place.url),
            user_agent: agent.map(|original| UserAgent { original }),
            webhook: request.map(|request| Webhook::new(delivery, request)),
            hooksensor: Hooksensor::new(exchange, cut),
            related: Related {
                ip: common.part(Part::Addresses),
                hosts: place.and_then(|place| place.hosts),
            },
            observer: common.part(Part::Observer),
            ecs: Ecs::CURRENT,
        }
    }
}

/// `webhook.*`.
#[derive(Serialize)]
struct Webhook<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    provider: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    endpoint: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    event_type: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    delivery_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attempt: Option<u32>,
    /// Where it is no delivery, but proves to the provider who owns the endpoint.
    #[serde(skip_serializing_if = "Option::is_none")]
    handshake: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    signature: Option<SignatureFields<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    replay: Option<Word>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<PayloadFields>,
    #[serde(skip_serializing_if = "Option::is_none")]
    schema: Option<SchemaFields>,
    body: WebhookBody<'a>,
}

/// `webhook.signature.*`.
#[derive(Serialize)]
struct SignatureFields<'a> {
    status: Word,
    #[serde(skip_serializing_if = "Option::is_none")]
    scheme: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<Shown<&'a Reason>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timestamp_skew_ms: Option<i64>,
}

impl<'a> From<&'a Signature> for SignatureFields<'a> {
    fn from(signature: &'a Signature) -> Self {
        Self {
            status: Word(signature.status.name()),
            scheme: signature.scheme,
            reason: signature.reason.as_ref().map(Shown),
            key_id: signature.key_id.as_deref(),
            timestamp_skew_ms: signature.skew_ms,
        }
    }
}

/// `webhook.body.*`.
#[derive(Serialize)]
struct WebhookBody<'a> {
    truncated: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    sha256: Option<Hexadecimal<32>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<Text<'a>>,
}

impl<'a> Webhook<'a> {
    fn new(delivery: &'a Delivery, request: &'a Request) -> Self {
        Self {
            provider: delivery.provider.as_deref().map(|provider| provider.name.as_str()),
            endpoint: delivery.endpoint.as_deref().map(|endpoint| endpoint.name.as_str()),
            event_type: delivery.event_type.as_deref(),
            delivery_id: delivery.delivery_id.as_deref(),
            attempt: delivery.attempt,
            handshake: delivery.handshake.then_some(true),
            signature: delivery.signature.as_ref().map(SignatureFields::from),
            replay: delivery.replay.map(|replay| Word(replay.name())),
            payload: delivery.payload.as_ref().map(PayloadFields::from),
            schema: delivery.payload.as_ref().and_then(SchemaFields::of),
            body: WebhookBody::new(&request.body),
        }
    }
}

impl<'a> WebhookBody<'a> {
    fn new(body: &'a Body) -> Self {
        Self {
            truncated: body.truncated,
            sha256: body.sha256.map(Hexadecimal),
            content: body.content.as_deref().map(Text::from),
        }
    }
}

/// `hooksensor.*`.
#[derive(Serialize)]
struct Hooksensor {
    flow_id: Hexadecimal<8>,
    tx: u32,
    coverage: CoverageNames,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    anomalies: Vec<Word>,
    /// Fields of this record that show less than was sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    cut: Option<[&'static str; 1]>,
}

/// The word for everything, or the reasons why it was less.
struct CoverageNames(Coverage);

impl Serialize for CoverageNames {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0.is_full() {
            Word("full").serialize(serializer)
        } else {
            serializer.collect_seq(self.0.names())
        }
    }
}

impl Hooksensor {
    fn new(exchange: &Exchange, headers_are_cut: bool) -> Self {
        Self {
            flow_id: Hexadecimal(exchange.flow.id.to_be_bytes()),
            tx: exchange.index,
            coverage: CoverageNames(exchange.coverage),
            anomalies: exchange.anomalies.iter().map(|anomaly| Word(anomaly.name())).collect(),
            cut: headers_are_cut.then_some(["http.request.headers"]),
        }
    }
}

/// An access that nothing that was seen refused, or one that the answer refused for who asked: RFC
/// 9110, sections 15.5.2, 15.5.4 and 15.5.8; RFC 6585, section 4; RFC 7725, section 3.
fn kinds(status: Option<u16>) -> &'static [Word] {
    match status {
        Some(401 | 403 | 407 | 429 | 451) => &[Word("access"), Word("denied")],
        _ => &[Word("access"), Word("allowed")],
    }
}

fn event(delivery: &Delivery) -> Event<'_> {
    let Exchange { request, response, .. } = &*delivery.exchange;
    let times = request.as_ref().zip(response.as_ref());
    Event {
        id: Id(delivery.id),
        kind: Word("event"),
        category: &[Word("web"), Word("network")],
        kinds: kinds(response.as_ref().map(|response| response.status)),
        dataset: Word("hooksensor.delivery"),
        action: None,
        reason: None,
        outcome: Some(Word(match response.as_ref().map(|response| response.status) {
            None => "unknown",
            Some(..400) => "success",
            Some(400..) => "failure",
        })),
        duration: times
            .filter(|(request, response)| response.started >= request.started)
            .map(|(request, response)| response.started.nanoseconds_since(request.started)),
    }
}
