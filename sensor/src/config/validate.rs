//! What the type of a single setting cannot say: bounds, and settings that must fit each other.
//!
//! It must not know TOML.

use std::collections::BTreeSet;
use std::path::Path;

use hooksensor_ebpf::abi::{MAX_PORTS, MAX_SHARDS};

use super::endpoint::MAX_RECORD_BODY;
use super::provider::{Algorithm, Provider, built_in_providers};
use super::settings::{Ban, Config, Http, Kernel, Limit, Output};
use super::source::Source;
use super::template::Part;
use super::units::format_duration;

/// The smallest ring that holds a few segments of the largest size.
const MIN_RING_BYTES: u32 = 64 << 10;
/// The largest payload a segment can have: the IP length field has 16 bits.
const MAX_PAYLOAD_BYTES: u32 = 65_535;
/// Longest name of a network interface: `IFNAMSIZ` of the kernel without the final NUL.
const MAX_INTERFACE_NAME: usize = 15;
/// Longest path of a unix socket: `sun_path` of the kernel without the final NUL.
const MAX_SOCKET_PATH: usize = 107;
/// Less reassembly memory than this could not hold the head of a single request beside others.
const MIN_HTTP_MEMORY: usize = 1 << 20;
/// A file of records smaller than this would be set aside every few records.
const MIN_FILE_BYTES: u64 = 64 << 10;

/// Entries that a map of the kernel can be asked to hold: at two hundred octets each they are 3
/// GiB.
const MAX_ENTRIES: u32 = 1 << 24;
/// Files set aside that can be kept: every rotation renames each of them, while records wait.
const MAX_KEPT: u32 = 1000;

/// A setting that is refused: its key and what is wrong with it.
pub(super) struct Refusal {
    pub(super) key: String,
    pub(super) message: String,
}

/// Prefixes that can be protected by configuration: what the kernel's table holds, less room for
/// what is found on the host.
const MAX_PROTECTED: usize = 3500;

/// Networks that can be followed: the kernel's map of them holds 4096.
const MAX_FOLLOWED: usize = 4096;

/// Everything that is wrong with `config`.
pub(super) fn validate(config: &Config) -> Vec<Refusal> {
    let mut check = Check::default();
    check.interfaces(&config.interfaces);
    check.that(config.ports.len() <= MAX_PORTS, "ports", || {
        format!("{} ports are too many; the most is {MAX_PORTS}", config.ports.len())
    });
    let followed = config.kernel.follow.len();
    check.that(followed <= MAX_FOLLOWED, "kernel.follow", || {
        format!(
            "{followed} networks are too many; the most is {MAX_FOLLOWED}, so join them into wider ones"
        )
    });
    let protected = config.protect.addresses.len() + config.http.trusted_proxies.len();
    check.that(protected <= MAX_PROTECTED, "protect.addresses", || {
        format!(
            "{protected} addresses and trusted proxies are too many; the most is {MAX_PROTECTED}, \
             so join them into networks"
        )
    });
    check.kernel(&config.kernel);
    check.limit(&config.limit);
    check.ban(&config.ban);
    check.http(&config.http);
    check.endpoints(config);
    check.providers(&config.providers);
    check.output(&config.output);
    if !config.state_dir.as_os_str().is_empty() {
        check.absolute(&config.state_dir, "state_dir");
    }
    for (index, path) in config.network_lists.iter().enumerate() {
        check.absolute(path, &format!("network_lists[{index}]"));
    }
    check.socket(&config.control.socket);
    let metrics = &config.metrics;
    check.that(metrics.listen.ip().is_loopback() || metrics.allow_remote, "metrics.listen", || {
        format!(
            "{} is not a loopback address, and the endpoint has no authentication; write \
             127.0.0.1, or allow it with allow_remote = true",
            metrics.listen.ip()
        )
    });
    check.refusals
}

/// What `run` needs beyond valid settings: something to watch.
pub(super) fn validate_watch(config: &Config) -> Vec<Refusal> {
    let mut check = Check::default();
    check.that(!config.interfaces.is_empty(), "interfaces", || {
        "no network interface to watch; write interfaces = [\"eth0\"] or give --interface eth0"
            .to_owned()
    });
    check.that(!config.ports.is_empty(), "ports", || {
        "no port to watch; write ports = [8080] or give --port 8080".to_owned()
    });
    check.refusals
}

#[derive(Default)]
struct Check {
    refusals: Vec<Refusal>,
}

impl Check {
    fn that(&mut self, holds: bool, key: &str, message: impl FnOnce() -> String) {
        if !holds {
            self.refusals.push(Refusal { key: key.to_owned(), message: message() });
        }
    }

    fn absolute(&mut self, path: &Path, key: &str) {
        self.that(path.is_absolute(), key, || {
            format!("{} is not an absolute path; begin it with /", path.display())
        });
    }

    fn interfaces(&mut self, names: &[String]) {
        let mut seen = BTreeSet::new();
        for (index, name) in names.iter().enumerate() {
            let key = format!("interfaces[{index}]");
            let fits = (1..=MAX_INTERFACE_NAME).contains(&name.len());
            let clean = !name.contains(|c: char| c == '/' || c.is_whitespace() || c.is_control());
            self.that(fits && clean, &key, || {
                format!("{name:?} cannot be the name of an interface; `ip link` lists them")
            });
            self.that(seen.insert(name), &key, || format!("{name:?} is there twice; remove one"));
        }
    }

    fn kernel(&mut self, kernel: &Kernel) {
        let ring = kernel.ring_bytes;
        self.that(ring.is_power_of_two() && ring >= MIN_RING_BYTES, "kernel.ring_bytes", || {
            format!("{ring} octets; write a power of two that is at least 64KiB, as in \"8MiB\"")
        });
        let shards = kernel.shards;
        self.that(shards as usize <= MAX_SHARDS, "kernel.shards", || {
            format!(
                "{shards} is out of range; write 1 to {MAX_SHARDS}, or 0 to let the agent choose"
            )
        });
        let payload = kernel.payload_bytes;
        self.that((1..=MAX_PAYLOAD_BYTES).contains(&payload), "kernel.payload_bytes", || {
            format!("{payload} is out of range; write 1 to {MAX_PAYLOAD_BYTES}")
        });
        self.that(kernel.sample_one_in > 0, "kernel.sample_one_in", || {
            "0 is out of range; write at least 1".to_owned()
        });
        for (entries, key) in [
            (kernel.max_bans, "kernel.max_bans"),
            (kernel.max_cidr_bans, "kernel.max_cidr_bans"),
            (kernel.max_sources, "kernel.max_sources"),
        ] {
            self.that((1..=MAX_ENTRIES).contains(&entries), key, || {
                format!("{entries} is out of range; write 1 to {MAX_ENTRIES}")
            });
        }
        self.absolute(&kernel.pin_path, "kernel.pin_path");
    }

    fn limit(&mut self, limit: &Limit) {
        for (rate, burst, rate_key, key) in [
            (limit.packets_per_second, limit.burst, "packets_per_second", "burst"),
            (
                limit.connections_per_second,
                limit.connection_burst,
                "connections_per_second",
                "connection_burst",
            ),
            (
                limit.requests_per_second,
                limit.request_burst,
                "requests_per_second",
                "request_burst",
            ),
            (
                limit.new_sources_per_second,
                limit.new_source_burst,
                "new_sources_per_second",
                "new_source_burst",
            ),
        ] {
            self.that(burst > 0 || rate == 0, &format!("limit.{key}"), || {
                format!(
                    "0 lets nothing through; write at least 1, or turn the limit off with \
                     {rate_key} = 0"
                )
            });
        }
        self.prefix(limit.source_v4, 32, "limit.source_v4");
        self.prefix(limit.source_v6, 128, "limit.source_v6");
    }

    fn ban(&mut self, ban: &Ban) {
        self.that(!ban.duration.is_zero(), "ban.duration", || {
            "a ban must last; write a duration as in \"1h\"".to_owned()
        });
        self.that(ban.duration <= ban.max_duration, "ban.duration", || {
            format!(
                "{} is longer than max_duration, {}; lower the one or raise the other",
                format_duration(ban.duration),
                format_duration(ban.max_duration)
            )
        });
        self.that(!ban.window.is_zero() || ban.failures == 0, "ban.window", || {
            "nothing fails within no time; write a duration as in \"60s\", or failures = 0"
                .to_owned()
        });
        self.that(!ban.codes.is_empty() || ban.failures == 0, "ban.codes", || {
            "no code counts as failed; name some, as in [\"401\"], or write failures = 0".to_owned()
        });
        self.prefix(ban.widest_v4, 32, "ban.widest_v4");
        self.prefix(ban.widest_v6, 128, "ban.widest_v6");
    }

    fn prefix(&mut self, length: u8, longest: u8, key: &str) {
        self.that((1..=longest).contains(&length), key, || {
            format!("{length} is out of range; a prefix length here is 1 to {longest}")
        });
    }

    fn http(&mut self, http: &Http) {
        self.that(http.max_flows > 0, "http.max_flows", || {
            "0 is out of range; write at least 1".to_owned()
        });
        self.that(http.memory >= MIN_HTTP_MEMORY, "http.memory", || {
            format!("{} octets are too few; write at least \"1MiB\"", http.memory)
        });
        self.that(!http.idle_timeout.is_zero(), "http.idle_timeout", || {
            "every connection would be dropped at once; write a duration as in \"3h\"".to_owned()
        });
    }

    fn endpoints(&mut self, config: &Config) {
        let mut names = BTreeSet::new();
        for (index, endpoint) in config.endpoints.iter().enumerate() {
            let key = |field| format!("endpoint[{index}].{field}");
            self.that(!endpoint.name.is_empty(), &key("name"), || {
                "an endpoint needs a name that records can carry".to_owned()
            });
            self.that(names.insert(&endpoint.name), &key("name"), || {
                format!(
                    "{:?} is the name of another endpoint; choose one of its own",
                    endpoint.name
                )
            });
            self.that(endpoint.path_prefix.starts_with('/'), &key("path_prefix"), || {
                format!("{:?} matches no path; begin it with /", endpoint.path_prefix)
            });
            // Without ports in the file they come from the command line, which is not known here.
            let watched = config.ports.is_empty() || config.ports.contains(&endpoint.port);
            self.that(watched, &key("port"), || {
                format!("{} is not watched; add it to ports at the top", endpoint.port)
            });
            let known = || config.providers.iter().chain(built_in_providers());
            let provider = &endpoint.provider;
            let is_known = provider.is_empty() || known().any(|known| known.name == *provider);
            self.that(is_known, &key("provider"), || {
                let names: Vec<&str> = known().map(|known| known.name.as_str()).collect();
                format!(
                    "{provider:?} is not known; write a [[provider]], or one of {}",
                    names.join(", ")
                )
            });
            self.that(endpoint.record_body <= MAX_RECORD_BODY, &key("record_body"), || {
                format!(
                    "{} octets make records too long; write at most \"64KiB\"",
                    endpoint.record_body
                )
            });
            for (event, path) in &endpoint.schemas {
                self.absolute(path, &format!("{}.{event}", key("schemas")));
            }
            let url = &endpoint.public_url;
            let is_url =
                url.is_empty() || url.starts_with("https://") || url.starts_with("http://");
            self.that(is_url, &key("public_url"), || {
                format!("{url:?} is no URL; write it as the provider knows it, with https://")
            });
        }
    }

    fn providers(&mut self, providers: &[Provider]) {
        let mut names = BTreeSet::new();
        for (index, provider) in providers.iter().enumerate() {
            let key = |field: &str| format!("provider[{index}].{field}");
            let is_new = !provider.name.is_empty() && names.insert(&provider.name);
            self.that(is_new, &key("name"), || {
                format!("{:?} is empty or there twice; a provider needs its own", provider.name)
            });
            let mut marks = provider.recognise.iter();
            let by_header = marks.all(|mark| matches!(mark.source, Source::Header(_)));
            self.that(by_header, &key("recognise"), || {
                "a provider is told by headers, because bodies are kept only where one is known; \
                 write \"header NAME\""
                    .to_owned()
            });
            let is_dated = provider.networks_as_of.parse::<jiff::civil::Date>().is_ok();
            self.that(is_dated || provider.networks.is_empty(), &key("networks"), || {
                "networks move, and who reads of one that sent from outside them has to know how \
                 old they are; write networks_as_of = \"2026-11-01\""
                    .to_owned()
            });
            for (index, scheme) in provider.signature.iter().enumerate() {
                let key = |field| key(&format!("signature[{index}].{field}"));
                self.that(scheme.separator.len() <= 1, &key("separator"), || {
                    format!("{:?} is longer than one octet", scheme.separator)
                });
                let has_secret = scheme.signed.0.contains(&Part::Secret);
                self.that(has_secret == (scheme.algorithm == Algorithm::Sha256), &key("signed"), || {
                    "{secret} stands in what \"sha256\" is of, which anybody could make without it, \
                     and in nothing else"
                        .to_owned()
                });
            }
        }
    }

    fn output(&mut self, output: &Output) {
        let file = &output.file;
        self.absolute(&file.path, "output.file.path");
        self.that(file.path.file_name().is_some(), "output.file.path", || {
            format!("{:?} does not name a file; write a path that ends in a name", file.path)
        });
        self.that(file.max_bytes >= MIN_FILE_BYTES, "output.file.max_bytes", || {
            format!("{} octets are too few; write at least \"64KiB\"", file.max_bytes)
        });
        self.that(file.keep <= MAX_KEPT, "output.file.keep", || {
            format!("{} files are too many; the most is {MAX_KEPT}", file.keep)
        });
    }

    fn socket(&mut self, socket: &Path) {
        self.absolute(socket, "control.socket");
        let length = socket.as_os_str().len();
        self.that(length <= MAX_SOCKET_PATH, "control.socket", || {
            format!("{length} octets are too long; a socket's path has at most {MAX_SOCKET_PATH}")
        });
    }
}
