//! Says who the client behind trusted proxies was, by the fields they add.
//!
//! It must not believe anybody else: what stands before the address of the last trusted proxy is
//! what its sender likes.

use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;

use super::Headers;

/// Elements of a forwarding chain that are walked; longer ones are made up to be long.
const MAX_HOPS: usize = 64;

/// The proxies whose word is taken.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TrustedProxies(pub Vec<IpNet>);

/// What the fields led to.
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
        self.0.iter().any(|net| net.contains(&address))
    }

    /// The client of a request that `peer` delivered: the last address of the chain that is not a
    /// trusted proxy's, or as near to it as the chain can be read.
    pub(super) fn client(&self, peer: IpAddr, headers: &Headers) -> Identity {
        let mut identity = Identity { client: peer.to_canonical(), garbage: false };
        if !self.has(peer) {
            return identity;
        }
        for hop in hops(headers).take(MAX_HOPS) {
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

/// The addresses of the chain, nearest first: of `Forwarded` (RFC 7239) if it is there, else of
/// `X-Forwarded-For`, else of a field that names the client alone. `None` for what is no address.
fn hops(headers: &Headers) -> Box<dyn Iterator<Item = Option<IpAddr>> + '_> {
    let chain = |name: &'static str| {
        let lines: Vec<&[u8]> = headers.all(name).collect();
        lines.into_iter().rev().flat_map(|line| split(line, b',').into_iter().rev())
    };
    if headers.first("forwarded").is_some() {
        return Box::new(chain("forwarded").map(|element| address(forwarded_for(element)?)));
    }
    if headers.first("x-forwarded-for").is_some() {
        return Box::new(chain("x-forwarded-for").map(address));
    }
    let alone = headers.first("true-client-ip").or_else(|| headers.first("x-real-ip"));
    Box::new(alone.into_iter().map(address))
}

/// The `for` parameter of an element of `Forwarded`.
fn forwarded_for(element: &[u8]) -> Option<&[u8]> {
    split(element, b';').into_iter().find_map(|pair| {
        let at = pair.iter().position(|octet| *octet == b'=')?;
        let (name, value) = (pair[..at].trim_ascii(), pair[at + 1..].trim_ascii());
        name.eq_ignore_ascii_case(b"for").then_some(value)
    })
}

/// Parts between separators that stand outside quotes.
fn split(text: &[u8], separator: u8) -> Vec<&[u8]> {
    let mut quoted = false;
    text.split(move |octet| {
        quoted ^= *octet == b'"';
        !quoted && *octet == separator
    })
    .collect()
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
    use crate::http::Headers;
    use crate::http::head::range;

    fn headers(fields: &[(&'static str, &str)]) -> Headers {
        let head: String =
            fields.iter().map(|(name, value)| format!("{name}\0{value}\0")).collect();
        let head = Bytes::from(head);
        let parts: Vec<&[u8]> = head.split(|octet| *octet == 0).collect();
        let ranges = parts.chunks_exact(2).map(|f| (range(&head, f[0]), range(&head, f[1])));
        let ranges = ranges.collect();
        Headers::new(head.clone(), ranges)
    }

    #[track_caller]
    fn check(peer: &str, fields: &[(&'static str, &str)], client: &str, garbage: bool) {
        let nets = ["10.0.0.0/8", "2001:db8:1::/48"].map(|net| net.parse().unwrap());
        let identity =
            TrustedProxies(nets.to_vec()).client(peer.parse().unwrap(), &headers(fields));
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
    }

    #[test]
    fn forwarded_goes_before_the_fields_it_replaced() {
        let forwarded = |chain| [("X-Forwarded-For", "1.1.1.1"), ("Forwarded", chain)];
        check(
            "10.0.0.1",
            &forwarded("for=192.0.2.1;proto=https, For=10.0.0.2"),
            "192.0.2.1",
            false,
        );
        check("10.0.0.1", &forwarded("by=\"a,b;c\";for=\"[2001:db8::7]:9\""), "2001:db8::7", false);
        check("10.0.0.1", &forwarded("for=192.0.2.1, for=_hidden"), "10.0.0.1", true);
        check("10.0.0.1", &forwarded("proto=https"), "10.0.0.1", true);
    }

    #[test]
    fn fields_that_name_the_client_alone_come_last() {
        check("10.0.0.1", &[("X-Real-IP", "192.0.2.1")], "192.0.2.1", false);
        let both = [("X-Real-IP", "192.0.2.1"), ("True-Client-IP", "192.0.2.2")];
        check("2001:db8:1::5", &both, "192.0.2.2", false);
        check("10.0.0.1", &[("X-Real-IP", "nobody")], "10.0.0.1", true);
    }
}
