//! What a record says of a request's URL and of the host it is for: a receiver has few of them, and
//! so each is looked into once.
//!
//! It must not know what else a request has.

use std::borrow::Cow;

use serde::Serialize;

use super::fields::{Encoded, Text};
use super::json::write_line;
use super::memo::{Memo, key};
use crate::http::Request;
use crate::webhook::redact::{self, Holding};
use crate::webhook::{Target, host_of};

/// Places of URLs that are remembered, two in each: more than the endpoints of a host, at some 400
/// octets each.
const PLACES: usize = 128;

/// Octets of a target and a Host field that are remembered. Those of endpoints are shorter.
const MAX_KEPT: usize = 512;

/// The URLs that came last.
#[derive(Debug, Default)]
pub(super) struct Urls {
    known: Memo<Known, PLACES>,
    /// For one that is not remembered.
    other: Known,
}

/// What is known of a URL.
#[derive(Debug, Default)]
struct Known {
    /// Whether the target is a host and a port, as the method tells.
    is_authority: bool,
    target: Vec<u8>,
    host: Vec<u8>,
    url: Vec<u8>,
    hosts: Vec<u8>,
}

/// `url.*` and `related.hosts`, encoded.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) url: Encoded<'a>,
    /// None where the request names no host.
    pub(super) hosts: Option<Encoded<'a>>,
}

/// `url.*`.
#[derive(Serialize)]
struct Url<'a> {
    original: Text<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    domain: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    query: Option<Text<'a>>,
}

impl Urls {
    /// What is said of the URL of `request`.
    pub(super) fn of(&mut self, request: &Request) -> Place<'_> {
        let is_authority = *request.method == *b"CONNECT";
        let target = &*request.target;
        let host = request.headers.first("host").unwrap_or_default();
        let is_it = |known: &Known| {
            known.is_authority == is_authority
                && known.target == target
                && known.host == host
                && !known.url.is_empty()
        };
        let (known, is_known) = self.known.of(key(target).wrapping_add(key(host)), is_it);
        if !is_known {
            let parts = Target::parse(&request.method, target);
            let original = redact::target(target);
            let is_kept =
                target.len() + host.len() <= MAX_KEPT && matches!(original, Cow::Borrowed(_));
            if !is_kept {
                self.other.learn(original, parts, host);
                return self.other.place();
            }
            known.is_authority = is_authority;
            target.clone_into(&mut known.target);
            host.clone_into(&mut known.host);
            known.learn(original, parts, host);
        }
        known.place()
    }
}

impl Known {
    fn place(&self) -> Place<'_> {
        let hosts = (!self.hosts.is_empty()).then_some(Encoded(&self.hosts));
        Place { url: Encoded(&self.url), hosts }
    }

    /// Of a target with these `parts`, its secrets covered in `original`. The host is that of the
    /// target, or that of the Host field (RFC 9112, section 3.2.2).
    fn learn(&mut self, original: Cow<'_, [u8]>, parts: Target<'_>, host: &[u8]) {
        // The parts of a target without secrets have none.
        let has_secrets = matches!(original, Cow::Owned(_));
        let covered = |part, cover: fn(&[u8]) -> Cow<'_, [u8]>| {
            Text(if has_secrets { cover(part) } else { Cow::Borrowed(part) })
        };
        let domain = parts.host().or_else(|| host_of(host));
        let domain = domain.map(|domain| redact::header_value(Holding::Text, domain));
        let url = Url {
            domain: domain.as_deref().map(Text::from),
            path: parts.path.map(|path| covered(path, redact::target)),
            query: parts.query.map(|query| covered(query, redact::query)),
            original: Text(original),
        };
        self.url.clear();
        write_line(&url, &mut self.url);
        self.hosts.clear();
        if let Some(domain) = domain {
            write_line(&[Text(domain)], &mut self.hosts);
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;

    use super::*;
    use crate::webhook::fixture::exchange;

    fn request(method: &'static str, target: &str, host: Option<&str>) -> Request {
        let lines = host.map(|host| format!("Host: {host}")).unwrap_or_default();
        let mut request = exchange(target, &lines).request.expect("it has one");
        request.method = Bytes::from_static(method.as_bytes());
        request
    }

    proptest! {
        /// Whatever came before, a URL is written as if it were the first.
        #[test]
        fn what_is_remembered_is_what_would_be_learnt(
            sent in prop::collection::vec(
                (
                    prop::sample::select(vec!["POST", "CONNECT"]),
                    "/[ab]|/\\?(token|x)=1|http://(u:p@)?h/a|h:1|\\*|/b{500,520}",
                    prop::option::of("|[hi](:1)?|u@h"),
                ),
                1..30,
            ),
        ) {
            let mut urls = Urls::default();
            for (method, target, host) in &sent {
                let request = request(method, target, host.as_deref());
                let mut fresh = Urls::default();
                let (known, learnt) = (urls.of(&request), fresh.of(&request));
                prop_assert_eq!(known.url.0, learnt.url.0);
                prop_assert_eq!(known.hosts.map(|hosts| hosts.0), learnt.hosts.map(|hosts| hosts.0));
            }
        }
    }
}
