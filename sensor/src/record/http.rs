//! What a record says of the messages themselves: `http.*` and `user_agent.*`.
//!
//! It must not know webhooks, beyond the identifier that stands in `http.request.id`.

use serde::{Serialize, Serializer};

use super::fields::{Encoded, Text, Word};
use super::headers::HeaderFields;
use crate::http::{Body, Exchange, Request, Response, Version};
use crate::webhook::Delivery;

/// `http.*`.
#[derive(Serialize)]
pub(super) struct Http<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<VersionText>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request: Option<HttpRequest<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response: Option<HttpResponse>,
}

impl<'a> Http<'a> {
    pub(super) fn new(delivery: &'a Delivery, headers: Option<HeaderFields<'a>>) -> Self {
        let Exchange { request, response, .. } = &*delivery.exchange;
        let version = request.as_ref().map(|request| request.version);
        let version = version.or_else(|| response.as_ref().map(|response| response.version));
        let version = version.filter(|version| *version != Version::UNREADABLE);
        Self {
            version: version.map(VersionText),
            request: request
                .as_ref()
                .zip(headers)
                .map(|(request, headers)| HttpRequest::new(request, headers, delivery)),
            response: response.as_ref().map(HttpResponse::new),
        }
    }
}

struct VersionText(Version);

impl Serialize for VersionText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Version(1, 1) => Word("1.1").serialize(serializer),
            Version(1, 0) => Word("1.0").serialize(serializer),
            Version(major, minor) => serializer.collect_str(&format_args!("{major}.{minor}")),
        }
    }
}

/// `http.request.*`.
#[derive(Serialize)]
pub(super) struct HttpRequest<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    method: Text<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    referrer: Option<Encoded<'a>>,
    bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<BodyBytes>,
    headers: Encoded<'a>,
}

impl<'a> HttpRequest<'a> {
    fn new(request: &'a Request, headers: HeaderFields<'a>, delivery: &'a Delivery) -> Self {
        Self {
            id: delivery.request_id.as_deref(),
            method: Text::from(&*request.method),
            referrer: headers.referrer,
            bytes: request.wire_bytes,
            body: BodyBytes::of(&request.body),
            headers: headers.fields,
        }
    }
}

/// `http.response.*`.
#[derive(Serialize)]
struct HttpResponse {
    status_code: u16,
    bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<BodyBytes>,
}

impl HttpResponse {
    fn new(response: &Response) -> Self {
        Self {
            status_code: response.status,
            bytes: response.wire_bytes,
            body: BodyBytes::of(&response.body),
        }
    }
}

/// `http.request.body.*` and `http.response.body.*`.
#[derive(Serialize)]
struct BodyBytes {
    bytes: u64,
}

impl BodyBytes {
    fn of(body: &Body) -> Option<Self> {
        (!body.unseen).then_some(Self { bytes: body.bytes })
    }
}

/// `user_agent.*`.
#[derive(Serialize)]
pub(super) struct UserAgent<'a> {
    pub(super) original: Encoded<'a>,
}
