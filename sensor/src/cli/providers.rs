//! `hooksensor providers`: what is known of senders, and a test of one's description.
//!
//! It must not know how a provider is told or checked.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Subcommand};

use super::now;
use super::output::{Failure, Format, json, print, say, table};
use crate::config::{Config, Provider, format_duration};
use crate::webhook::Table;

/// The verbs below `providers`.
#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// List every provider, in the order in which a request tells them.
    List(Listing),
    /// Print what is known of one, as it would stand in the configuration, or as JSON.
    Show(Named),
    /// Say which provider a request with this header would tell.
    Test(Header),
}

/// Which providers there are.
#[derive(Debug, Args)]
struct Known {
    /// A configuration with providers of its own.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// The command line of `list`.
#[derive(Debug, Args)]
pub(super) struct Listing {
    #[command(flatten)]
    known: Known,
    /// For people or for programs.
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
}

/// The command line of `show`.
#[derive(Debug, Args)]
pub(super) struct Named {
    /// The provider's name.
    #[arg(value_name = "NAME")]
    name: String,
    #[command(flatten)]
    known: Known,
    /// For people or for programs.
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
}

/// The command line of `test`.
#[derive(Debug, Args)]
pub(super) struct Header {
    /// Header fields of the request, as "Name: value".
    #[arg(required = true, value_name = "HEADER")]
    fields: Vec<String>,
    #[command(flatten)]
    known: Known,
}

pub(super) fn run(verb: &Verb) -> Result<ExitCode, Failure> {
    match verb {
        Verb::List(listing) => list(&listing.known.table()?, listing.output),
        Verb::Show(named) => show(&named.known.table()?, &named.name, named.output),
        Verb::Test(header) => test(&header.known.table()?, &header.fields),
    }
}

impl Known {
    fn table(&self) -> Result<Table, Failure> {
        let config = self.config.as_deref().map(Config::load).transpose()?.unwrap_or_default();
        Ok(Table::new(&config.providers))
    }
}

fn list(known: &Table, format: Format) -> Result<ExitCode, Failure> {
    let providers: Vec<&Provider> = known.providers().iter().map(|one| &**one).collect();
    if format == Format::Json {
        return json(&providers);
    }
    let rows: Vec<_> = providers.into_iter().map(row).collect();
    print(&table(&["PROVIDER", "SCHEMES", "ANSWER WITHIN", "RETRIES FOR", "NETWORKS"], &rows))
}

fn row(provider: &Provider) -> Vec<String> {
    let mut schemes: Vec<&str> =
        provider.signature.iter().map(|scheme| scheme.algorithm.name()).collect();
    schemes.dedup();
    let limit = |duration: Duration| {
        if duration.is_zero() { String::from("-") } else { format_duration(duration) }
    };
    let networks = match provider.networks.len() {
        0 => String::from("-"),
        count => format!("{count} as of {}{}", provider.networks_as_of, age(provider)),
    };
    vec![
        provider.name.clone(),
        schemes.join(", "),
        limit(provider.answer_within),
        limit(provider.retry_for),
        networks,
    ]
}

fn show(known: &Table, name: &str, format: Format) -> Result<ExitCode, Failure> {
    let index = known.position(name).ok_or_else(|| {
        Failure::usage(format!("{name:?} is not known; `hooksensor providers list` has all"))
    })?;
    let provider = Provider::clone(&known.providers()[index]);
    if let Some(days) = provider.days_stale(now()) {
        say(&format!(
            "hooksensor: these networks are {days} days old, and providers move; renew them, or \
             deliveries from new ones are told as from outside"
        ));
    }
    if format == Format::Json {
        return json(&provider);
    }
    let config = Config { providers: vec![provider], ..Config::default() };
    let text = config.to_toml();
    let start = text.find("[[provider]]").unwrap_or_default();
    print(text[start..].trim_end())
}

/// What a list of networks makes doubtful that is old.
fn age(provider: &Provider) -> String {
    let days = provider.days_stale(now());
    days.map_or_else(String::new, |days| format!(", {days} days old"))
}

fn test(known: &Table, fields: &[String]) -> Result<ExitCode, Failure> {
    let lines: Vec<_> = fields.iter().filter_map(|field| field.split_once(':')).collect();
    if lines.len() != fields.len() {
        return Err(Failure::usage("write each header as \"Name: value\""));
    }
    let told = known.told_by(&super::verify::headers_of(&lines));
    match told {
        Some(index) => print(&known.providers()[index].name),
        None => Err(Failure::failed("these headers tell no provider")),
    }
}
