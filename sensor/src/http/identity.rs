//! Says who the client behind trusted proxies was, by the field they write.
//!
//! It must not believe anybody else: what stands before the address of the last trusted proxy, and
//! in any field that the proxies do not write, is what its sender likes.

use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;

use super::Headers;
use crate::config::ClientHeader;

/// Elements of a forwarding chain that are walked; longer ones are made up to be long.
const MAX_HOPS: usize = 64;

/// The proxies whose word is taken.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TrustedProxies {
    /// Where they are.
    pub networks: Vec<IpNet>,
    /// The one field they write the client's address to. They pass on every other as it came, with
    /// whatever address the client would like to be taken for.
    pub header: ClientHeader,
}

/// What the field led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) client: IpAddr,
    /// Whether a trusted proxy's field held something that is no address.
    pub(super) garbage: bool,
}

impl TrustedProxies {
    /// Whether the address is one of them.
    #[must_use]
    pub fn has(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.networks.iter().any(|net| net.contains(&address))
    }

    /// The client of a request that `peer` delivered: the last address of the chain that is not a
    /// trusted proxy's, or as near to it as the chain can be read.
    pub(super) fn client(&self, peer: IpAddr, headers: &Headers) -> Identity {
        let mut identity = Identity { client: peer.to_canonical(), garbage: false };
        if !self.has(peer) {
            return identity;
        }
        for hop in hops(self.header, headers) {
            let Some(address) = hop else {
                identity.garbage = true;
                return identity;
            };
            identity.client = address;
            if !self.has(address) {
                return identity;
            }
        }
        identity
    }
}

/// The addresses that stand in the field, nearest first; `None` for what is no address.
fn hops(header: ClientHeader, headers: &Headers) -> Box<dyn Iterator<Item = Option<IpAddr>> + '_> {
    match header {
        ClientHeader::XForwardedFor => {
            let lines = nearest_first(headers, "x-forwarded-for");
            let elements = lines.flat_map(|line| line.rsplit(|octet| *octet == b','));
            Box::new(elements.take(MAX_HOPS).map(address))
        }
        ClientHeader::Forwarded => {
            let elements = nearest_first(headers, "forwarded").flat_map(|line| rsplit(line, b','));
            Box::new(elements.take(MAX_HOPS).map(|element| address(forwarded_for(element)?)))
        }
        ClientHeader::XRealIp => Box::new(nearest_first(headers, "x-real-ip").take(1).map(address)),
        ClientHeader::TrueClientIp => {
            Box::new(nearest_first(headers, "true-client-ip").take(1).map(address))
        }
        ClientHeader::None => Box::new(std::iter::empty()),
    }
}

/// The lines of a field, the one that was added last at first.
fn nearest_first<'h>(headers: &'h Headers, name: &'static str) -> impl Iterator<Item = &'h [u8]> {
    let lines: Vec<&[u8]> = headers.all(name).collect();
    lines.into_iter().rev()
}

/// The `for` parameter of an element of `Forwarded`.
fn forwarded_for(element: &[u8]) -> Option<&[u8]> {
    rsplit(element, b';').find_map(|pair| {
        let at = pair.iter().position(|octet| *octet == b'=')?;
        let (name, value) = (pair[..at].trim_ascii(), pair[at + 1..].trim_ascii());
        name.eq_ignore_ascii_case(b"for").then_some(value)
    })
}

/// Parts between separators that stand outside quotes, the last at first. Quotes are counted from
/// the end, which a proxy wrote: one that the client opens must not swallow what follows it.
fn rsplit(text: &[u8], separator: u8) -> impl Iterator<Item = &[u8]> {
    let mut quoted = false;
    text.rsplit(move |octet| {
        quoted ^= *octet == b'"';
        !quoted && *octet == separator
    })
}

/// An address with or without port, brackets and quotes.
fn address(text: &[u8]) -> Option<IpAddr> {
    let text = text.trim_ascii();
    let text = text.strip_prefix(b"\"").and_then(|t| t.strip_suffix(b"\"")).unwrap_or(text);
    let text = std::str::from_utf8(text).ok()?;
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let with_port = || text.parse::<SocketAddr>().map(|address| address.ip());
    let address = bare.parse::<IpAddr>().or_else(|_| with_port()).ok()?;
    Some(address.to_canonical())
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::{Identity, TrustedProxies};
    use crate::config::ClientHeader;
    use crate::http::Headers;
    use crate::http::head::range;

    const FIELDS: [(&str, ClientHeader); 4] = [
        ("X-Forwarded-For", ClientHeader::XForwardedFor),
        ("Forwarded", ClientHeader::Forwarded),
        ("X-Real-IP", ClientHeader::XRealIp),
        ("True-Client-IP", ClientHeader::TrueClientIp),
    ];

    fn headers(fields: &[(&'static str, &str)]) -> Headers {
        let head: String =
            fields.iter().map(|(name, value)| format!("{name}\0{value}\0")).collect();
        let head = Bytes::from(head);
        let parts: Vec<&[u8]> = head.split(|octet| *octet == 0).collect();
        let ranges = parts.chunks_exact(2).map(|f| (range(&head, f[0]), range(&head, f[1])));
        let ranges = ranges.collect();
        Headers::new(head.clone(), ranges)
    }

    /// Who the client is where the first of `fields` is what the proxies write.
    #[track_caller]
    fn check(peer: &str, fields: &[(&'static str, &str)], client: &str, garbage: bool) {
        let written = fields.first().and_then(|(field, _)| {
            FIELDS.into_iter().find(|(name, _)| name.eq_ignore_ascii_case(field))
        });
        let networks = ["10.0.0.0/8", "2001:db8:1::/48"].map(|net| net.parse().unwrap()).to_vec();
        let header = written.map(|(_, header)| header).unwrap_or_default();
        let identity =
            TrustedProxies { networks, header }.client(peer.parse().unwrap(), &headers(fields));
        assert_eq!(identity, Identity { client: client.parse().unwrap(), garbage }, "{fields:?}");
    }

    #[test]
    fn only_trusted_proxies_are_believed() {
        let claim = [("X-Forwarded-For", "192.0.2.1")];
        check("198.51.100.1", &claim, "198.51.100.1", false);
        check("10.0.0.1", &claim, "192.0.2.1", false);
        check("::ffff:10.0.0.1", &claim, "192.0.2.1", false);
        check("10.0.0.1", &[], "10.0.0.1", false);
    }

    #[test]
    fn only_the_field_that_proxies_write_is_believed() {
        let peer = "10.0.0.1".parse().unwrap();
        let all = FIELDS.map(|(name, _)| name);
        let write = |name: &'static str, value| {
            if name == "Forwarded" { format!("for={value}") } else { value }
        };
        for (written, header) in FIELDS.into_iter().chain([("", ClientHeader::None)]) {
            for is_there in [true, false] {
                let values = all.map(|name| {
                    let address = if name == written { "192.0.2.1" } else { "203.0.113.9" };
                    (name, write(name, address.to_owned()))
                });
                let fields = values.iter().map(|(name, value)| (*name, value.as_str()));
                let fields: Vec<_> =
                    fields.filter(|(name, _)| is_there || *name != written).collect();
                let networks = vec!["10.0.0.0/8".parse().unwrap()];
                let client = if is_there && !written.is_empty() { "192.0.2.1" } else { "10.0.0.1" };
                let expected = Identity { client: client.parse().unwrap(), garbage: false };
                let identity = TrustedProxies { networks, header }.client(peer, &headers(&fields));
                assert_eq!(identity, expected, "{header:?} of {fields:?}");
            }
        }
    }

    #[test]
    fn chains_are_walked_from_the_right() {
        let xff = |chain| [("x-forwarded-for", chain)];
        check("10.0.0.1", &xff("1.1.1.1, 192.0.2.1, 10.0.0.2"), "192.0.2.1", false);
        check("10.0.0.1", &xff("10.0.0.3,10.0.0.2"), "10.0.0.3", false);
        check("10.0.0.1", &xff("192.0.2.1, junk, 10.0.0.2"), "10.0.0.2", true);
        check("10.0.0.1", &xff(""), "10.0.0.1", true);
        check("10.0.0.1", &xff("192.0.2.1:5000"), "192.0.2.1", false);
        check("10.0.0.1", &xff("[2001:db8::7]:5000"), "2001:db8::7", false);
        check("10.0.0.1", &xff("2001:db8::7"), "2001:db8::7", false);
        let lines = [("X-Forwarded-For", "1.1.1.1"), ("X-Forwarded-For", "192.0.2.9, 10.0.0.2")];
        check("10.0.0.1", &lines, "192.0.2.9", false);
        // A quote means nothing here, so that none hides what a proxy appended.
        check("10.0.0.1", &xff("\"1.1.1.1, 192.0.2.1"), "192.0.2.1", false);
    }

    #[test]
    fn forwarded_is_walked_from_the_right() {
        let forwarded = |chain| [("Forwarded", chain)];
        check(
            "10.0.0.1",
            &forwarded("for=192.0.2.1;proto=https, For=10.0.0.2"),
            "192.0.2.1",
            false,
        );
        check("10.0.0.1", &forwarded("by=\"a,b;c\";for=\"[2001:db8::7]:9\""), "2001:db8::7", false);
        check("10.0.0.1", &forwarded("for=192.0.2.1, for=_hidden"), "10.0.0.1", true);
        check("10.0.0.1", &forwarded("proto=https"), "10.0.0.1", true);
        check("10.0.0.1", &forwarded("for=1.1.1.1;by=\", for=192.0.2.1"), "192.0.2.1", false);
    }

    #[test]
    fn fields_that_name_the_client_alone() {
        check("10.0.0.1", &[("X-Real-IP", "192.0.2.1")], "192.0.2.1", false);
        check("2001:db8:1::5", &[("True-Client-IP", "192.0.2.2")], "192.0.2.2", false);
        check("10.0.0.1", &[("X-Real-IP", "nobody")], "10.0.0.1", true);
        let lines = [("X-Real-IP", "1.1.1.1"), ("X-Real-IP", "10.0.0.2")];
        check("10.0.0.1", &lines, "10.0.0.2", false);
    }
}
