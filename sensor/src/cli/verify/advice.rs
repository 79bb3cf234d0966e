//! What to look at where a request is not valid and nothing that was tried makes it so.
//!
//! It must not know how a signature is checked.

use super::{Trial, signs_url};
use crate::config::Source;
use crate::webhook::signature::{Check, is_misshapen};
use crate::webhook::{Reason, Signature, Status, payload};

/// What to look at where nothing that was tried makes a signature valid.
const ADVICE: &str = "Nothing that was tried makes it valid. Most often the secret is that of another \
                      endpoint, or of test instead of live mode, or the body was parsed and written \
                      anew before it was stored: keep it as it arrives, octet for octet.";
/// The same where the URL is signed too.
const ADVICE_ON_URL: &str = "Nothing that was tried makes it valid. The URL above is signed too, to the \
                             letter and as the provider called it, which is not as it arrives behind a \
                             proxy: where it is another, give it with --url. Else the secret is most often that of another account, \
                             or of test instead of live mode.";
/// The same where what is there is no signature.
const MISSHAPEN: &str = "No signature has such a length, whatever the secret and the body: it was cut or \
                         changed, or is another header's.";
/// The same where there is no signature.
const NO_SIGNATURE: &str = "Either the sender has no secret for this endpoint, or a proxy or the tool \
                            that stored the request left the header out.";
/// The same where its header is there without it.
const OTHER_SIGNATURE: &str = "The header is there, and what is in it is no signature of this provider's \
                               scheme: one of another form, as some send for tests, proves nothing.";
/// The same where the signature is right and of a later time.
const IN_FUTURE: &str = "The signature itself is right. It cannot have been sent before it was made: the \
                         clock of one side is off, or the time that --at or the file says is another \
                         request's.";
/// The same where the signature is right and its time is not.
const STALE: &str = "The signature itself is right. Either somebody sent the request again, which is \
                     what its time is signed against, or it lay in a queue on the way, or the clock \
                     of one side is off.";
/// The same where the file has no body.
const NO_BODY: &str = "The file has no body behind the empty line that ends the head. What is signed \
                       is the body as it arrives, octet for octet.";
/// The same where the body is not what its head says.
const UNPACKED: &str = "Content-Encoding names a coding that the body in the file does not have: it was \
                        unpacked before it was stored, and what is signed is what arrives.";

impl Trial<'_> {
    /// What to look at where nothing else would make it valid.
    pub(super) fn advice(&self, result: &Signature) -> Option<&'static str> {
        match (result.status, &result.reason) {
            (Status::Missing, _) if self.has_header() => Some(OTHER_SIGNATURE),
            (Status::Missing, _) => Some(NO_SIGNATURE),
            (Status::Stale, Some(Reason::InFuture)) => Some(IN_FUTURE),
            (Status::Stale, _) => Some(STALE),
            (_, Some(Reason::Mismatch)) => Some(self.advice_on_mismatch()),
            _ => None,
        }
    }

    /// Whether a header is there that would have the signature.
    fn has_header(&self) -> bool {
        self.provider.signature.iter().any(|scheme| match &scheme.signature {
            Source::Header(name) => self.message.headers.first(name).is_some(),
            _ => false,
        })
    }

    fn advice_on_mismatch(&self) -> &'static str {
        let headers = self.message.headers;
        let content = self.message.content.unwrap_or_default();
        let check = Check::new(self.provider, self.secrets);
        if is_misshapen(&check, self.provider, &self.message, self.terms) {
            MISSHAPEN
        } else if content.is_empty() {
            NO_BODY
        } else if headers.first("content-encoding").is_some_and(|coding| coding != b"identity")
            && payload::unpacked(headers, content).is_none()
        {
            UNPACKED
        } else if signs_url(self.provider) {
            ADVICE_ON_URL
        } else {
            ADVICE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::request_file::headers;
    use super::*;
    use crate::webhook::signature::Terms;
    use crate::webhook::{Message, Table};

    #[test]
    fn advice_follows_from_what_is_there() {
        let check = |name: &str, status, reason, expected: &str| {
            let table = Table::new(&[]);
            let headers = headers(&[(name.to_owned(), b"t=1,v0=00".to_vec())]);
            let trial = Trial {
                table: &table,
                provider: &table.providers()[table.position("stripe").unwrap()],
                secrets: &[],
                message: Message {
                    method: b"POST",
                    target: b"/",
                    headers: &headers,
                    content: Ok(b"{}"),
                },
                terms: Terms::default(),
            };
            let result = Signature { status, reason, scheme: None, key_id: None, skew_ms: None };
            let said = trial.advice(&result).unwrap_or_default();
            assert!(said.contains(expected), "{said}");
        };
        check("X-Lost", Status::Missing, None, "left the header out");
        check("Stripe-Signature", Status::Missing, None, "The header is there");
        check("X-Lost", Status::Stale, Some(Reason::TooOld), "lay in a queue");
        check("X-Lost", Status::Stale, Some(Reason::InFuture), "before it was made");
        check("X-Lost", Status::Invalid, Some(Reason::Mismatch), "another endpoint");
    }
}
