//! How a sender of webhooks is described: by what it is told, and how it signs.
//!
//! It must not know how a description is put to use.

#![expect(clippy::doc_markdown, reason = "the comments are the text of the sample configuration")]

use std::sync::LazyLock;
use std::time::Duration;

use ipnet::IpNet;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::fields::{self, DurationText, NetworkText};
use super::source::{Mark, Source};
use super::template::{Part, Template};

/// The providers that come with the sensor.
static BUILT_IN: LazyLock<Vec<Provider>> = LazyLock::new(|| {
    #[derive(Deserialize)]
    struct File {
        provider: Vec<Provider>,
    }

    let text = include_str!("../webhook/providers.toml");
    toml::from_str::<File>(text).expect("a test reads the built-in table").provider
});

/// The providers that come with the sensor, in the order in which a request tells them.
#[must_use]
pub fn built_in_providers() -> &'static [Provider] {
    &BUILT_IN
}

/// A sender of webhooks. One with the name of a built-in provider is as that, but for the keys that
/// are given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Provider {
    /// The name that stands in records as webhook.provider.
    #[schemars(example = &"acme")]
    pub name: String,
    /// What tells it; any of these does. A header, "header x-acme-event", or the start of its
    /// value, "header user-agent Acme/".
    #[serde(default)]
    #[schemars(with = "Vec<String>", example = &["header x-acme-event"])]
    pub recognise: Vec<Mark>,
    /// Where the name of what happened is; the first that is there counts. "header NAME", or a
    /// JSON Pointer into the body, "json /event/type", a field of a form, "form NAME", or of the
    /// query, "query NAME".
    #[serde(default)]
    #[schemars(with = "Vec<String>", example = &["header x-acme-event"])]
    pub event_type: Vec<Source>,
    /// Where the identifier is that stays over retries.
    #[serde(default)]
    #[schemars(with = "Vec<String>", example = &["header x-acme-delivery", "json /id"])]
    pub delivery_id: Vec<Source>,
    /// Where the number of the attempt is.
    #[serde(default)]
    #[schemars(with = "Vec<String>", example = &["header x-acme-attempt"])]
    pub attempt: Vec<Source>,
    /// The number that the first attempt carries.
    #[serde(default = "one")]
    #[schemars(example = &1)]
    pub first_attempt: u32,
    /// How soon it wants an answer. "0s" where it does not say.
    #[serde(default, with = "fields::duration")]
    #[schemars(with = "DurationText", example = &"10s")]
    pub answer_within: Duration,
    /// How long it goes on to retry. "0s" where it does not say.
    #[serde(default, with = "fields::duration")]
    #[schemars(with = "DurationText", example = &"3d")]
    pub retry_for: Duration,
    /// Whether it signs every delivery, so that one without a signature is suspicious.
    #[serde(default)]
    #[schemars(example = &true)]
    pub always_signs: bool,
    /// The networks it sends from, where it publishes them.
    #[serde(default, deserialize_with = "fields::networks")]
    #[schemars(with = "Vec<NetworkText>", example = &["192.0.2.0/24"])]
    pub networks: Vec<IpNet>,
    /// The day on which those networks were published or read, as in "2026-11-01".
    #[serde(default)]
    #[schemars(example = &"2026-11-01")]
    pub networks_as_of: String,
    /// Requests that are no deliveries but prove to it who owns the endpoint: a source, and the
    /// value it has then, as in "json /type url_verification". Not signed are a GET among them and
    /// a form of that field alone, with a number.
    #[serde(default)]
    #[schemars(with = "Vec<String>", example = &["json /type url_verification"])]
    pub handshake: Vec<Mark>,
    /// How it signs. Of several, the first whose signature is there is checked, or the next one
    /// where what is configured cannot check that.
    #[serde(default)]
    pub signature: Vec<Scheme>,
}

/// One way in which a provider signs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Scheme {
    /// "hmac-sha1", "hmac-sha256", "hmac-sha512", "ed25519", "ecdsa-p256-sha256", "rsa-sha1",
    /// "rsa-sha256", "sha256" of a text with {secret} in it, or "token" where the secret itself is
    /// sent.
    #[schemars(example = &"hmac-sha256")]
    pub algorithm: Algorithm,
    /// Where the signature is.
    #[schemars(with = "String", example = &"header x-acme-signature")]
    pub signature: Source,
    /// What stands before each signature, as in "sha256=".
    #[serde(default)]
    #[schemars(example = &"sha256=")]
    pub prefix: String,
    /// What stands between several signatures. Those with another prefix are passed over.
    #[serde(default)]
    #[schemars(example = &",")]
    pub separator: String,
    /// How the signature is written.
    #[serde(default)]
    #[schemars(example = &"hex")]
    pub encoding: Encoding,
    /// What is signed: text with {body}, {timestamp}, {id}, {url}, {method}, {subscription},
    /// {body_crc32}, {twilio_form}, {sns_fields}, {hubspot_url} or {secret} in it.
    #[serde(default)]
    #[schemars(with = "String", example = &"{timestamp}.{body}")]
    pub signed: Template,
    /// Where the time of signing is: a source, or "item t=" for one among the signatures.
    #[serde(default)]
    #[schemars(with = "Vec<String>", example = &["header x-acme-timestamp"])]
    pub timestamp: Vec<Source>,
    /// How far that time may be from the time of the packet. "0s" accepts any.
    #[serde(default, with = "fields::duration")]
    #[schemars(with = "DurationText", example = &"5m")]
    pub tolerance: Duration,
    /// Where the signed identifier is, if it is another than the delivery's.
    #[serde(default)]
    #[schemars(with = "Vec<String>", example = &["header x-acme-delivery"])]
    pub id: Vec<Source>,
    /// How the secret is written.
    #[serde(default)]
    #[schemars(example = &"text")]
    pub key: KeyForm,
    /// Signatures of this scheme have this source with this value, as in "json /Version 2".
    #[serde(default)]
    #[schemars(with = "Vec<String>", example = &["header x-acme-version 2"])]
    pub when: Vec<Mark>,
}

impl Scheme {
    /// Whether a signature covers `part`. A token is the same beside anything.
    #[must_use]
    pub fn covers(&self, part: &Part) -> bool {
        self.algorithm != Algorithm::Token && self.signed.0.contains(part)
    }
}

/// The algorithm of a signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum Algorithm {
    /// RFC 2104 with SHA-1.
    #[serde(rename = "hmac-sha1")]
    HmacSha1,
    /// RFC 2104 with SHA-256.
    #[serde(rename = "hmac-sha256")]
    HmacSha256,
    /// RFC 2104 with SHA-512.
    #[serde(rename = "hmac-sha512")]
    HmacSha512,
    /// RFC 8032.
    Ed25519,
    /// ECDSA over P-256 with SHA-256, the signature in DER.
    #[serde(rename = "ecdsa-p256-sha256")]
    EcdsaP256Sha256,
    /// RSASSA-PKCS1-v1_5 with SHA-1.
    #[serde(rename = "rsa-sha1")]
    RsaSha1,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    #[serde(rename = "rsa-sha256")]
    RsaSha256,
    /// SHA-256 without a key, over a text that has the secret in it.
    Sha256,
    /// The shared secret itself.
    Token,
}

impl Algorithm {
    /// The name in the file and in records.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::HmacSha1 => "hmac-sha1",
            Self::HmacSha256 => "hmac-sha256",
            Self::HmacSha512 => "hmac-sha512",
            Self::Ed25519 => "ed25519",
            Self::EcdsaP256Sha256 => "ecdsa-p256-sha256",
            Self::RsaSha1 => "rsa-sha1",
            Self::RsaSha256 => "rsa-sha256",
            Self::Sha256 => "sha256",
            Self::Token => "token",
        }
    }

    /// Octets of what it makes, where that is always as many.
    #[must_use]
    pub const fn tag_octets(self) -> Option<usize> {
        match self {
            Self::HmacSha1 => Some(20),
            Self::HmacSha256 | Self::Sha256 => Some(32),
            Self::HmacSha512 | Self::Ed25519 => Some(64),
            Self::EcdsaP256Sha256 | Self::RsaSha1 | Self::RsaSha256 | Self::Token => None,
        }
    }

    /// Whether its key is public, in PEM or base64, rather than a shared secret.
    #[must_use]
    pub const fn is_asymmetric(self) -> bool {
        match self {
            Self::HmacSha1 | Self::HmacSha256 | Self::HmacSha512 | Self::Sha256 | Self::Token => {
                false
            }
            Self::Ed25519 | Self::EcdsaP256Sha256 | Self::RsaSha1 | Self::RsaSha256 => true,
        }
    }
}

/// How a signature is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum Encoding {
    /// Hexadecimal digits of either case.
    #[default]
    Hex,
    /// Base64, standard alphabet (RFC 4648, section 4).
    Base64,
}

/// How a secret is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum KeyForm {
    /// Its octets are the key; of a public key, PEM or base64 of its SPKI.
    #[default]
    Text,
    /// Base64 of the key, after "whsec_" or "whpk_" when that is there.
    Base64,
    /// Hexadecimal digits of the key.
    Hex,
}

const fn one() -> u32 {
    1
}
