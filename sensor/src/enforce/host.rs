//! What this host must never ban: its own addresses, gateways, resolvers, and those who are
//! logged in over SSH.
//!
//! It reads the host and decides nothing. What cannot be read is logged and left out.

use std::collections::BTreeSet;
use std::fs;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::time::Instant;

use ipnet::IpNet;
use nix::ifaddrs::getifaddrs;
use nix::sys::socket::SockaddrStorage;
use procfs::net::{TcpNetEntry, TcpState};

use super::sessions::Sessions;
use crate::config::Config;
use crate::decide::{Protected, Why};

const RESOLVERS: &str = "/etc/resolv.conf";
const ROUTES_V6: &str = "/proc/net/ipv6_route";

/// `RTF_GATEWAY` (route.h).
const ROUTE_BY_GATEWAY: u32 = 2;

/// This host as it is looked at again and again.
#[derive(Debug, Default)]
pub struct Host {
    sessions: Sessions,
}

impl Host {
    /// The protected set as the configuration wants it and the host is now.
    pub fn protected(&mut self, config: &Config) -> Protected {
        let mut entries = configured(config);
        if config.protect.host {
            entries.extend(loopback());
            entries.extend(own_addresses());
            entries.extend(gateways_v4());
            entries.extend(gateways_v6());
            entries.extend(resolvers());
            let connected = ssh_peers(&config.protect.ssh_ports);
            let peers = self.sessions.update(&connected, Instant::now());
            entries.extend(peers.into_iter().map(|peer| (peer.into(), Why::SshPeer)));
        }
        Protected::new(entries)
    }
}

/// What the configuration names: protected addresses, and proxies, whose address stands for all of
/// their clients'.
#[must_use]
pub fn configured(config: &Config) -> Vec<(IpNet, Why)> {
    let addresses = config.protect.addresses.iter().map(|net| (*net, Why::Configured));
    let proxies = config.http.trusted_proxies.iter().map(|net| (*net, Why::TrustedProxy));
    addresses.chain(proxies).collect()
}

fn loopback() -> [(IpNet, Why); 2] {
    let v4 = ipnet::Ipv4Net::new_assert([127, 0, 0, 0].into(), 8);
    [(v4.into(), Why::Loopback), (IpAddr::from(Ipv6Addr::LOCALHOST).into(), Why::Loopback)]
}

fn own_addresses() -> Vec<(IpNet, Why)> {
    let addresses = match getifaddrs() {
        Ok(addresses) => addresses,
        Err(error) => {
            tracing::warn!(%error, "this host's own addresses are not protected: cannot list them");
            return Vec::new();
        }
    };
    addresses
        .filter_map(|one| {
            let address = address_of(&one.address?)?;
            Some((address.into(), Why::OwnAddress(one.interface_name)))
        })
        .filter(|(net, _): &(IpNet, Why)| !net.addr().is_loopback())
        .collect()
}

fn address_of(address: &SockaddrStorage) -> Option<IpAddr> {
    let v4 = address.as_sockaddr_in().map(|address| IpAddr::from(address.ip()));
    v4.or_else(|| address.as_sockaddr_in6().map(|address| IpAddr::from(address.ip())))
}

fn gateways_v4() -> Vec<(IpNet, Why)> {
    match procfs::net::route() {
        Ok(routes) => routes
            .into_iter()
            .filter(|route| !route.gateway.is_unspecified())
            .map(|route| (IpAddr::from(route.gateway).into(), Why::Gateway(route.iface)))
            .collect(),
        Err(error) => {
            tracing::warn!(%error, "IPv4 gateways are not protected: cannot read the routes");
            Vec::new()
        }
    }
}

fn gateways_v6() -> Vec<(IpNet, Why)> {
    // A host without IPv6 has no such file, and no gateways there.
    let routes = fs::read_to_string(ROUTES_V6).unwrap_or_default();
    routes.lines().filter_map(gateway_of_route).collect()
}

/// A line of `/proc/net/ipv6_route`: destination, its length, source, its length, next hop,
/// metric, two counts, flags, interface; numbers in hexadecimal.
fn gateway_of_route(line: &str) -> Option<(IpNet, Why)> {
    let fields: Vec<_> = line.split_ascii_whitespace().collect();
    let [_, _, _, _, next_hop, _, _, _, flags, interface] = fields[..] else { return None };
    if u32::from_str_radix(flags, 16).ok()? & ROUTE_BY_GATEWAY == 0 {
        return None;
    }
    let address = Ipv6Addr::from_bits(u128::from_str_radix(next_hop, 16).ok()?);
    Some((IpAddr::from(address).into(), Why::Gateway(interface.to_owned())))
}

fn resolvers() -> Vec<(IpNet, Why)> {
    let text = match fs::read_to_string(RESOLVERS) {
        Ok(text) => text,
        Err(error) => {
            tracing::warn!(%error, "name servers are not protected: cannot read {RESOLVERS}");
            return Vec::new();
        }
    };
    text.lines()
        .filter_map(resolver_of_line)
        .map(|address| (address.into(), Why::Resolver))
        .collect()
}

/// The address of a `nameserver` line (resolv.conf(5)), without its zone.
fn resolver_of_line(line: &str) -> Option<IpAddr> {
    let mut words = line.split_ascii_whitespace();
    if words.next() != Some("nameserver") {
        return None;
    }
    words.next()?.split('%').next()?.parse().ok()
}

fn ssh_peers(ports: &BTreeSet<u16>) -> Vec<SocketAddr> {
    let connections = procfs::net::tcp().unwrap_or_else(|error| {
        tracing::warn!(%error, "SSH peers are not protected: cannot read the connections");
        Vec::new()
    });
    let connections = connections.into_iter().chain(procfs::net::tcp6().unwrap_or_default());
    connections
        .filter(|one: &TcpNetEntry| {
            one.state == TcpState::Established && ports.contains(&one.local_address.port())
        })
        .map(|one| one.remote_address)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resolvers_are_read_as_the_resolver_reads_them() {
        for (line, expected) in [
            ("nameserver 192.0.2.53", Some("192.0.2.53")),
            ("nameserver\tfe80::1%eth0 ", Some("fe80::1")),
            ("# nameserver 192.0.2.53", None),
            ("nameserver", None),
            ("search example.org", None),
        ] {
            let expected = expected.map(|text| text.parse::<IpAddr>().unwrap());
            assert_eq!(resolver_of_line(line), expected, "{line}");
        }
    }

    #[test]
    fn gateways_are_read_from_the_kernels_routes() {
        let zero = "0".repeat(32);
        let hop = "fe80000000000000000000000000000a";
        let with = format!("{zero} 00 {zero} 00 {hop} 00000400 00000001 00000000 00000003 eth0");
        let (net, why) = gateway_of_route(&with).unwrap();
        assert_eq!(net.to_string(), "fe80::a/128");
        assert_eq!(why, Why::Gateway(String::from("eth0")));
        let without = with.replace("00000003", "00000001");
        assert_eq!(gateway_of_route(&without), None);
        assert_eq!(gateway_of_route("short"), None);
    }

    #[test]
    fn a_trusted_proxy_is_protected_whatever_else_is() {
        let mut config = Config::default();
        config.protect.host = false;
        config.http.trusted_proxies = vec!["192.0.2.0/24".parse().unwrap()];
        let set = Host::default().protected(&config);
        let touched = set.touched_by(&"192.0.2.7/32".parse().unwrap());
        assert_eq!(touched.map(|(_, why)| why), Some(&Why::TrustedProxy));
    }

    #[test]
    fn this_host_protects_its_loopback_and_its_own_addresses() {
        let set = Host::default().protected(&Config::default());
        assert!(set.touched_by(&"127.0.0.1/32".parse().unwrap()).is_some());
        assert!(set.touched_by(&"0.0.0.0/0".parse().unwrap()).is_some());
        let mut off = Config::default();
        off.protect.host = false;
        assert!(Host::default().protected(&off).entries().is_empty());
    }
}
