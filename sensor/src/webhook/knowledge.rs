//! Everything that is configured about webhooks, put together for quick use: providers, endpoints,
//! the keys of each endpoint for each provider.
//!
//! It must not know where secrets were read from.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use super::Target;
use super::payload::Schemas;
use super::signature::{Check, Secret, Terms};
use super::table::Table;
use crate::config::{Config, Endpoint, Provider};
use crate::http::{Exchange, Places, Request, canonical_path};

/// Providers, endpoints and keys. Shared by every shard, and replaced as a whole on a reload.
#[derive(Debug)]
pub struct Knowledge {
    table: Table,
    endpoints: Vec<Watched>,
    /// Where each endpoint is, by its index.
    places: Places<usize>,
    /// For each provider, the check without a key.
    keyless: Vec<Check>,
    secrets: Vec<Secret>,
}

#[derive(Debug)]
struct Watched {
    endpoint: Arc<Endpoint>,
    /// The only provider that sends here, if the configuration names one.
    provider: Option<usize>,
    /// For each provider, the check with this endpoint's keys.
    checks: Vec<Check>,
    schemas: Schemas,
}

/// What is known beforehand of one request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'k> {
    pub(super) endpoint: Option<&'k Arc<Endpoint>>,
    pub(super) provider: Option<&'k Arc<Provider>>,
    /// The provider that it is checked as, which is the endpoint's own if that has one, and the
    /// check with the keys of the endpoint.
    pub(super) check: Option<(&'k Provider, &'k Check)>,
    /// The schemas of the endpoint.
    pub(super) schemas: Option<&'k Schemas>,
}

impl Knowledge {
    /// Puts together what `config` says and `secrets`, those of each endpoint in its order.
    #[must_use]
    pub fn new(config: &Config, secrets: Vec<Vec<Secret>>) -> Self {
        let table = Table::new(&config.providers);
        let ranges = ranges(&secrets);
        let secrets: Vec<Secret> = secrets.into_iter().flatten().collect();
        let watched = |(index, endpoint): (usize, &Endpoint)| {
            let range = ranges.get(index).cloned().unwrap_or_default();
            Watched {
                provider: table.position(&endpoint.provider),
                endpoint: Arc::new(endpoint.clone()),
                checks: checks(&table, &secrets[range]),
                schemas: Schemas::default(),
            }
        };
        let endpoints = config.endpoints.iter().enumerate().map(watched).collect();
        let mut places = Places::default();
        for (index, endpoint) in config.endpoints.iter().enumerate() {
            places.add(endpoint.port, endpoint.path_prefix.as_bytes(), index);
        }
        Self { endpoints, places, keyless: checks(&table, &[]), secrets, table }
    }

    /// This, and the schemas of each endpoint in its order.
    #[must_use]
    pub fn with_schemas(mut self, schemas: Vec<Schemas>) -> Self {
        for (watched, schemas) in self.endpoints.iter_mut().zip(schemas) {
            watched.schemas = schemas;
        }
        self
    }

    /// The providers.
    #[must_use]
    pub fn table(&self) -> &Table {
        &self.table
    }

    /// Endpoints with a secret that is no key of the provider they name, or of any: the reason why
    /// they would check nothing.
    pub fn keyless_endpoints(&self) -> impl Iterator<Item = &Endpoint> {
        self.endpoints.iter().filter(|watched| !watched.endpoint.secrets.is_empty()).filter_map(
            |watched| {
                let has_keys = match watched.provider {
                    Some(provider) => watched.checks[provider].has_keys(),
                    None => watched.checks.iter().any(Check::has_keys),
                };
                (!has_keys).then_some(&*watched.endpoint)
            },
        )
    }

    /// Where `request` went and who sent it: the endpoint with the longest prefix of its path, and
    /// the provider that its headers tell, or else the endpoint names.
    pub(super) fn place(&self, request: &Request, exchange: &Exchange) -> Place<'_> {
        let watched = self.watched(request, exchange.flow.destination.port());
        let told = self.table.told_by(&request.headers);
        // What is checked is what the endpoint expects; another provider's delivery has no
        // signature by it.
        let expected = watched.and_then(|watched| watched.provider).or(told);
        let checks = watched.map_or(&self.keyless, |watched| &watched.checks);
        let providers = self.table.providers();
        Place {
            endpoint: watched.map(|watched| &watched.endpoint),
            provider: told.or(expected).map(|index| &providers[index]),
            check: expected.map(|index| (&*providers[index], &checks[index])),
            schemas: watched.map(|watched| &watched.schemas),
        }
    }

    /// What `endpoint` adds to a check of a request for `target`, whose URL is written to `url`.
    pub(super) fn terms<'t>(
        &'t self,
        endpoint: Option<&'t Arc<Endpoint>>,
        url: &'t str,
        diagnose: bool,
    ) -> Terms<'t> {
        let subscription = endpoint.map_or("", |endpoint| endpoint.subscription.as_str());
        Terms { url, subscription, others: &self.secrets, diagnose }
    }

    fn watched(&self, request: &Request, port: u16) -> Option<&Watched> {
        let index = self.places.of(port, &request.method, &request.target)?;
        self.endpoints.get(*index)
    }
}

/// The URL by which the provider reached `endpoint` with `target`: the public URL in the place of
/// the path prefix. Empty when there is no public URL.
pub(super) fn public_url(endpoint: &Endpoint, method: &[u8], target: &[u8]) -> String {
    if endpoint.public_url.is_empty() {
        return String::new();
    }
    let parts = Target::parse(method, target);
    let rest = rest_of(parts.path.unwrap_or_default(), &endpoint.path_prefix);
    let rest = String::from_utf8_lossy(&rest);
    let query = parts.query.map(|query| format!("?{}", String::from_utf8_lossy(query)));
    format!("{}{rest}{}", base(endpoint, &rest), query.unwrap_or_default())
}

/// What follows `prefix` in `path`, which may spell it otherwise.
fn rest_of<'p>(path: &'p [u8], prefix: &str) -> Cow<'p, [u8]> {
    if let Some(rest) = path.strip_prefix(prefix.as_bytes()) {
        return Cow::Borrowed(rest);
    }
    let (path, prefix) = (canonical_path(path), canonical_path(prefix.as_bytes()));
    Cow::Owned(path.get(prefix.len()..).unwrap_or_default().to_vec())
}

/// The public URL as it stands before the `rest` of a path: with one slash between the two,
/// whichever of the prefix and the URL is written with one at its end.
fn base(endpoint: &Endpoint, rest: &str) -> String {
    let url = &endpoint.public_url;
    let bare = url.strip_suffix('/').unwrap_or(url);
    if rest.starts_with('/') {
        bare.to_owned()
    } else if !rest.is_empty() && endpoint.path_prefix.ends_with('/') {
        format!("{bare}/")
    } else {
        url.clone()
    }
}

fn ranges(secrets: &[Vec<Secret>]) -> Vec<Range<usize>> {
    let mut end = 0;
    let next = |of_one: &Vec<Secret>| {
        let start = end;
        end += of_one.len();
        start..end
    };
    secrets.iter().map(next).collect()
}

fn checks(table: &Table, secrets: &[Secret]) -> Vec<Check> {
    table.providers().iter().map(|provider| Check::new(provider, secrets)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_urls() {
        let check = |path_prefix: &str, url: &str, target: &str, expected: &str| {
            let endpoint = Endpoint {
                path_prefix: path_prefix.to_owned(),
                public_url: url.to_owned(),
                ..Endpoint::default()
            };
            assert_eq!(public_url(&endpoint, b"POST", target.as_bytes()), expected, "{target}");
        };
        check("/in", "https://h/in", "/in", "https://h/in");
        check("/in", "https://h/in", "/in?b=2&a=%20", "https://h/in?b=2&a=%20");
        check("/in", "https://h:8443/out", "/in/x?", "https://h:8443/out/x?");
        check("/in", "https://h/in/", "/in/x", "https://h/in/x");
        check("/in/", "https://h/in", "/in/x", "https://h/in/x");
        check("/in/", "https://h/in/", "/in/x", "https://h/in/x");
        check("/", "https://h", "/x?y", "https://h/x?y");
        check("/", "https://h", "/", "https://h");
        check("/", "https://h/", "/", "https://h/");
        check("/in", "https://h/in", "/in-2", "https://h/in-2");
        check("/in", "https://h/in", "http://proxy/in/x", "https://h/in/x");
        check("/in", "https://h/in", "/%69n/x%20y", "https://h/in/x y");
        check("/in", "https://h/in", "/in/x%20y", "https://h/in/x%20y");
        check("/in", "", "/in", "");
    }
}
