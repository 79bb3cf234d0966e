//! The pure stages in their order, from a segment to the lines it leads to; the same for live
//! traffic and for a replay.
//!
//! Pure: no clock, no I/O. It must not know where segments come from or where lines go.

use std::sync::Arc;

use super::common::Common;
use crate::capture::Segment;
use crate::config::Config;
use crate::detect::{Finding, OverLimit, Watch};
use crate::export::EndpointCoverage;
use crate::http::{
    BodyPolicies, BodyPolicy, Counters, Engine, Limits, Observation, Options, PortFilter, Skip,
    TrustedProxies,
};
use crate::record::{Observer, Recorder};
use crate::tcp;
use crate::time::Timestamp;
use crate::webhook::{Knowledge, Webhooks};

/// Octets of the largest body that a signature is checked over: GitHub, which sends the largest,
/// caps its payloads at 25 MB.
const MAX_BODY_BYTES: usize = 25 << 20;

/// What understanding leads to.
#[derive(Debug)]
pub enum Output<'a> {
    /// The record of a delivery, as one line without its ending.
    Delivery(&'a [u8]),
    /// The record of a connection whose messages are not read, as such a line.
    Connection(&'a [u8]),
    /// Octets to come that need not be copied up.
    Skip(Skip),
    /// Something to decide on.
    Finding(Box<Finding>),
}

/// What stages are made from.
pub struct Basis<'a> {
    /// The settings.
    pub config: &'a Config,
    /// What is known of providers and endpoints, with keys: the only ones.
    pub knowledge: Arc<Knowledge>,
    /// The ports that are read.
    pub ports: PortFilter,
    /// Who observes, as records name it.
    pub observer: Arc<Observer>,
    /// What peers must not know to choose addresses whose connections collide in a table.
    pub seed: u64,
}

/// Those among whom stages are some: what they know together, and how many they are.
pub(super) struct Company {
    pub(super) common: Arc<Common>,
    pub(super) size: usize,
}

/// The state of every pure stage of one shard.
pub struct Stages {
    engine: Engine,
    rest: Rest,
}

/// The stages after the engine, apart from it so that its callback can borrow them.
struct Rest {
    webhooks: Webhooks,
    common: Arc<Common>,
    recorder: Recorder,
}

impl Stages {
    /// Stages by themselves.
    #[must_use]
    pub fn new(basis: Basis<'_>) -> Self {
        let company = Company { common: Arc::new(Common::new(basis.config)), size: 1 };
        Self::among(company, basis)
    }

    /// Stages that are some of several, which have their part of what the configuration allows.
    /// Only the memory for contents is not parted: a large body may need all of it.
    pub(super) fn among(company: Company, basis: Basis<'_>) -> Self {
        let Basis { config, knowledge, ports, observer, seed } = basis;
        let Company { common, size } = company;
        let limits = Limits {
            tcp: tcp::Limits {
                connections: config.http.max_flows.div_ceil(size),
                held_octets: config.http.memory / size,
                idle: config.http.idle_timeout,
            },
            head_octets: Limits::HEAD_OCTETS / size,
        };
        let contents = common.contents().clone();
        let bodies = bodies(config);
        let proxies = TrustedProxies {
            networks: config.http.trusted_proxies.clone(),
            header: config.http.client_header,
        };
        Self {
            engine: Engine::new(Options { ports, limits, contents, bodies, proxies, seed }),
            rest: Rest {
                webhooks: Webhooks::new(knowledge, Arc::clone(common.past())),
                common,
                recorder: Recorder::new(observer),
            },
        }
    }

    /// Takes on another configuration; what is under way goes on.
    pub fn configure(
        &mut self,
        config: &Config,
        knowledge: Arc<Knowledge>,
        observer: Arc<Observer>,
    ) {
        self.engine.set_ports(PortFilter::Only(config.ports.clone()));
        self.engine.set_bodies(bodies(config));
        self.rest.common.configure(config);
        self.rest.webhooks.learn(knowledge);
        self.rest.recorder = Recorder::new(observer);
    }

    /// Understands one segment.
    pub fn segment(&mut self, segment: &Segment<'_>, out: &mut impl FnMut(Output<'_>)) {
        let rest = &mut self.rest;
        self.engine.segment(segment, &mut |observation| rest.observe(observation, out));
    }

    /// Looks at a notice of the kernel.
    pub fn over_limit(&mut self, notice: OverLimit, out: &mut impl FnMut(Output<'_>)) {
        if let Some(finding) = self.rest.common.over_limit(notice) {
            out(Output::Finding(Box::new(finding)));
        }
    }

    /// Lets go of connections that are silent at `now`, and looks for deliveries as
    /// [`Stages::watch`] does.
    pub fn tick(&mut self, now: Timestamp, watch: Watch, out: &mut impl FnMut(Output<'_>)) {
        let rest = &mut self.rest;
        self.engine.tick(now, &mut |observation| rest.observe(observation, out));
        self.watch(now, watch, out);
    }

    /// Looks for deliveries that should have come by `now`, as far as traffic is watched. A capture
    /// has no other tick.
    pub fn watch(&mut self, now: Timestamp, watch: Watch, out: &mut impl FnMut(Output<'_>)) {
        let find = &mut |finding| out(Output::Finding(Box::new(finding)));
        self.rest.common.watch(now, watch, find);
    }

    /// Puts out what is unfinished.
    pub fn finish(&mut self, out: &mut impl FnMut(Output<'_>)) {
        let rest = &mut self.rest;
        self.engine.finish(&mut |observation| rest.observe(observation, out));
    }

    /// What the engine counts.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        self.engine.counters()
    }

    /// Requests by endpoint and coverage.
    #[must_use]
    pub fn coverage(&self) -> Vec<EndpointCoverage> {
        self.rest.common.coverage()
    }

    /// What reassembly counts.
    #[must_use]
    pub fn tcp_counters(&self) -> &tcp::Counters {
        self.engine.tcp_counters()
    }

    /// Connections followed now.
    #[must_use]
    pub fn open_flows(&self) -> usize {
        self.engine.open_flows()
    }
}

/// What is kept of bodies: all of them where they are checked, elsewhere what records show.
fn bodies(config: &Config) -> BodyPolicies {
    let sha256 = config.http.body_sha256;
    let mut bodies = BodyPolicies::all(BodyPolicy { sha256, content_cap: 0 });
    let content = MAX_BODY_BYTES.min(config.http.memory);
    for endpoint in &config.endpoints {
        let content_cap = if endpoint.needs_bodies() { content } else { endpoint.record_body };
        let policy = BodyPolicy { sha256, content_cap };
        bodies.add(endpoint.port, endpoint.path_prefix.as_bytes(), policy);
    }
    bodies
}

impl Rest {
    fn observe(&mut self, observation: Observation, out: &mut impl FnMut(Output<'_>)) {
        let exchange = match observation {
            Observation::Exchange(exchange) => exchange,
            Observation::Skip(skip) => return out(Output::Skip(skip)),
            Observation::Opaque(connection) => {
                return out(Output::Connection(self.recorder.connection(&connection)));
            }
        };
        let delivery = self.webhooks.deliver(exchange);
        out(Output::Delivery(self.recorder.delivery(&delivery)));
        let find = &mut |finding| out(Output::Finding(Box::new(finding)));
        self.common.delivery(&delivery, find);
    }
}

#[cfg(test)]
mod tests;
