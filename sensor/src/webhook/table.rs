//! The table of providers: the built-in ones, those of the configuration, and how a request tells
//! which one sent it.
//!
//! It must not know any provider by name; those are in `providers.toml`.

use std::collections::HashMap;
use std::sync::Arc;

use crate::config::{Provider, Source, built_in_providers};
use crate::http::{Headers, is_same_name};

/// Places that the names of headers are spread over: so many more than tell a provider that nearly
/// every header of a request is known by its place alone to tell nothing.
const PLACES: usize = 512;

/// Every known provider, and the columns of the table turned around.
#[derive(Debug, PartialEq, Eq)]
pub struct Table {
    /// The first that is told is taken.
    providers: Vec<Arc<Provider>>,
    /// The headers that tell providers, by the [`place`] of their names.
    telling: [Vec<Telling>; PLACES],
    roles: Roles,
}

/// A header that tells providers.
#[derive(Debug, PartialEq, Eq)]
struct Telling {
    name: String,
    /// How its value starts, and the index of the provider that this tells; lower ones first.
    values: Vec<(String, usize)>,
}

/// What the table says of a header, for those who decide what may be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeaderRole {
    /// It holds a signature or a shared secret of a provider.
    Signature,
    /// It holds an identifier or an event type of a provider.
    Identifier,
}

/// The role of each header that has one, by its name in lower case.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Roles(HashMap<Box<[u8]>, HeaderRole>);

impl Roles {
    /// The role of the header `name`, in lower case, in any row of the table. One that is both to
    /// different providers is a signature.
    #[must_use]
    pub fn of(&self, name: &[u8]) -> Option<HeaderRole> {
        self.0.get(name).copied()
    }

    fn new(providers: &[Arc<Provider>]) -> Self {
        let mut roles = HashMap::new();
        for provider in providers {
            for source in provider.delivery_id.iter().chain(&provider.event_type) {
                if let Source::Header(name) = source {
                    roles.entry(name.as_bytes().into()).or_insert(HeaderRole::Identifier);
                }
            }
        }
        for scheme in providers.iter().flat_map(|provider| &provider.signature) {
            if let Source::Header(name) = &scheme.signature {
                roles.insert(name.as_bytes().into(), HeaderRole::Signature);
            }
        }
        Self(roles)
    }
}

impl Table {
    /// The built-in providers after those `configured`, which take the place of one of their name.
    #[must_use]
    pub fn new(configured: &[Provider]) -> Self {
        let known = built_in_providers();
        let is_new = |one: &&Provider| known.iter().all(|two| two.name != one.name);
        let known = known
            .iter()
            .map(|two| configured.iter().find(|one| one.name == two.name).unwrap_or(two));
        let providers = configured.iter().filter(is_new).chain(known);
        let providers: Vec<_> = providers.cloned().map(Arc::new).collect();
        Self { telling: telling(&providers), roles: Roles::new(&providers), providers }
    }

    /// Every provider, in the order in which they are told.
    #[must_use]
    pub fn providers(&self) -> &[Arc<Provider>] {
        &self.providers
    }

    /// The index of the provider of this name.
    #[must_use]
    pub fn position(&self, name: &str) -> Option<usize> {
        self.providers.iter().position(|provider| provider.name == name)
    }

    /// The index of the provider that these headers tell.
    #[must_use]
    pub fn told_by(&self, headers: &Headers) -> Option<usize> {
        let telling = headers.iter().filter(|(name, _)| !self.telling[place(name)].is_empty());
        telling.filter_map(|(name, value)| self.told_by_one(name, value)).min()
    }

    fn told_by_one(&self, name: &[u8], value: &[u8]) -> Option<usize> {
        let mut telling = self.telling[place(name)].iter();
        let header = telling.find(|header| is_same_name(name, header.name.as_bytes()))?;
        let mut values = header.values.iter();
        let (_, provider) = values.find(|(start, _)| value.starts_with(start.as_bytes()))?;
        Some(*provider)
    }

    /// What each header is to the providers.
    #[must_use]
    pub fn roles(&self) -> &Roles {
        &self.roles
    }
}

/// The place of a header's name, whatever its case: by its length, its last octet and its third,
/// which is the first one after the "x-" of many. The factors spread the built-in names well.
fn place(name: &[u8]) -> usize {
    let folded = |octet: Option<&u8>| usize::from(octet.map_or(0, |octet| octet | 0x20));
    let (third, last) = (folded(name.get(2)), folded(name.last()));
    (name.len() * 37 + third * 5 + last) % PLACES
}

fn telling(providers: &[Arc<Provider>]) -> [Vec<Telling>; PLACES] {
    let mut telling = [const { Vec::<Telling>::new() }; PLACES];
    for (index, provider) in providers.iter().enumerate() {
        for mark in &provider.recognise {
            // Others are refused with the configuration: bodies are not kept before it is known
            // who sent them.
            let Source::Header(name) = &mark.source else { continue };
            let headers = &mut telling[place(name.as_bytes())];
            let value = (mark.value.clone(), index);
            match headers.iter_mut().find(|header| header.name == *name) {
                Some(header) => header.values.push(value),
                None => headers.push(Telling { name: name.clone(), values: vec![value] }),
            }
        }
    }
    telling
}
