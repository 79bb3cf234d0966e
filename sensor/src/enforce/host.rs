//! What this host must never ban: its own addresses, gateways, resolvers, and those who are
//! logged in over SSH.
//!
//! It must not know what is decided about any of them. What cannot be read is logged, and stays as
//! it was last read: nobody may lose protection because of one failed read.

use std::collections::BTreeSet;
use std::fs;
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::time::Instant;

use anyhow::{Context as _, Result};
use ipnet::IpNet;
use nix::ifaddrs::getifaddrs;
use nix::sys::socket::SockaddrStorage;
use procfs::ProcError;
use procfs::net::{TcpNetEntry, TcpState};

use super::sessions::Sessions;
use crate::config::Config;
use crate::decide::{Protected, Why};

const RESOLVERS: &str = "/etc/resolv.conf";
const ROUTES_V6: &str = "/proc/net/ipv6_route";

/// `RTF_GATEWAY` (route.h).
const ROUTE_BY_GATEWAY: u32 = 2;

/// Addresses, and why each is protected.
type Entries = Vec<(IpNet, Why)>;

/// This host as it is looked at again and again.
#[derive(Debug, Default)]
pub struct Host {
    addresses: Last<Entries>,
    gateways_v4: Last<Entries>,
    gateways_v6: Last<Entries>,
    resolvers: Last<Entries>,
    connected: Last<Vec<SocketAddr>>,
    sessions: Sessions,
}

/// What was read when it last could be.
#[derive(Debug, Default)]
struct Last<T> {
    found: T,
    is_failing: bool,
}

impl Host {
    /// The protected set as the configuration wants it and the host is now.
    pub fn protected(&mut self, config: &Config) -> Protected {
        let mut entries = configured(config);
        if config.protect.host {
            entries.extend(loopback());
            entries.extend_from_slice(self.addresses.after("addresses", own_addresses()));
            entries.extend_from_slice(self.gateways_v4.after("IPv4 gateways", gateways_v4()));
            entries.extend_from_slice(self.gateways_v6.after("IPv6 gateways", gateways_v6()));
            entries.extend_from_slice(self.resolvers.after("name servers", resolvers()));
            let connected = self.connected.after("SSH peers", ssh_peers(&config.protect.ssh_ports));
            let peers = self.sessions.update(connected, Instant::now());
            entries.extend(peers.into_iter().map(|peer| (peer.into(), Why::SshPeer)));
        }
        Protected::new(entries)
    }
}

impl<T> Last<T> {
    /// What stands after `read`. A failure is told when it begins, and not each time again.
    fn after(&mut self, what: &str, read: Result<T>) -> &T {
        match read {
            Ok(found) => *self = Self { found, is_failing: false },
            Err(error) if !self.is_failing => {
                tracing::warn!(
                    "this host's {what} are protected as they were last read: {error:#}"
                );
                self.is_failing = true;
            }
            Err(_) => {}
        }
        &self.found
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

fn own_addresses() -> Result<Entries> {
    let addresses = getifaddrs().context("cannot list them")?;
    Ok(addresses
        .filter_map(|one| {
            let address = address_of(&one.address?)?;
            Some((address.into(), Why::OwnAddress(one.interface_name)))
        })
        .filter(|(net, _): &(IpNet, Why)| !net.addr().is_loopback())
        .collect())
}

fn address_of(address: &SockaddrStorage) -> Option<IpAddr> {
    let v4 = address.as_sockaddr_in().map(|address| IpAddr::from(address.ip()));
    v4.or_else(|| address.as_sockaddr_in6().map(|address| IpAddr::from(address.ip())))
}

fn gateways_v4() -> Result<Entries> {
    let routes = procfs::net::route().context("cannot read the routes")?;
    Ok(routes
        .into_iter()
        .filter(|route| !route.gateway.is_unspecified())
        .map(|route| (IpAddr::from(route.gateway).into(), Why::Gateway(route.iface)))
        .collect())
}

fn gateways_v6() -> Result<Entries> {
    let routes = match fs::read_to_string(ROUTES_V6) {
        // A host without IPv6 has no such file, and no gateways there.
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        routes => routes.with_context(|| format!("cannot read {ROUTES_V6}"))?,
    };
    Ok(routes.lines().filter_map(gateway_of_route).collect())
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

fn resolvers() -> Result<Entries> {
    let text = fs::read_to_string(RESOLVERS).with_context(|| format!("cannot read {RESOLVERS}"))?;
    let addresses = text.lines().filter_map(resolver_of_line);
    Ok(addresses.map(|address| (address.into(), Why::Resolver)).collect())
}

/// The address of a `nameserver` line (resolv.conf(5)), without its zone.
fn resolver_of_line(line: &str) -> Option<IpAddr> {
    let mut words = line.split_ascii_whitespace();
    if words.next() != Some("nameserver") {
        return None;
    }
    words.next()?.split('%').next()?.parse().ok()
}

fn ssh_peers(ports: &BTreeSet<u16>) -> Result<Vec<SocketAddr>> {
    let connections = procfs::net::tcp().context("cannot read the connections")?;
    let connections_v6 = match procfs::net::tcp6() {
        Err(ProcError::NotFound(_)) => Vec::new(),
        connections => connections.context("cannot read the connections over IPv6")?,
    };
    Ok(connections
        .into_iter()
        .chain(connections_v6)
        .filter(|one: &TcpNetEntry| {
            one.state == TcpState::Established && ports.contains(&one.local_address.port())
        })
        .map(|one| one.remote_address)
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_read_stays_as_it_was() {
        let mut last = Last::<Vec<u8>>::default();
        assert!(last.after("x", Err(anyhow::anyhow!("no"))).is_empty(), "nothing was read yet");
        assert_eq!(last.after("x", Ok(vec![1, 2])), &[1, 2]);
        assert_eq!(last.after("x", Err(anyhow::anyhow!("no"))), &[1, 2]);
        assert!(last.is_failing);
        assert_eq!(last.after("x", Ok(Vec::new())), &[0_u8; 0], "and goes when it is gone");
        assert!(!last.is_failing);
    }

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
