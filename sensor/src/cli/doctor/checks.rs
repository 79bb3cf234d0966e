//! What the agent needs of a host besides interfaces: a configuration, privileges, the kernel,
//! places to write, secrets.
//!
//! It must not know how a check is shown.

use std::path::Path;

use nix::errno::Errno;
use nix::unistd::{AccessFlags, Uid, access};

use super::{Check, State, interfaces};
use crate::cli::{Agent, now};
use crate::config::{Config, Provider, SecretRef};
use crate::control::{ClientError, Reply, Request, ask};
use crate::export::{Snapshot, wide_mode};
use crate::kernel::{Feature, FileSystem, check_privileges, clock_is_synchronised, file_system};
use crate::{schemas, secrets};

/// Everything, in the order in which one thing depends on another.
pub(super) fn all(agent: &Agent, file: &Path) -> Vec<Check> {
    let (config, first) = configuration(file);
    let (running, second) = running(&agent.socket);
    let privileges = privileges();
    let is_told = privileges.state == State::Good;
    let mut checks = vec![first, second, privileges, clock(), pins(&config.kernel.pin_path)];
    checks.extend(Feature::ALL.into_iter().map(|one| feature(one, is_told)));
    checks.extend(interfaces::all(&config, running.as_ref()));
    if config.output.file.enabled {
        checks.push(records(&config.output.file.path));
    }
    checks.push(writable("control socket", &config.control.socket));
    let secrets = config.endpoints.iter().flat_map(|endpoint| &endpoint.secrets);
    checks.extend(secrets.map(secret));
    checks.extend(schemas(&config));
    checks.extend(config.providers.iter().filter_map(networks));
    if !config.state_dir.as_os_str().is_empty() {
        checks.push(writable("state", &config.state_dir.join("state")));
    }
    checks
}

/// The configuration, or the defaults where it is of no use.
fn configuration(file: &Path) -> (Config, Check) {
    match Config::load(file).and_then(Config::watching) {
        Ok(config) => (config, Check::good("configuration", file.display().to_string())),
        Err(error) => {
            let check = Check::problem("configuration", error.to_string());
            let advice = "what follows is about the defaults; `hooksensor config show --default` \
                          prints a file to start from";
            (Config::default(), check.advice(advice))
        }
    }
}

fn running(socket: &Path) -> (Option<Snapshot>, Check) {
    match ask(socket, &Request::Status) {
        Ok(Reply::Status(snapshot)) => {
            let found = format!("version {}, up {} s", snapshot.version, snapshot.uptime_seconds);
            (Some(*snapshot), Check::good("agent", found))
        }
        Ok(_) => (None, Check::problem("agent", "it answered another question")),
        Err(error @ ClientError::NotRunning(_)) => (None, Check::note("agent", error.to_string())),
        Err(error) => (None, Check::problem("agent", error.to_string())),
    }
}

fn privileges() -> Check {
    match check_privileges() {
        Ok(()) => Check::good("privileges", "this process may load kernel programs"),
        Err(error) => Check::unknown("privileges", format!("{error:#}")),
    }
}

/// Signatures hold the time of their making, and one that is minutes off is not taken.
fn clock() -> Check {
    match clock_is_synchronised() {
        Ok(true) => Check::good("clock", "a time service keeps it"),
        Ok(false) => Check::note("clock", "no time service keeps it").advice(
            "run one, such as chrony: with a clock that is minutes off, signatures that hold a \
             time are found too old",
        ),
        Err(error) => Check::note("clock", format!("the kernel does not say: {error}")),
    }
}

fn pins(path: &Path) -> Check {
    let shown = path.display();
    match file_system(path) {
        FileSystem::Mounted => Check::good("pins", format!("{shown} is on a BPF file system")),
        FileSystem::ToBeMounted => {
            Check::note("pins", "no BPF file system is mounted yet; the agent mounts one")
        }
        FileSystem::Other => Check::problem("pins", format!("{shown} is on no BPF file system"))
            .advice("mount one there, or set kernel.pin_path to a directory on one"),
    }
}

fn feature(feature: Feature, is_told: bool) -> Check {
    let subject = format!("kernel: {}", feature.name());
    if feature.is_there() {
        return Check::good(subject, "there");
    }
    if !is_told {
        return Check::unknown(subject, "not told to this user").advice("run as root");
    }
    let missing = format!("not there; Linux has it since {}", feature.since());
    match feature.without() {
        Some(instead) => Check::note(subject, format!("{missing}. Instead {instead}")),
        None => Check::problem(subject, missing)
            .advice("run Linux 5.18 or later, and this as root, who alone is told"),
    }
}

/// The file of records, which an agent leaves as it is where there is one.
fn records(path: &Path) -> Check {
    let check = writable("records", path);
    match wide_mode(path).filter(|_| check.state == State::Good) {
        Some(mode) => Check::note("records", format!("{} has the mode {mode:o}", path.display()))
            .advice("others may use it; run: chmod 640 on it"),
        None => check,
    }
}

/// Whether a file could be written at `path`. Its directory is made when it is missing.
fn writable(subject: &str, path: &Path) -> Check {
    let shown = path.display();
    let above = path.ancestors().skip(1).find(|path| path.exists());
    let Some(above) = above.filter(|above| !above.as_os_str().is_empty()) else {
        return Check::problem(subject, format!("{shown} lies nowhere"))
            .advice("give a whole path");
    };
    if !above.is_dir() {
        return Check::problem(subject, format!("{} is no directory", above.display()))
            .advice("configure another path");
    }
    match access(above, AccessFlags::W_OK | AccessFlags::X_OK) {
        Ok(()) => Check::good(subject, format!("{shown} can be written")),
        Err(Errno::EACCES) if !Uid::effective().is_root() => {
            let found = format!("{} cannot be written to by this user", above.display());
            Check::unknown(subject, found).advice("run as root")
        }
        Err(error) => {
            let found = format!("{} cannot be written to: {error}", above.display());
            Check::problem(subject, found).advice("change its owner or mode, or the path")
        }
    }
}

/// The schemas, where any are named: without one of them the agent does not start.
fn schemas(config: &Config) -> Option<Check> {
    if config.endpoints.iter().all(|endpoint| endpoint.schemas.is_empty()) {
        return None;
    }
    Some(match schemas::of_endpoints(config) {
        Ok(_) => Check::good("schemas", "every file can be used"),
        Err(error) => Check::problem("schemas", error.to_string())
            .advice("mend the file, or take it out of the endpoint's `schemas`"),
    })
}

/// Networks of a provider that are too old to tell much by.
fn networks(provider: &Provider) -> Option<Check> {
    let days = provider.days_stale(now())?;
    let found = format!("those of {} are {days} days old", provider.name);
    let advice = "renew them; a delivery from a newer one is told as from outside";
    Some(Check::note("networks", found).advice(advice))
}

/// A secret the agent has to read. Those that systemd hands out are the service's alone.
fn secret(reference: &SecretRef) -> Check {
    let subject = format!("secret {reference}");
    match (secrets::read(reference), reference) {
        (Ok(_), _) => Check::good(subject, "can be read, by nobody else"),
        (Err(error), SecretRef::File(_)) if error.is_denied() && !Uid::effective().is_root() => {
            Check::unknown(subject, "not told to this user").advice("run as root")
        }
        (Err(error), SecretRef::File(_)) => Check::problem(subject, error.to_string()),
        (Err(_), _) => Check::note(subject, "only the service itself can see it"),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_place_is_writable_when_what_exists_of_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        for (path, expected) in [
            (file.clone(), State::Good),
            (folder.path().join("a/b/c"), State::Good),
            (file.join("below a file"), State::Problem),
            ("bare".into(), State::Problem),
        ] {
            let check = writable("records", &path);
            assert_eq!(check.state, expected, "{check:?}");
            assert_eq!(check.advice.is_some(), expected == State::Problem, "{check:?}");
        }
        assert!(!folder.path().join("a").exists(), "nothing was made");
    }

    #[test]
    fn a_configuration_that_is_refused_is_a_problem() {
        let (config, check) = configuration(Path::new("/nonexistent/hooksensor.toml"));
        assert_eq!((config, check.state), (Config::default(), State::Problem));
    }
}
