//! The settings of a sensor: their types, their text, and what is refused with which words.
//!
//! It must not know what any other stage does with them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

mod codes;
mod endpoint;
mod error;
mod fields;
mod inherit;
mod networks;
mod provider;
mod read;
mod sample;
mod schema;
mod secret;
mod settings;
mod shape;
mod source;
mod template;
mod units;
mod validate;

pub use codes::StatusCodes;
pub use endpoint::{Endpoint, MAX_RECORD_BODY, PayloadCheck, UnknownMembers};
pub use error::{ConfigError, Problem};
pub use provider::{Algorithm, Encoding, KeyForm, Provider, Scheme, built_in_providers};
pub use sample::sample;
pub use schema::schema;
pub use secret::{SecretRef, SecretRefError};
pub use settings::{
    Ban, ClientHeader, Config, Control, FileOutput, Http, Kernel, Limit, Log, LogFormat, LogLevel,
    Metrics, Output, Protect, XdpMode,
};
pub use source::{Mark, Source, SourceError};
pub use template::{Part, Template, TemplateError};
pub use units::{UnitError, format_duration, format_size, parse_duration, parse_size};
use validate::Refusal;

/// What the command line says over the file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Overrides {
    /// The interfaces to watch, instead of the file's; empty leaves those.
    pub interfaces: Vec<String>,
    /// The ports to watch, instead of the file's; empty leaves those.
    pub ports: BTreeSet<u16>,
    /// Whether to enforce, instead of what the file says.
    pub enforce: Option<bool>,
}

impl Config {
    /// Reads the file at `path`, and the lists of networks that it names.
    ///
    /// # Errors
    ///
    /// When a file cannot be read, or for everything in it that is refused.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let text = fs::read_to_string(path)
            .map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?;
        let mut config = Self::parse(&text, &path.display().to_string())?;
        networks::add(&mut config.providers, &config.network_lists)?;
        Ok(config)
    }

    /// Reads `text`, which problems call `name`.
    ///
    /// # Errors
    ///
    /// For everything in the text that is refused.
    pub fn parse(text: &str, name: &str) -> Result<Self, ConfigError> {
        let read::Reading { mut config, lines, mut problems } = read::read(text, name);
        let mut refusals = inherit::complete(&mut config.providers, &lines);
        refusals.extend(validate::validate(&config));
        let refusals = refusals.into_iter();
        problems.extend(refusals.map(|refusal| problem(refusal, Some(name), &lines)));
        if problems.is_empty() {
            return Ok(config);
        }
        problems.sort_by_key(|problem| problem.line);
        Err(ConfigError::Refused(problems))
    }

    /// The defaults for these interfaces and ports, for a run without a file.
    ///
    /// # Errors
    ///
    /// When a name cannot be an interface, or there is nothing to watch.
    pub fn default_with(
        interfaces: Vec<String>,
        ports: BTreeSet<u16>,
    ) -> Result<Self, ConfigError> {
        Self::default().with(Overrides { interfaces, ports, enforce: None })
    }

    /// These settings with what the command line says over them.
    ///
    /// # Errors
    ///
    /// When what it says is refused, or there is nothing to watch then.
    pub fn with(mut self, overrides: Overrides) -> Result<Self, ConfigError> {
        if !overrides.interfaces.is_empty() {
            self.interfaces = overrides.interfaces;
        }
        if !overrides.ports.is_empty() {
            self.ports = overrides.ports;
            // The file's endpoints on other ports have nothing to name in this run.
            self.endpoints.retain(|endpoint| self.ports.contains(&endpoint.port));
        }
        self.enforce = overrides.enforce.unwrap_or(self.enforce);
        self.watching()
    }

    /// These settings, if they name an interface and a port to watch, as a run needs them.
    ///
    /// # Errors
    ///
    /// When they do not, with what to write.
    pub fn watching(self) -> Result<Self, ConfigError> {
        let mut refusals = validate::validate_watch(&self);
        refusals.extend(validate::validate(&self));
        if refusals.is_empty() {
            return Ok(self);
        }
        let nowhere = BTreeMap::new();
        let problems = refusals.into_iter().map(|refusal| problem(refusal, None, &nowhere));
        Err(ConfigError::Refused(problems.collect()))
    }

    /// These settings as the text of a file that reads back as the same.
    #[must_use]
    pub fn to_toml(&self) -> String {
        sample::effective(self)
    }
}

fn problem(refusal: Refusal, file: Option<&str>, lines: &BTreeMap<String, usize>) -> Problem {
    let line = lines.get(&refusal.key).copied();
    Problem {
        file: file.map(str::to_owned),
        line,
        key: Some(refusal.key),
        message: refusal.message,
    }
}

#[cfg(test)]
mod tests;
