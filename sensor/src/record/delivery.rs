//! The record of a delivery: every field of the contract that applies, over borrowed data.
//!
//! It must not know how values are encoded or covered.

use serde::{Serialize, Serializer};

use super::common::{Common, Part};
use super::fields::{Encoded, Hexadecimal, Id, Related, Shown, Text, Word};
use super::headers::HeaderFields;
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
    event: Event,
    /// The members from `source` to `network`.
    #[serde(rename = "")]
    ends: Encoded<'a>,
    http: Http<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<Encoded<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_agent: Option<UserAgent<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    webhook: Option<Webhook<'a>>,
    hooksensor: Hooksensor<'a>,
    related: Related<Encoded<'a>, Encoded<'a>>,
    /// The members `observer` and `ecs`.
    #[serde(rename = "")]
    observer: Encoded<'a>,
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
        let agent = headers.and_then(|headers| headers.user_agent);
        let cut = headers.is_some_and(|headers| headers.is_cut);
        Self {
            timestamp: Time(started(exchange)),
            event: Event::new(delivery),
            ends: common.part(Part::Ends),
            http: Http::new(delivery, headers),
            url: place.map(|place| place.url),
            user_agent: agent.map(|original| UserAgent { original }),
            webhook: request.map(|request| Webhook::new(delivery, request)),
            hooksensor: Hooksensor::new(exchange, common.part(Part::FlowId), cut),
            related: Related {
                ip: common.part(Part::Addresses),
                hosts: place.and_then(|place| place.hosts),
            },
            observer: common.part(Part::Observer),
        }
    }
}

/// `event.*`.
#[derive(Serialize)]
struct Event {
    id: Id,
    /// The members from `kind` to `outcome`.
    #[serde(rename = "")]
    ending: Encoded<'static>,
    /// Nanoseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    duration: Option<u64>,
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
    scheme: Option<Word>,
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
            scheme: signature.scheme.map(Word),
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
struct Hooksensor<'a> {
    flow_id: Encoded<'a>,
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

impl<'a> Hooksensor<'a> {
    fn new(exchange: &Exchange, flow_id: Encoded<'a>, headers_are_cut: bool) -> Self {
        Self {
            flow_id,
            tx: exchange.index,
            coverage: CoverageNames(exchange.coverage),
            anomalies: exchange.anomalies.iter().map(|anomaly| Word(anomaly.name())).collect(),
            cut: headers_are_cut.then_some(["http.request.headers"]),
        }
    }
}

impl Event {
    fn new(delivery: &Delivery) -> Self {
        let Exchange { request, response, .. } = &*delivery.exchange;
        let times = request.as_ref().zip(response.as_ref());
        Self {
            id: Id(delivery.id),
            ending: Encoded(ending(response.as_ref().map(|response| response.status)).as_bytes()),
            duration: times
                .filter(|(request, response)| response.started >= request.started)
                .map(|(request, response)| response.started.nanoseconds_since(request.started)),
        }
    }
}

/// An access that nothing that was seen refused, or one that the answer refused for who asked: RFC
/// 9110, sections 15.5.2, 15.5.4 and 15.5.8; RFC 6585, section 4; RFC 7725, section 3.
const fn ending(status: Option<u16>) -> &'static str {
    macro_rules! members {
        ($kind:literal, $outcome:literal) => {
            concat!(
                r#""kind":"event","category":["web","network"],"type":["access",""#,
                $kind,
                r#""],"dataset":"hooksensor.delivery","outcome":""#,
                $outcome,
                r#"""#
            )
        };
    }
    match status {
        None => members!("allowed", "unknown"),
        Some(401 | 403 | 407 | 429 | 451) => members!("denied", "failure"),
        Some(..400) => members!("allowed", "success"),
        Some(400..) => members!("allowed", "failure"),
    }
}
