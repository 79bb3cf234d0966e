//! A named part of a watched port: who sends there, and how that is checked.
//!
//! It must not know what a secret is, only where it is kept.

#![expect(clippy::doc_markdown, reason = "the comments are the text of the sample configuration")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::fields::{self, Port, SizeText};
use super::secret::SecretRef;

/// Octets of a body in a record: readers of logs take lines of some hundred KiB, and text that has
/// to be escaped grows to six times its length.
pub const MAX_RECORD_BODY: usize = 64 << 10;

/// A named part of a watched port.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Endpoint {
    /// The name that stands in records as webhook.endpoint.
    #[schemars(example = &"github")]
    pub name: String,
    /// The watched port.
    #[serde(deserialize_with = "fields::port")]
    #[schemars(with = "Port", example = &8080)]
    pub port: u16,
    /// The start of the request's path, compared octet by octet.
    #[schemars(example = &"/hooks/github")]
    pub path_prefix: String,
    /// The provider that sends here; "" takes whichever a request tells.
    #[serde(default)]
    #[schemars(example = &"github")]
    pub provider: String,
    /// Where the secrets are that deliveries here are signed with; the old and the new one while
    /// they are changed. "file:/PATH" (owner only), "credential:NAME" (systemd) or "env:NAME".
    #[serde(default)]
    #[schemars(with = "Vec<String>", example = &["credential:github"])]
    pub secrets: Vec<SecretRef>,
    /// The URL by which the provider reaches path_prefix, where its signature covers the URL.
    #[serde(default)]
    #[schemars(example = &"https://hooks.example.com/hooks/github")]
    pub public_url: String,
    /// What the provider calls this subscription, where its signature covers that, as PayPal's
    /// covers the webhook id.
    #[serde(default)]
    #[schemars(example = &"")]
    pub subscription: String,
    /// Octets that a record shows of a body, at most "64KiB"; 0 shows nothing. A body holds what
    /// its sender says to nobody else, and nothing in it is covered.
    #[serde(default, with = "fields::size")]
    #[schemars(with = "SizeText", example = &"4KiB")]
    pub record_body: usize,
    /// What to look for in payloads: "content" that is not what is declared, "shape" that differs
    /// from earlier deliveries of the same event, signs of "injection". [] looks for nothing.
    #[serde(default)]
    #[schemars(example = &["content", "shape", "injection"])]
    pub checks: BTreeSet<PayloadCheck>,
    /// Files of JSON Schema by event type; "*" is every other event. In a file with definitions
    /// the one that is named for an event and its action is taken, as in issues$opened,
    /// push$event, push_event or push; else the whole file.
    #[serde(default)]
    #[schemars(example = serde_json::json!({ "*": "/etc/hooksensor/schemas/github.json" }))]
    pub schemas: BTreeMap<String, PathBuf>,
    /// What becomes of members that a schema does not name, where it allows no others: senders add
    /// some without notice. "allow" takes them, "report" holds payloads to the letter.
    #[serde(default)]
    #[schemars(example = &"allow")]
    pub unknown_members: UnknownMembers,
    /// Deliveries of one event that its shape is learnt from before a difference is told, of
    /// those with a valid signature or, where none is checked, an answer of 2xx. 0 is 100.
    #[serde(default)]
    #[schemars(example = &100)]
    pub shape_after: u32,
}

/// Something to look for in payloads.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum PayloadCheck {
    /// Content that is not what is declared, or not well-formed.
    Content,
    /// A shape other than that of earlier deliveries.
    Shape,
    /// Text that is meant for a shell, a template, a query or a page.
    Injection,
}

/// What becomes of members of a payload that its schema does not name and does not allow.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum UnknownMembers {
    /// They are taken.
    #[default]
    Allow,
    /// They are a fault.
    Report,
}

impl Endpoint {
    /// Whether anything is looked for in payloads.
    #[must_use]
    pub fn checks_payloads(&self) -> bool {
        !self.checks.is_empty() || !self.schemas.is_empty()
    }

    /// Whether the bodies of deliveries are needed.
    #[must_use]
    pub fn needs_bodies(&self) -> bool {
        !self.secrets.is_empty() || self.checks_payloads()
    }
}
