//! What a record says of a payload: `webhook.payload.*` and `webhook.schema.*`.
//!
//! It must not know how payloads are checked.

use serde::Serialize;

use crate::webhook::Payload;

/// `webhook.payload.*`.
#[derive(Serialize)]
pub(super) struct PayloadFields {
    /// `sound`, `unsound`, or `unjudged` where nothing wrong was found and not all was looked at.
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

/// `webhook.schema.*`.
#[derive(Serialize)]
pub(super) struct SchemaFields {
    valid: bool,
    /// The place in the payload and the keyword; no value.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

impl From<&Payload> for PayloadFields {
    fn from(payload: &Payload) -> Self {
        Self { status: payload.status(), reason: payload.reason() }
    }
}

impl SchemaFields {
    /// What the schema says of `payload`, if it was held against one.
    pub(super) fn of(payload: &Payload) -> Option<Self> {
        let result = payload.schema.as_ref()?;
        let error = result.as_ref().err().map(ToString::to_string);
        Some(Self { valid: error.is_none(), error })
    }
}
