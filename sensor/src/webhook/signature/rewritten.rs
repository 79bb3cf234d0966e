//! What may have been meant by a secret: the mistakes in copying it from a provider's page.
//!
//! It must not know what a secret is the key of.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::key::Secret;
use super::presented::hexadecimal;
use crate::config::KeyForm;

/// What stands before secrets of those who follow Standard Webhooks, and before Stripe's.
const MARK: &[u8] = b"whsec_";

/// How a secret differs from what was given, in words, and the secret.
type Rewritten = (&'static str, Secret);

impl Secret {
    /// Other secrets that this may be meant to be, where it is read in `form`.
    #[must_use]
    pub fn rewritten(&self, form: KeyForm) -> Vec<Rewritten> {
        let text = self.octets.as_slice();
        let bare = text.trim_ascii();
        let coded = bare.strip_prefix(MARK).unwrap_or(bare);
        let joined = |parts: &[&[u8]]| Some(Zeroizing::new(parts.concat()));
        let cut = |part: Option<&[u8]>| part.map(|part| Zeroizing::new(part.to_vec()));
        let decoded =
            |octets: Option<Vec<u8>>| octets.filter(|_| form == KeyForm::Text).map(Zeroizing::new);
        let forms = [
            ("without the white space around it", cut((bare != text).then_some(bare))),
            ("without its quotation marks", cut(unquoted(bare))),
            ("from behind its first \"=\" on", cut(value(bare))),
            ("and a line feed at its end, as the sender has it", joined(&[text, b"\n"])),
            ("and CRLF at its end, as the sender has it", joined(&[text, b"\r\n"])),
            ("and a space at its end, as the sender has it", joined(&[text, b" "])),
            ("with \"whsec_\" before it", joined(&[MARK, bare])),
            ("without \"whsec_\" before it", cut(bare.strip_prefix(MARK))),
            ("decoded from hexadecimal digits", decoded(hexadecimal(coded))),
            ("decoded from base64", decoded(STANDARD.decode(coded).ok())),
            ("as its text, which is not decoded from base64", as_text(text, form)),
        ];
        let secret = |octets| Self::new(self.reference(), octets);
        forms.into_iter().filter_map(|(how, octets)| Some((how, secret(octets?)))).collect()
    }
}

fn unquoted(text: &[u8]) -> Option<&[u8]> {
    match text {
        [b'"', inner @ .., b'"'] | [b'\'', inner @ .., b'\''] => Some(inner),
        _ => None,
    }
}

/// What stands behind the name in a line of an environment file.
fn value(text: &[u8]) -> Option<&[u8]> {
    let at = text.iter().position(|octet| *octet == b'=')?;
    let value = text[at + 1..].trim_ascii();
    Some(unquoted(value).unwrap_or(value))
}

fn as_text(text: &[u8], form: KeyForm) -> Option<Zeroizing<Vec<u8>>> {
    (form == KeyForm::Base64).then(|| Zeroizing::new(STANDARD.encode(text).into_bytes()))
}
