//! `hooksensor ban`, `unban` and `decisions list`.
//!
//! It must not know what is granted; the agent's choke point does.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::process::ExitCode;
use std::time::Duration;

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Subcommand};
use ipnet::IpNet;

use super::output::{Failure, Format, json, print, say, table};
use super::{Agent, Listing, mismatch};
use crate::config::{format_duration, parse_duration};
use crate::control::{Ban, BanScope, DecisionView, Outcome, Reply, Request};

/// The command line of `ban`.
#[derive(Debug, Args)]
pub(super) struct BanArguments {
    /// Addresses or networks.
    #[arg(required = true, value_name = "ADDRESS|NETWORK", value_parser = parse_target)]
    targets: Vec<IpNet>,
    /// For how long: 90s, 30m, 4h or 7d.
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    duration: Duration,
    /// Why, in words that will make sense in a year.
    #[arg(long, value_name = "TEXT", value_parser = NonEmptyStringValueParser::new())]
    reason: String,
    /// Only on this watched port, instead of all of them. May be repeated.
    #[arg(long = "port", value_name = "PORT", conflicts_with = "host")]
    ports: Vec<u16>,
    /// On every port of this host, SSH among them.
    #[arg(long)]
    host: bool,
    #[command(flatten)]
    listing: Listing,
}

/// The command line of `unban`.
#[derive(Debug, Args)]
pub(super) struct UnbanArguments {
    /// Addresses or networks, exactly as they were banned.
    #[arg(required = true, value_name = "ADDRESS|NETWORK", value_parser = parse_target)]
    targets: Vec<IpNet>,
    #[command(flatten)]
    listing: Listing,
}

/// The verbs below `decisions`.
#[derive(Debug, Subcommand)]
pub(super) enum Decisions {
    /// List the bans in force.
    List(Listing),
}

pub(super) fn ban(agent: &Agent, arguments: BanArguments) -> Result<ExitCode, Failure> {
    let scope = if arguments.host {
        BanScope::Host
    } else if arguments.ports.is_empty() {
        BanScope::WatchedPorts
    } else {
        BanScope::Ports(BTreeSet::from_iter(arguments.ports))
    };
    let request = Request::Ban(Ban {
        targets: arguments.targets,
        seconds: arguments.duration.as_secs(),
        reason: arguments.reason,
        scope,
    });
    outcome(agent, &request, arguments.listing.output)
}

pub(super) fn unban(agent: &Agent, arguments: UnbanArguments) -> Result<ExitCode, Failure> {
    let request = Request::Unban { targets: arguments.targets };
    outcome(agent, &request, arguments.listing.output)
}

pub(super) fn list(agent: &Agent, format: Format) -> Result<ExitCode, Failure> {
    let Reply::Decisions(decisions) = agent.ask(&Request::Decisions)? else {
        return Err(mismatch());
    };
    match format {
        Format::Json => json(&decisions),
        Format::Human if decisions.is_empty() => print("no bans"),
        Format::Human => print(&rows(&decisions)),
    }
}

fn outcome(agent: &Agent, request: &Request, format: Format) -> Result<ExitCode, Failure> {
    let Reply::Outcome(outcome) = agent.ask(request)? else { return Err(mismatch()) };
    match format {
        Format::Json => {
            json(&outcome)?;
        }
        Format::Human => describe(&outcome)?,
    }
    Ok(if outcome.refused.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn describe(outcome: &Outcome) -> Result<(), Failure> {
    for decision in &outcome.done {
        let line = match (decision.action.as_str(), decision.enforced) {
            ("ban", true) => format!("{} is banned for {}", decision.target, left(decision)),
            ("ban", false) => format!(
                "{} would be banned for {}: decisions are simulated until enforce = true",
                decision.target,
                left(decision)
            ),
            _ => format!("{} is no longer banned", decision.target),
        };
        print(&line)?;
    }
    for refused in &outcome.refused {
        say(&format!("hooksensor: refused: {}", refused.reason));
    }
    Ok(())
}

fn rows(decisions: &[DecisionView]) -> String {
    let rows: Vec<_> = decisions
        .iter()
        .map(|one| {
            let mode = if one.enforced { "drop" } else { "simulated" };
            vec![
                one.target.to_string(),
                mode.to_owned(),
                one.scope.clone(),
                left(one),
                count(one.packets),
                count(one.bytes),
                one.origin.clone(),
                one.reason.clone(),
            ]
        })
        .collect();
    let headings =
        ["TARGET", "ACTION", "SCOPE", "TIME LEFT", "PACKETS", "BYTES", "ORIGIN", "REASON"];
    table(&headings, &rows)
}

fn count(count: Option<u64>) -> String {
    count.map_or_else(|| String::from("-"), |count| count.to_string())
}

fn left(decision: &DecisionView) -> String {
    format_duration(Duration::from_secs(decision.seconds_left))
}

/// An address, or a network whose address has no bits below its prefix: `10.0.0.5/24` may mean
/// either, and a ban is no place to guess.
fn parse_target(text: &str) -> Result<IpNet, String> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok(address.to_canonical().into());
    }
    let net: IpNet = text.parse().map_err(|_| {
        String::from("write an address (192.0.2.1, 2001:db8::1) or a network (192.0.2.0/24)")
    })?;
    if net.trunc() != net {
        return Err(format!(
            "this may mean the address {} or the network {}; write the one you mean",
            net.addr(),
            net.trunc()
        ));
    }
    Ok(net)
}

fn parse_time(text: &str) -> Result<Duration, String> {
    parse_duration(text).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The target `text` names, or the words of its refusal.
    fn check(text: &str, expected: &str) {
        let read = parse_target(text).map_or_else(|refusal| refusal, |net| net.to_string());
        assert_eq!(read, expected, "{text}");
    }

    #[test]
    fn targets_are_read_without_guessing() {
        check("192.0.2.1", "192.0.2.1/32");
        check("::ffff:192.0.2.1", "192.0.2.1/32");
        check("2001:db8::/48", "2001:db8::/48");
        check(
            "10.0.0.5/24",
            "this may mean the address 10.0.0.5 or the network 10.0.0.0/24; write the one you mean",
        );
        check(
            "example.org",
            "write an address (192.0.2.1, 2001:db8::1) or a network (192.0.2.0/24)",
        );
    }
}
