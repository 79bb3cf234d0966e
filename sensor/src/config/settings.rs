//! Every setting with its default; the doc comments are the manual, in the sample and the schema.
//!
//! It must not know files, lines or how a mistake is reported.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::codes::StatusCodes;
use super::endpoint::Endpoint;
use super::fields::{self, DurationText, NetworkText, Port, SizeText};
use super::provider::Provider;

const MIB: u32 = 1 << 20;

/// The settings of a sensor. Unlike in a file, nothing is left open here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Whether bans and limits drop packets. While false they are only recorded and counted as
    /// what would have been dropped.
    pub enforce: bool,
    /// The network interfaces to watch, by name, for example `["eth0"]`.
    pub interfaces: Vec<String>,
    /// The TCP ports that receive webhooks, for example `[80, 8080]`.
    #[serde(deserialize_with = "fields::ports")]
    #[schemars(with = "BTreeSet<Port>")]
    pub ports: BTreeSet<u16>,
    /// The directory for what has to outlive a restart: which deliveries were seen, by hashes of
    /// their identifiers, and how often deliveries come. "" keeps nothing.
    pub state_dir: PathBuf,
    /// Files of the networks that providers send from, apart because they move, for example
    /// `["/etc/hooksensor/networks/github.toml"]`. Networks of a `[[provider]]` stand before them.
    pub network_lists: Vec<PathBuf>,
    /// What happens in the kernel, and how much memory it may take there.
    pub kernel: Kernel,
    /// What a source may send. What is over that is dropped in the kernel at once.
    pub limit: Limit,
    /// When a source is banned by itself, and for how long.
    pub ban: Ban,
    /// Sources that nothing can limit or ban.
    pub protect: Protect,
    /// How connections are followed and HTTP is read.
    pub http: Http,
    /// Where delivery records go.
    pub output: Output,
    /// How the other verbs of this program reach the agent.
    pub control: Control,
    /// The Prometheus endpoint.
    pub metrics: Metrics,
    /// What the agent says about itself, on standard error.
    pub log: Log,
    /// A named part of a port, which stands in each of its records. The longest prefix wins.
    #[serde(rename = "endpoint")]
    pub endpoints: Vec<Endpoint>,
    /// A sender of webhooks besides the built-in ones, or what is other of one of the same name.
    #[serde(rename = "provider")]
    pub providers: Vec<Provider>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            enforce: false,
            interfaces: Vec::new(),
            ports: BTreeSet::new(),
            state_dir: "/var/lib/hooksensor".into(),
            network_lists: Vec::new(),
            kernel: Kernel::default(),
            limit: Limit::default(),
            ban: Ban::default(),
            protect: Protect::default(),
            http: Http::default(),
            output: Output::default(),
            control: Control::default(),
            metrics: Metrics::default(),
            log: Log::default(),
            endpoints: Vec::new(),
            providers: Vec::new(),
        }
    }
}

/// Settings of the kernel programs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Kernel {
    /// Where packets are met: "native" by XDP in the driver, "generic" by XDP in the network stack,
    /// "tc" behind XDP, or "auto": the first of these that the interface has to give.
    pub xdp_mode: XdpMode,
    /// Size of each ring buffer between the kernel and the agent: a power of two, at least 64KiB.
    #[serde(with = "fields::size")]
    #[schemars(with = "SizeText")]
    pub ring_bytes: u32,
    /// Threads that understand traffic, each with a ring buffer. Connections are shared out among
    /// them by the client's address. 0 is one for every four processors, and eight at most.
    pub shards: u32,
    /// Payload copied up from a segment at most. 65535 is all of it.
    #[serde(with = "fields::size")]
    #[schemars(with = "SizeText")]
    pub payload_bytes: u32,
    /// Copy up one connection in this many. 1 is every connection; counting is exact at any value.
    /// While the agent cannot keep up, fewer are copied up for as long.
    pub sample_one_in: u32,
    /// Addresses and networks whose connections are copied up at any rate, for example
    /// `["192.0.2.0/24"]`. Those of sources that are new or get errors are in any case.
    #[serde(deserialize_with = "fields::networks")]
    #[schemars(with = "Vec<NetworkText>")]
    pub follow: Vec<IpNet>,
    /// Bans of single addresses that can be in force at once.
    pub max_bans: u32,
    /// Bans of networks that can be in force at once.
    pub max_cidr_bans: u32,
    /// Sources whose rate is tracked at once. The longest unseen makes room for a new one.
    pub max_sources: u32,
    /// Directory on a BPF file system for what outlives the agent: bans and counters.
    pub pin_path: PathBuf,
    /// Whether the programs stay attached when the agent is stopped, so that a restart leaves no
    /// gap. Bans then go on, and expire; `hooksensor detach` removes everything.
    pub stay_attached: bool,
}

impl Default for Kernel {
    fn default() -> Self {
        Self {
            xdp_mode: XdpMode::Auto,
            ring_bytes: 8 * MIB,
            shards: 0,
            payload_bytes: 65_535,
            sample_one_in: 1,
            follow: Vec::new(),
            max_bans: 100_000,
            max_cidr_bans: 10_000,
            max_sources: 65_536,
            pin_path: "/sys/fs/bpf/hooksensor".into(),
            stay_attached: true,
        }
    }
}

/// Where the ingress program runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum XdpMode {
    /// The first of the others that the interface has to give.
    #[default]
    Auto,
    /// In the driver, before a socket buffer exists.
    Native,
    /// In the network stack, for drivers without XDP.
    Generic,
    /// As a classifier of the network stack, beside another XDP program.
    Tc,
}

/// The limits of a source, which is an address or the network that one host has all of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Limit {
    /// Packets a second from one source to one port. 0 turns the limit off.
    pub packets_per_second: u64,
    /// Packets a source may send at once before the limit holds it back; at least ten
    /// milliseconds' worth of its rate, whatever is written here.
    pub burst: u64,
    /// Connections a second that one source may open to one port. 0 turns the limit off.
    pub connections_per_second: u64,
    /// Connections a source may open at once before that limit holds it back.
    pub connection_burst: u64,
    /// HTTP requests a second from one source to one port, over all its connections. 0 turns the
    /// limit off.
    pub requests_per_second: u64,
    /// Requests a source may send at once before that limit holds it back.
    pub request_burst: u64,
    /// Sources a second that one port may see for the first time. It bounds what a flood from
    /// made-up addresses can do to the memory of known ones. 0 turns the limit off.
    pub new_sources_per_second: u64,
    /// New sources that may come at once before that limit holds others back.
    pub new_source_burst: u64,
    /// The part of an IPv4 address that makes a source, as a prefix length.
    pub source_v4: u8,
    /// The part of an IPv6 address that makes a source, as a prefix length.
    pub source_v6: u8,
}

impl Default for Limit {
    fn default() -> Self {
        Self {
            packets_per_second: 50_000,
            burst: 50_000,
            connections_per_second: 0,
            connection_burst: 1_000,
            requests_per_second: 0,
            request_burst: 1_000,
            new_sources_per_second: 20_000,
            new_source_burst: 20_000,
            source_v4: 32,
            source_v6: 64,
        }
    }
}

/// Automatic bans.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Ban {
    /// How long a source stays over its limit before it is banned; one that never completed a
    /// handshake, whose address may be made up, is only told of. "0s" does neither.
    #[serde(with = "fields::duration")]
    #[schemars(with = "DurationText")]
    pub over_limit_for: Duration,
    /// Failed requests of a source within the window that ban it. 0 never bans for them.
    pub failures: u32,
    /// The window in which failed requests are counted.
    #[serde(with = "fields::duration")]
    #[schemars(with = "DurationText")]
    pub window: Duration,
    /// The response codes that count as failed: codes ("401" or 401), ranges ("500-599") or classes
    /// ("4xx"). The default names what a sender got wrong; our own 5xx do not count.
    pub codes: StatusCodes,
    /// How long an automatic ban lasts.
    #[serde(with = "fields::duration")]
    #[schemars(with = "DurationText")]
    pub duration: Duration,
    /// The longest any ban may last, also one made by hand.
    #[serde(with = "fields::duration")]
    #[schemars(with = "DurationText")]
    pub max_duration: Duration,
    /// The widest IPv4 network a ban may cover, as a prefix length.
    pub widest_v4: u8,
    /// The widest IPv6 network a ban may cover, as a prefix length.
    pub widest_v6: u8,
    /// Automatic bans a minute at most, so that a mistaken rule cannot ban everybody.
    pub per_minute: u32,
}

impl Default for Ban {
    fn default() -> Self {
        Self {
            over_limit_for: Duration::from_secs(5),
            failures: 50,
            window: Duration::from_secs(60),
            codes: StatusCodes::default(),
            duration: Duration::from_hours(1),
            max_duration: Duration::from_hours(7 * 24),
            widest_v4: 16,
            widest_v6: 32,
            per_minute: 60,
        }
    }
}

/// The protected set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Protect {
    /// Addresses and networks to protect, for example `["192.0.2.7", "2001:db8::/32"]`.
    #[serde(deserialize_with = "fields::networks")]
    #[schemars(with = "Vec<NetworkText>")]
    pub addresses: Vec<IpNet>,
    /// The ports of SSH on this host. Peers of the sessions on them are protected.
    #[serde(deserialize_with = "fields::ports")]
    #[schemars(with = "BTreeSet<Port>")]
    pub ssh_ports: BTreeSet<u16>,
    /// Whether to protect this host's own addresses, its gateways and resolvers, and the peers of
    /// established SSH sessions.
    pub host: bool,
}

impl Default for Protect {
    fn default() -> Self {
        Self { addresses: Vec::new(), ssh_ports: BTreeSet::from([22]), host: true }
    }
}

/// Bounds of reassembly and parsing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Http {
    /// Connections followed at once. The longest idle makes room for a new one, and is counted.
    /// Each shard has an equal part of them, so one client, a proxy for example, has that of one
    /// shard.
    pub max_flows: usize,
    /// Memory for octets that wait for missing ones, over all connections, an equal part for each
    /// shard; and as much again for bodies that are kept while they arrive, to check their
    /// signatures: of that, every shard may take what is left, and one client a half with a single
    /// body, a quarter with several.
    #[serde(with = "fields::size")]
    #[schemars(with = "SizeText")]
    pub memory: usize,
    /// How long a connection that both sides hold open may be silent before it is no longer
    /// followed. A host with TCP keep-alive asks its peer after 2h by default, which is no silence.
    /// One that a side has ended, or that was seen of one side only, is followed for 2m at most;
    /// where `max_flows` are open, those go first that were silent longest.
    #[serde(with = "fields::duration")]
    #[schemars(with = "DurationText")]
    pub idle_timeout: Duration,
    /// Whether records carry the SHA-256 of the request body.
    pub body_sha256: bool,
    /// Proxies in front of this host, for example `["192.0.2.0/24"]`. From these alone the client's
    /// address is taken, from PROXY protocol or from `client_header`, and they cannot be banned.
    #[serde(deserialize_with = "fields::networks")]
    #[schemars(with = "Vec<NetworkText>")]
    pub trusted_proxies: Vec<IpNet>,
    /// The field in which those proxies write the client's address: "x-forwarded-for",
    /// "forwarded", "x-real-ip", "true-client-ip" or "none". Any other is the client's own, and
    /// says whatever it likes: name only what the proxies set themselves.
    pub client_header: ClientHeader,
}

impl Default for Http {
    fn default() -> Self {
        Self {
            max_flows: 65_536,
            memory: 64 << 20,
            idle_timeout: Duration::from_hours(3),
            body_sha256: false,
            trusted_proxies: Vec::new(),
            client_header: ClientHeader::XForwardedFor,
        }
    }
}

/// The field in which trusted proxies name the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum ClientHeader {
    /// A list to which each proxy appends its peer.
    #[default]
    XForwardedFor,
    /// The same with parameters (RFC 7239).
    Forwarded,
    /// The client alone, as nginx and others are configured to write it.
    XRealIp,
    /// The client alone, as content delivery networks write it.
    TrueClientIp,
    /// None: the proxies forward TCP, or speak PROXY protocol.
    None,
}

/// Where records go.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Output {
    /// Whether to write records to standard output, one JSON object a line.
    pub stdout: bool,
    /// A file of records, one JSON object a line.
    pub file: FileOutput,
}

/// The file of records and its rotation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct FileOutput {
    /// Whether to write the file.
    pub enabled: bool,
    /// Where it is. Its directory is created when missing.
    pub path: PathBuf,
    /// Size at which the file is set aside under its name and a number, 1 being the newest.
    #[serde(with = "fields::size")]
    #[schemars(with = "SizeText")]
    pub max_bytes: u64,
    /// Files set aside that are kept.
    pub keep: u32,
}

impl Default for FileOutput {
    fn default() -> Self {
        Self {
            enabled: true,
            path: "/var/log/hooksensor/deliveries.jsonl".into(),
            max_bytes: 100 << 20,
            keep: 5,
        }
    }
}

/// The control socket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Control {
    /// Path of the unix socket. Its owner and group may use it.
    pub socket: PathBuf,
}

impl Default for Control {
    fn default() -> Self {
        Self { socket: "/run/hooksensor/control.sock".into() }
    }
}

/// The Prometheus endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Metrics {
    /// Whether to serve /metrics and /healthz.
    pub enabled: bool,
    /// Address and port to serve them on.
    #[serde(deserialize_with = "fields::socket_address")]
    pub listen: SocketAddr,
    /// Whether that address may be other than loopback. The endpoint has no authentication.
    pub allow_remote: bool,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            enabled: true,
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 10_477)),
            allow_remote: false,
        }
    }
}

/// The agent's own log.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// The least severe messages to print: "error", "warn", "info", "debug" or "trace".
    pub level: LogLevel,
    /// How they are printed: "text" for people, "json" for programs.
    pub format: LogFormat,
}

/// Severity of log messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum LogLevel {
    /// Something failed.
    Error,
    /// Something may fail.
    Warn,
    /// What an operator wants to know.
    #[default]
    Info,
    /// What a developer wants to know.
    Debug,
    /// Everything.
    Trace,
}

/// Layout of log messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum LogFormat {
    /// A line a person can read.
    #[default]
    Text,
    /// A JSON object a line.
    Json,
}
