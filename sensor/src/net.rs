//! Networks in their one form, and which addresses count as one host.
//!
//! Pure: it must not know why anyone asks.

use std::net::{IpAddr, Ipv4Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// Bits of an IPv4-mapped address before the IPv4 address (RFC 4291, section 2.5.5.2).
const MAPPED_BITS: u8 = 96;

/// The one form of a network: no bits below its prefix, and IPv4 as IPv4 also where it was written
/// as mapped into IPv6. The kernel sees only that form on the wire.
#[must_use]
pub fn canonical(net: IpNet) -> IpNet {
    let IpNet::V6(v6) = net else { return net.trunc() };
    match (v6.network().to_ipv4_mapped(), v6.prefix_len().checked_sub(MAPPED_BITS)) {
        (Some(v4), Some(length)) => Ipv4Net::new(v4, length).map_or(net.trunc(), IpNet::V4),
        _ => net.trunc(),
    }
}

/// The addresses one host may use at will: one in IPv4, a /64 in IPv6 (RFC 7934, section 6).
#[must_use]
pub fn one_host(address: IpAddr) -> IpNet {
    match address.to_canonical() {
        IpAddr::V4(v4) => IpAddr::V4(v4).into(),
        IpAddr::V6(v6) => Ipv6Net::new_assert(v6, 64).trunc().into(),
    }
}

/// Whether the address is one that only this site knows: then a proxy that is not trusted stands
/// between, and where a request came from is not known.
#[must_use]
pub fn is_local(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => {
            v4.is_private() || v4.is_loopback() || v4.is_link_local() || is_shared(v4)
        }
        IpAddr::V6(v6) => v6.is_unique_local() || v6.is_loopback() || v6.is_unicast_link_local(),
    }
}

/// Whether the address is of the space that carriers and clouds use inside, 100.64.0.0/10
/// (RFC 6598).
fn is_shared(address: Ipv4Addr) -> bool {
    matches!(address.octets(), [100, 64..128, ..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_has_one_form() {
        for (written, expected) in [
            ("192.0.2.7/32", "192.0.2.7/32"),
            ("192.0.2.7/24", "192.0.2.0/24"),
            ("::ffff:192.0.2.7/128", "192.0.2.7/32"),
            ("::ffff:192.0.2.7/120", "192.0.2.0/24"),
            ("::ffff:0.0.0.0/96", "0.0.0.0/0"),
            ("::/0", "::/0"),
            ("2001:db8::5/64", "2001:db8::/64"),
        ] {
            assert_eq!(canonical(written.parse().unwrap()).to_string(), expected, "{written}");
        }
    }

    #[test]
    fn a_host_has_one_address_or_one_subnet() {
        for (address, expected) in [
            ("192.0.2.7", "192.0.2.7/32"),
            ("::ffff:192.0.2.7", "192.0.2.7/32"),
            ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ] {
            assert_eq!(one_host(address.parse().unwrap()).to_string(), expected, "{address}");
        }
    }
}
