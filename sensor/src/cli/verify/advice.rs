//! What to look at where a request is not valid and nothing that was tried makes it so.
//!
//! It must not know how a signature is checked.

use super::{Trial, signs_url};
use crate::config::{Scheme, Source};
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
/// The same where that is one of several schemes, and which of them stands in another header.
const NO_VERSION: &str = "The header is there, and not the other one that says by which scheme it signs: \
                          a proxy or the tool that stored the request left that out.";
/// The same where a signature belongs in the body.
const NOT_IN_BODY: &str = "The signature belongs in the body, and there is none: the message was taken out \
                           of what is signed on the way, as by Amazon SNS with raw message delivery, or \
                           is another sender's.";
/// The same where what is there can be no signature.
const MALFORMED: &str = "It was cut or changed on the way, or is another sender's.";
/// The same where it is a token.
const TOKEN: &str = "A token is compared as it was sent, octet for octet: take it anew from the settings of \
                     this webhook, where it may have been changed, or is another endpoint's.";
/// The same where no secret can be a key.
const NO_KEY: &str = "Take it anew from where the provider shows it for this endpoint, whole and as it is \
                      written there.";
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
            (Status::Missing, _) => Some(self.advice_on_missing()),
            (Status::Stale, Some(Reason::InFuture)) => Some(IN_FUTURE),
            (Status::Stale, _) => Some(STALE),
            (_, Some(Reason::Mismatch)) => Some(self.advice_on_mismatch()),
            (_, Some(Reason::Malformed)) => Some(MALFORMED),
            (_, Some(Reason::OtherToken)) => Some(TOKEN),
            (_, Some(Reason::NoUsableKey)) => Some(NO_KEY),
            _ => None,
        }
    }

    fn advice_on_missing(&self) -> &'static str {
        let schemes = &self.provider.signature;
        let header = |scheme: &Scheme| match &scheme.signature {
            Source::Header(name) => self.message.headers.first(name),
            _ => None,
        };
        let fits = |scheme: &Scheme| {
            header(scheme).is_some_and(|value| value.starts_with(scheme.prefix.as_bytes()))
        };
        if schemes.iter().any(|scheme| !scheme.when.is_empty() && fits(scheme)) {
            NO_VERSION
        } else if schemes.iter().any(|scheme| header(scheme).is_some()) {
            OTHER_SIGNATURE
        } else if schemes.iter().all(|scheme| matches!(scheme.signature, Source::Json(_))) {
            NOT_IN_BODY
        } else {
            NO_SIGNATURE
        }
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
        let check = |provider: &str, name: &str, status, reason, expected: &str| {
            let table = Table::new(&[]);
            let headers = headers(&[(name.to_owned(), b"t=1,v0=00".to_vec())]);
            let trial = Trial {
                table: &table,
                provider: &table.providers()[table.position(provider).unwrap()],
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
        let (missing, invalid) = (Status::Missing, Status::Invalid);
        check("stripe", "X-Lost", missing, None, "left the header out");
        check("stripe", "Stripe-Signature", missing, None, "The header is there");
        check("hubspot", "X-HubSpot-Signature", missing, None, "says by which scheme");
        check("aws-sns", "x-amz-sns-message-type", missing, None, "raw message delivery");
        check("stripe", "X-Lost", Status::Stale, Some(Reason::TooOld), "lay in a queue");
        check("stripe", "X-Lost", Status::Stale, Some(Reason::InFuture), "before it was made");
        check("stripe", "X-Lost", invalid, Some(Reason::Mismatch), "another endpoint");
        check("stripe", "X-Lost", invalid, Some(Reason::Malformed), "cut or changed");
        check("gitlab", "X-Lost", invalid, Some(Reason::OtherToken), "take it anew");
        check("discord", "X-Lost", Status::Unverifiable, Some(Reason::NoUsableKey), "Take it anew");
    }
}
