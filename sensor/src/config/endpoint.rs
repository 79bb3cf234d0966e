//! A named part of a watched port: who sends there, and how that is checked.
//!
//! It must not know what a secret is, only where it is kept.

#![expect(clippy::doc_markdown, reason = "the comments are the text of the sample configuration")]

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::fields::{self, Port};
use super::secret::SecretRef;

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
}
