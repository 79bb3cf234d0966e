//! Files of the networks that providers send from, apart from the configuration because they move.
//!
//! It must not know who is held against them.

use std::collections::BTreeMap;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use ipnet::IpNet;
use jiff::civil::{Date, date};
use jiff::tz::TimeZone;
use serde::Deserialize;

use super::fields;
use super::provider::{Provider, built_in_providers};
use super::read::line_of;
use super::{ConfigError, Problem};
use crate::regular;
use crate::time::Timestamp;

/// Octets that a list has at most. Those of providers have some kB; what a cloud publishes of all
/// its services has megabytes, and whoever names that by mistake would have it searched at each
/// delivery.
const MAX_FILE_BYTES: u64 = 256 << 10;

/// Days for which a list is good. Providers change theirs a few times a year and tell those who
/// subscribe: one that nobody has renewed for a quarter is more likely old than right.
const GOOD_FOR_DAYS: u64 = 90;

/// Bits of the widest networks that a list may have, of IPv4 and of IPv6: what the IANA gives to a
/// whole region of the Internet. A provider has less, and with all addresses nothing is told.
const WIDEST: (u8, u8) = (8, 12);

/// The month in which this was written. A clock from before is not set yet, as on a host that boots
/// without one, and must not keep the agent from starting.
const WRITTEN: Date = date(2026, 10, 1);

/// A file of lists.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    provider: Vec<List>,
}

/// What one provider published: of a [`Provider`] the keys of the same names.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    name: String,
    #[serde(deserialize_with = "fields::networks")]
    networks: Vec<IpNet>,
    networks_as_of: String,
}

impl Provider {
    /// How many days old its networks are at `now`, where that is older than they are good for.
    #[must_use]
    pub fn days_stale(&self, now: Timestamp) -> Option<u64> {
        let day: Date = self.networks_as_of.parse().ok()?;
        let now = jiff::Timestamp::from_nanosecond(i128::from(now.0)).ok()?;
        let today = now.to_zoned(TimeZone::UTC).date();
        let days = u64::try_from(day.until(today).ok()?.get_days()).ok()?;
        (days > GOOD_FOR_DAYS).then_some(days)
    }
}

/// Gives `providers` the networks that the files at `paths` say, but for those that have some
/// already. One that is only built in is added with them.
///
/// # Errors
///
/// When a file cannot be read, names a provider that nobody knows, or one that another list names.
pub(super) fn add(providers: &mut Vec<Provider>, paths: &[PathBuf]) -> Result<(), ConfigError> {
    let mut lists = BTreeMap::new();
    for path in paths {
        for list in read(path)? {
            let name = list.name.clone();
            if lists.insert(name.clone(), (list, path)).is_some() {
                let message = format!("{name:?} has another list; leave one out of network_lists");
                return Err(refused(path, None, message));
            }
        }
    }
    for (list, path) in lists.into_values() {
        give(providers, list, path)?;
    }
    Ok(())
}

fn give(providers: &mut Vec<Provider>, list: List, path: &Path) -> Result<(), ConfigError> {
    let is_named = |one: &Provider| one.name == list.name;
    if !providers.iter().any(is_named) {
        let built_in = built_in_providers().iter().find(|one| is_named(one));
        let message = || format!("{:?} is no provider; write a [[provider]] first", list.name);
        providers.push(built_in.ok_or_else(|| refused(path, None, message()))?.clone());
    }
    let open = providers.iter_mut().find(|one| is_named(one) && one.networks.is_empty());
    if let Some(provider) = open {
        provider.networks = list.networks;
        provider.networks_as_of = list.networks_as_of;
    }
    Ok(())
}

fn read(path: &Path) -> Result<Vec<List>, ConfigError> {
    let unreadable = |error: io::Error| {
        refused(path, None, format!("cannot be read, and network_lists names it: {error}"))
    };
    let (file, metadata) = regular::open(path).map_err(unreadable)?;
    if metadata.len() > MAX_FILE_BYTES {
        let message = format!(
            "{} octets are no list of one provider's webhooks; the most is {MAX_FILE_BYTES}",
            metadata.len()
        );
        return Err(refused(path, None, message));
    }
    let mut text = String::new();
    file.take(MAX_FILE_BYTES).read_to_string(&mut text).map_err(unreadable)?;
    lists(&text, today()).map_err(|(line, message)| refused(path, line, message))
}

fn today() -> Date {
    jiff::Timestamp::now().to_zoned(TimeZone::UTC).date()
}

/// The lists in `text`, or the line and the words of what is wrong with it as of `today`.
fn lists(text: &str, today: Date) -> Result<Vec<List>, (Option<usize>, String)> {
    let file: File = toml::from_str(text).map_err(|error| {
        let line = error.span().map(|span| line_of(text, span.start));
        (line, error.message().to_owned())
    })?;
    match file.provider.iter().find_map(|list| fault(list, today)) {
        Some(message) => Err((None, message)),
        None => Ok(file.provider),
    }
}

fn fault(list: &List, today: Date) -> Option<String> {
    // What a failed download left behind would otherwise turn the check off in silence.
    if list.networks.is_empty() {
        return Some(format!("the list of {:?} is empty", list.name));
    }
    if let Some(wide) = list.networks.iter().find(|network| is_too_wide(network)) {
        return Some(format!("{wide} is wider than the networks of any provider; leave it out"));
    }
    let as_of = &list.networks_as_of;
    let Ok(day) = as_of.parse::<Date>() else {
        return Some(format!("{as_of:?} is no day; write networks_as_of = \"2026-11-01\""));
    };
    // Somewhere it is tomorrow already.
    let is_future = today >= WRITTEN && today.tomorrow().is_ok_and(|tomorrow| day > tomorrow);
    is_future.then(|| {
        format!(
            "{as_of:?} lies in the future, by this host's clock; write the day on which the list was \
             published or read, or set the clock"
        )
    })
}

fn is_too_wide(network: &IpNet) -> bool {
    match network {
        IpNet::V4(network) => network.prefix_len() < WIDEST.0,
        IpNet::V6(network) => network.prefix_len() < WIDEST.1,
    }
}

fn refused(path: &Path, line: Option<usize>, message: String) -> ConfigError {
    let file = Some(path.display().to_string());
    ConfigError::Refused(vec![Problem { file, line, key: None, message }])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    const ACME: &str = "[[provider]]\nname = \"github\"\nnetworks = [\"192.0.2.0/24\"]\n\
                        networks_as_of = \"2026-11-01\"\n";

    /// What comes of a configuration that names two files of these texts.
    fn load(config: &str, lists: &[&str]) -> Result<Config, String> {
        let folder = tempfile::tempdir().unwrap();
        let mut paths = Vec::new();
        for (index, text) in lists.iter().enumerate() {
            let path = folder.path().join(format!("{index}.toml"));
            std::fs::write(&path, text).unwrap();
            paths.push(path);
        }
        let file = folder.path().join("t.toml");
        std::fs::write(&file, format!("network_lists = {paths:?}\n{config}")).unwrap();
        Config::load(&file).map_err(|error| error.to_string())
    }

    fn networks(config: &Config, name: &str) -> Option<(String, usize)> {
        let provider = config.providers.iter().find(|one| one.name == name)?;
        Some((provider.networks_as_of.clone(), provider.networks.len()))
    }

    #[test]
    fn lists_are_given_to_whom_they_name() {
        let built_in = load("", &[ACME]).unwrap();
        assert_eq!(networks(&built_in, "github"), Some(("2026-11-01".to_owned(), 1)));
        assert_eq!(built_in.providers[0].signature.len(), 2, "the rest is as it is built in");
        let own = "[[provider]]\nname = \"github\"\nanswer_within = \"30s\"\n";
        let config = load(own, &[ACME]).unwrap();
        assert_eq!(networks(&config, "github"), Some(("2026-11-01".to_owned(), 1)));
        assert_eq!(config.providers[0].answer_within.as_secs(), 30);
        let over =
            "networks = [\"198.51.100.1\", \"198.51.100.2\"]\nnetworks_as_of = \"2026-11-02\"\n";
        let config = load(&[own, over].concat(), &[ACME]).unwrap();
        assert_eq!(networks(&config, "github"), Some(("2026-11-02".to_owned(), 2)));
    }

    #[test]
    fn lists_that_are_refused() {
        let check = |lists: &[&str], expected: &str| {
            let said = load("", lists).unwrap_err();
            assert!(said.contains(expected), "{said}");
        };
        check(&[""], "0.toml:1: missing field `provider`");
        check(&["{\"hooks\": []}"], "0.toml:1: ");
        check(&[ACME, ACME], "1.toml: \"github\" has another list");
        check(&[&ACME.replace("github", "gihtub")], "\"gihtub\" is no provider");
        check(&[&ACME.replace("\"192.0.2.0/24\"", "")], "the list of \"github\" is empty");
        check(&[&ACME.replace("192.0.2.0/24", "hooks")], "0.toml:3: \"hooks\" is neither");
        check(&[&ACME.replace("2026-11-01", "yesterday")], "\"yesterday\" is no day");
        check(&[&ACME.replace("192.0.2.0/24", "0.0.0.0/0")], "0.0.0.0/0 is wider than");
        check(&[&ACME.replace("192.0.2.0/24", "128.0.0.0/1")], "128.0.0.0/1 is wider than");
        check(&[&ACME.replace("192.0.2.0/24", "::ffff:0:0/96")], "0.0.0.0/0 is wider than");
        check(&[&ACME.replace("192.0.2.0/24", "2000::/3")], "2000::/3 is wider than");
        check(&[&ACME.replace("2026-11-01", "9998-01-01")], "\"9998-01-01\" lies in the future");
        check(&[&ACME.replace("networks_as_of", "as_of")], "0.toml:4: unknown field `as_of`");
        check(&[&" ".repeat(300_000)], "300000 octets");
        let missing = add(&mut Vec::new(), &["/nonexistent/a".into()]).unwrap_err().to_string();
        let expected = "/nonexistent/a: cannot be read, and network_lists names it: No such file";
        assert!(missing.starts_with(expected), "{missing}");
    }

    #[test]
    fn lists_are_of_no_later_day_than_it_is_anywhere() {
        let check = |today: Date, expected| {
            assert_eq!(lists(ACME, today).is_ok(), expected, "{today}");
        };
        check(date(1970, 1, 1), true);
        check(date(2026, 10, 30), false);
        check(date(2026, 10, 31), true);
        check(date(2026, 11, 1), true);
    }

    #[test]
    fn networks_mapped_into_ipv6_are_those_of_ipv4() {
        let mapped = ACME.replace("192.0.2.0/24", "::ffff:192.0.2.0/120");
        let config = load("", &[&mapped]).unwrap();
        assert_eq!(config.providers[0].networks, ["192.0.2.0/24".parse().unwrap()]);
    }

    #[test]
    fn lists_grow_old() {
        let check = |as_of: &str, now: &str, expected: Option<u64>| {
            let provider =
                Provider { networks_as_of: as_of.to_owned(), ..built_in_providers()[0].clone() };
            let now: jiff::Timestamp = now.parse().unwrap();
            let now = Timestamp(u64::try_from(now.as_nanosecond()).unwrap());
            assert_eq!(provider.days_stale(now), expected, "{as_of} {now:?}");
        };
        check("2026-05-15", "2026-08-13T23:59:59Z", None);
        check("2026-05-15", "2026-08-14T00:00:00Z", Some(91));
        check("2026-05-15", "2027-05-15T12:00:00Z", Some(365));
        check("2026-05-15", "2026-05-14T12:00:00Z", None);
        check("", "2026-05-14T12:00:00Z", None);
    }

    #[test]
    fn the_shipped_lists_are_good() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/networks");
        let files = std::fs::read_dir(&folder).unwrap().map(|file| file.unwrap().path());
        let paths: Vec<_> =
            files.filter(|path| path.extension().is_some_and(|e| e == "toml")).collect();
        let mut providers = Vec::new();
        add(&mut providers, &paths).unwrap();
        let names: Vec<_> = providers.iter().map(|one| one.name.as_str()).collect();
        assert_eq!(names, ["github", "stripe"]);
    }
}
