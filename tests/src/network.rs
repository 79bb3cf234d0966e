//! A server host and client hosts, each in a namespace, with a link between each client and the
//! server.
//!
//! It must not know what the hosts run. A link of its own for each client, and no bridge, means
//! that a frame the client's kernel accepted is a frame the server's interface sees: a flood can
//! be counted exactly.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use anyhow::Result;

use crate::namespace::{Namespace, ip};

/// The server's address, reachable from every client.
pub const SERVER_V4: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);

/// The server's address, reachable from every client.
pub const SERVER_V6: Ipv6Addr = Ipv6Addr::new(0xfd77, 0, 0, 0, 0, 0, 0, 1);

/// The interface of every client.
pub const CLIENT_INTERFACE: &str = "eth0";

/// Hardware address of the server's end of every link.
pub const SERVER_MAC: [u8; 6] = [0x02, 0x77, 0, 0, 0, 0x01];

/// The hosts and their links. Dropping it removes them.
#[derive(Debug)]
pub struct Network {
    /// The host under observation.
    pub server: Namespace,
    /// The hosts that talk to it.
    pub clients: Vec<Client>,
}

/// A client host.
#[derive(Debug)]
pub struct Client {
    /// Where it lives.
    pub namespace: Namespace,
    /// The server's interface towards it.
    pub server_interface: String,
    /// Its address.
    pub v4: Ipv4Addr,
    /// Its address.
    pub v6: Ipv6Addr,
    /// Hardware address of its interface.
    pub mac: [u8; 6],
}

impl Network {
    /// A server and `count` clients, at most 200.
    ///
    /// # Errors
    /// Without root, without `ip`, or where the kernel has no veth.
    pub fn new(count: u8) -> Result<Self> {
        let server = Namespace::new()?;
        let (v4, v6) = (format!("{SERVER_V4}/32"), format!("{SERVER_V6}/128"));
        ip(["-netns", server.name(), "address", "add", &v4, "dev", "lo"])?;
        ip(["-netns", server.name(), "address", "add", &v6, "dev", "lo", "nodad"])?;
        let clients = (1..=count).map(|number| Client::new(&server, number));
        let clients = clients.collect::<Result<_>>()?;
        Ok(Self { server, clients })
    }

    /// The server's interfaces, one towards each client.
    #[must_use]
    pub fn interfaces(&self) -> Vec<String> {
        self.clients.iter().map(|client| client.server_interface.clone()).collect()
    }
}

impl Client {
    fn new(server: &Namespace, number: u8) -> Result<Self> {
        let namespace = Namespace::new()?;
        let client = Self {
            namespace,
            server_interface: format!("link{number}"),
            v4: Ipv4Addr::new(10, 77, number, 2),
            v6: Ipv6Addr::new(0xfd77, number.into(), 0, 0, 0, 0, 0, 2),
            mac: [0x02, 0x77, 0, 0, number, 0x02],
        };
        client.connect(server, number)?;
        Ok(client)
    }

    /// Its address of the same family as `other`.
    #[must_use]
    pub fn address_like(&self, other: IpAddr) -> IpAddr {
        match other {
            IpAddr::V4(_) => self.v4.into(),
            IpAddr::V6(_) => self.v6.into(),
        }
    }

    fn connect(&self, server: &Namespace, number: u8) -> Result<()> {
        let (ours, theirs) = (self.namespace.name(), server.name());
        let link = self.server_interface.as_str();
        let (mac, server_mac) = (text(self.mac), text(SERVER_MAC));
        let near_v4 = format!("{}/24", self.v4);
        let near_v6 = format!("{}/64", self.v6);
        let far_v4 = Ipv4Addr::new(10, 77, number, 1).to_string();
        let far_v6 = Ipv6Addr::new(0xfd77, number.into(), 0, 0, 0, 0, 0, 1).to_string();
        #[rustfmt::skip]
        let commands = [
            format!("link add {CLIENT_INTERFACE} address {mac} netns {ours} type veth \
                     peer {link} address {server_mac} netns {theirs}"),
            format!("-netns {theirs} address add {far_v4}/24 dev {link}"),
            format!("-netns {theirs} address add {far_v6}/64 dev {link} nodad"),
            format!("-netns {theirs} link set {link} up"),
            format!("-netns {ours} address add {near_v4} dev {CLIENT_INTERFACE}"),
            format!("-netns {ours} address add {near_v6} dev {CLIENT_INTERFACE} nodad"),
            format!("-netns {ours} link set {CLIENT_INTERFACE} up"),
            format!("-netns {ours} route add default via {far_v4}"),
            format!("-netns {ours} -6 route add default via {far_v6}"),
        ];
        commands.iter().try_for_each(|command| ip(command.split_whitespace()))
    }
}

fn text(mac: [u8; 6]) -> String {
    mac.map(|octet| format!("{octet:02x}")).join(":")
}
