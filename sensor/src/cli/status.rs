//! `hooksensor status`: the agent's health and counters.
//!
//! It must not know where figures come from.

use std::process::ExitCode;

use super::output::{Failure, Format, json, list, print, table};
use super::{Agent, mismatch, receivers};
use crate::control::{Reply, Request};
use crate::export::{PortFigures, SamplingFigures, Snapshot};

pub(super) fn run(agent: &Agent, format: Format) -> Result<ExitCode, Failure> {
    let Reply::Status(snapshot) = agent.ask(&Request::Status)? else { return Err(mismatch()) };
    match format {
        Format::Json => json(&snapshot),
        Format::Human => print(&describe(&snapshot)),
    }
}

fn describe(snapshot: &Snapshot) -> String {
    let mode = if snapshot.enforce {
        "enforcing"
    } else {
        "simulation: nothing is dropped until enforce = true"
    };
    let mut parts = vec![
        format!("hooksensor {}, up {} s, {mode}", snapshot.version, snapshot.uptime_seconds),
        interfaces(snapshot),
        sampling(snapshot.sampling),
        ports(&snapshot.kernel.ports),
        format!("records    {}", list(&snapshot.records.made)),
        format!("written    {}", list(&snapshot.records.written)),
        coverage(snapshot),
        format!(
            "bans       {} in force, {} prefixes protected",
            snapshot.bans.active, snapshot.bans.protected
        ),
    ];
    parts.extend(receivers::describe(&snapshot.receivers));
    let lost = list(&snapshot.records.lost);
    if lost != "none" {
        parts.push(format!("lost       {lost}"));
    }
    parts.join("\n")
}

fn interfaces(snapshot: &Snapshot) -> String {
    let lines = snapshot.interfaces.iter().map(|one| {
        let why = one.why.as_deref().map(|why| format!(" ({why})")).unwrap_or_default();
        let now =
            one.renamed.as_deref().map(|now| format!(", called {now} now")).unwrap_or_default();
        match &one.lost {
            Some(lost) => format!("interface  {}: NOT WATCHED, {lost}", one.name),
            None if one.mode == "tc" => format!("interface  {}: tc{why}{now}", one.name),
            None => format!("interface  {}: XDP {}{why}{now}", one.name, one.mode),
        }
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// How many connections are copied up, and whether that is fewer than are wanted.
fn sampling(figures: SamplingFigures) -> String {
    let rate = |one_in| match one_in {
        1 => String::from("every connection"),
        many => format!("one connection in {many}"),
    };
    let wanted = if figures.one_in == figures.configured {
        String::new()
    } else {
        format!(", for the agent cannot keep up; configured is {}", rate(figures.configured))
    };
    format!("copied up  {}{wanted}", rate(figures.one_in))
}

fn ports(ports: &[PortFigures]) -> String {
    let rows: Vec<_> = ports
        .iter()
        .map(|one| {
            let verdicts = |prefix: &str| {
                let named = one.verdicts.iter().filter(|(name, _)| name.starts_with(prefix));
                named.map(|(_, count)| count).sum::<u64>().to_string()
            };
            vec![
                one.port.to_string(),
                one.ingress_packets.to_string(),
                one.connections.to_string(),
                one.requests.values().sum::<u64>().to_string(),
                list(&one.responses),
                verdicts("drop_"),
                verdicts("would_drop_"),
                list(&one.samples_lost),
            ]
        })
        .collect();
    let headings = [
        "PORT",
        "PACKETS",
        "CONNECTIONS",
        "REQUESTS",
        "RESPONSES",
        "DROPPED",
        "WOULD DROP",
        "NOT COPIED",
    ];
    table(&headings, &rows)
}

/// What became of the requests of each endpoint.
fn coverage(snapshot: &Snapshot) -> String {
    let endpoints = snapshot.streams.endpoints.iter().map(|one| {
        let name = if one.endpoint.is_empty() { "(no endpoint)" } else { one.endpoint.as_str() };
        format!("coverage   port {} {name}: {}", one.port, list(&one.requests))
    });
    let rest = snapshot.coverage.iter().flat_map(|one| {
        [("no record", one.unrecorded), ("not counted", one.uncounted)]
            .into_iter()
            .filter(|(_, count)| *count > 0)
            .map(|(part, count)| format!("coverage   port {}: {part} {count}", one.port))
    });
    endpoints.chain(rest).collect::<Vec<_>>().join("\n")
}
