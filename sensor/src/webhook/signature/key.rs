//! Secrets, and the keys that schemes make of them.
//!
//! It must not know where a secret was read from, only by which name to call it.

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::digest::{CtOutput, Output, OutputSizeUser};
use hmac::{Hmac, KeyInit, Mac};
use ring::signature::{
    ECDSA_P256_SHA256_ASN1, ED25519, RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY,
    RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey,
};
use sha1::Sha1;
use sha2::{Digest as _, Sha256, Sha512};
use zeroize::Zeroizing;

use super::der;
use super::presented::{Signatures, hexadecimal};
use super::sign::Signed;
use crate::config::{Algorithm, KeyForm};

/// Octets of an Ed25519 public key (RFC 8032, section 5.1.5).
const ED25519_OCTETS: usize = 32;

/// A secret as it was read, overwritten when it is let go of.
pub struct Secret {
    reference: Arc<str>,
    pub(super) octets: Zeroizing<Vec<u8>>,
}

impl Secret {
    /// The secret `octets`, which is called `reference` wherever it is spoken of.
    #[must_use]
    pub fn new(reference: &str, octets: Zeroizing<Vec<u8>>) -> Self {
        Self { reference: reference.into(), octets }
    }

    /// What it is called.
    #[must_use]
    pub fn reference(&self) -> &Arc<str> {
        &self.reference
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secret").field("reference", &self.reference).finish_non_exhaustive()
    }
}

/// Why a secret is no key of a scheme.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyError {
    /// It is empty.
    Empty,
    /// It is not written in the form the scheme wants.
    Form,
    /// It is neither PEM nor base64 of a public key or certificate of the scheme's kind.
    PublicKey,
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "the secret is empty",
            Self::Form => "the secret is not written as this provider writes its secrets",
            Self::PublicKey => "this is no public key or certificate of the kind the scheme wants",
        })
    }
}

/// A secret, ready to check signatures of one scheme.
pub struct Key {
    pub(super) reference: Arc<str>,
    material: Material,
}

enum Material {
    HmacSha1(Hmac<Sha1>),
    HmacSha256(Hmac<Sha256>),
    HmacSha512(Hmac<Sha512>),
    Sha256(Zeroizing<Vec<u8>>),
    Token(Zeroizing<Vec<u8>>),
    Public(UnparsedPublicKey<Vec<u8>>),
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key").field("reference", &self.reference).finish_non_exhaustive()
    }
}

impl Key {
    /// The key that `secret`, written in `form`, is to `algorithm`.
    ///
    /// # Errors
    ///
    /// When it cannot be one.
    pub fn new(secret: &Secret, algorithm: Algorithm, form: KeyForm) -> Result<Self, KeyError> {
        if secret.octets.is_empty() {
            return Err(KeyError::Empty);
        }
        let octets = || decode(&secret.octets, form);
        let public =
            |algorithm, octets| Material::Public(UnparsedPublicKey::new(algorithm, octets));
        let material = match algorithm {
            Algorithm::HmacSha1 => Material::HmacSha1(hmac(&octets()?)?),
            Algorithm::HmacSha256 => Material::HmacSha256(hmac(&octets()?)?),
            Algorithm::HmacSha512 => Material::HmacSha512(hmac(&octets()?)?),
            Algorithm::Sha256 => Material::Sha256(octets()?),
            Algorithm::Token => Material::Token(octets()?),
            Algorithm::Ed25519 => public(&ED25519, ed25519(&secret.octets, form)?),
            Algorithm::EcdsaP256Sha256 => public(&ECDSA_P256_SHA256_ASN1, spki(&secret.octets)?),
            Algorithm::RsaSha1 => {
                public(&RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY, spki(&secret.octets)?)
            }
            Algorithm::RsaSha256 => public(&RSA_PKCS1_2048_8192_SHA256, spki(&secret.octets)?),
        };
        Ok(Self { reference: Arc::clone(&secret.reference), material })
    }

    /// Whether this key made one of `signatures` over what is `signed`. What a shared secret makes
    /// is compared in constant time.
    pub(super) fn made(&self, signatures: &Signatures, signed: &Signed<'_>) -> bool {
        match &self.material {
            Material::HmacSha1(keyed) => tagged(keyed, signatures, signed),
            Material::HmacSha256(keyed) => tagged(keyed, signatures, signed),
            Material::HmacSha512(keyed) => tagged(keyed, signatures, signed),
            Material::Sha256(secret) => {
                let mut hash = Sha256::new();
                signed.feed(secret, &mut |part| hash.update(part));
                is_among(&CtOutput::<Sha256>::new(hash.finalize()), signatures)
            }
            Material::Token(token) => signatures.iter().any(|sent| same(token, sent)),
            Material::Public(key) => {
                let mut text = Vec::new();
                signed.feed(&[], &mut |part| text.extend_from_slice(part));
                signatures.iter().any(|signature| key.verify(&text, signature).is_ok())
            }
        }
    }
}

/// Whether one of `signatures` is the tag of what is `signed`.
fn tagged<M: Mac + Clone>(keyed: &M, signatures: &Signatures, signed: &Signed<'_>) -> bool {
    let mut mac = keyed.clone();
    signed.feed(&[], &mut |part| mac.update(part));
    is_among(&mac.finalize(), signatures)
}

/// Whether one of `signatures` is this `tag`, compared in constant time.
fn is_among<M: OutputSizeUser>(tag: &CtOutput<M>, signatures: &Signatures) -> bool {
    signatures
        .iter()
        .filter_map(|sent| Output::<M>::try_from(sent).ok())
        .any(|sent| CtOutput::new(sent) == *tag)
}

/// Whether two tokens are the same, in a time that tells neither their octets nor, of the secret
/// one, its length: their tags under one key are compared.
fn same(token: &[u8], sent: &[u8]) -> bool {
    let Ok(keyed) = hmac::<Hmac<Sha256>>(token) else { return false };
    let expected = keyed.clone().chain_update(token).finalize();
    keyed.chain_update(sent).verify(&expected.into_bytes()).is_ok()
}

fn hmac<M: KeyInit>(octets: &[u8]) -> Result<M, KeyError> {
    M::new_from_slice(octets).map_err(|_| KeyError::Form)
}

fn decode(text: &[u8], form: KeyForm) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let decoded = match form {
        KeyForm::Text => Some(text.to_vec()),
        KeyForm::Base64 => {
            let digits = text.strip_prefix(b"whsec_").unwrap_or(text);
            STANDARD.decode(digits).ok()
        }
        KeyForm::Hex => hexadecimal(text),
    };
    let decoded = decoded.filter(|octets| !octets.is_empty()).ok_or(KeyError::Form)?;
    Ok(Zeroizing::new(decoded))
}

/// An Ed25519 public key: its octets in the form, after "whpk_" when that is there, or an SPKI.
fn ed25519(text: &[u8], form: KeyForm) -> Result<Vec<u8>, KeyError> {
    let digits = text.strip_prefix(b"whpk_").unwrap_or(text);
    let octets = match decode(digits, form) {
        Ok(octets) if octets.len() == ED25519_OCTETS => octets.to_vec(),
        _ => spki(text)?,
    };
    if octets.len() == ED25519_OCTETS { Ok(octets) } else { Err(KeyError::PublicKey) }
}

/// The public key in a PEM block, or in the base64 of one.
fn spki(text: &[u8]) -> Result<Vec<u8>, KeyError> {
    let text = std::str::from_utf8(text).map_err(|_| KeyError::PublicKey)?;
    let lines = text.lines().map(str::trim);
    let digits: String = if text.contains("-----BEGIN ") {
        let block = lines.skip_while(|line| !line.starts_with("-----BEGIN "));
        block.skip(1).take_while(|line| !line.starts_with("-----END ")).collect()
    } else {
        lines.collect()
    };
    let encoded = STANDARD.decode(digits).map_err(|_| KeyError::PublicKey)?;
    der::public_key(&encoded).map(<[u8]>::to_vec).ok_or(KeyError::PublicKey)
}
