//! `hooksensor doctor`: whether this host is ready for the agent, and what to do where it is not.
//!
//! It needs no agent, asks one that runs, and changes nothing.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde::Serialize;

use super::Agent;
use super::config::USUAL_FILE;
use super::output::{Failure, Format, json, print, table};

mod checks;
mod interfaces;

/// The command line of the verb.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The configuration file.
    #[arg(long, value_name = "FILE", default_value = USUAL_FILE)]
    config: PathBuf,
    /// For people or for programs.
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
}

/// How something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Good,
    /// The agent runs with it, and could run better.
    Note,
    /// This user is not told.
    Unknown,
    /// The agent does not run, or not as configured.
    Problem,
}

/// One thing that was looked at.
#[derive(Debug, Serialize)]
struct Check {
    subject: String,
    state: State,
    found: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    advice: Option<String>,
}

/// Everything that was looked at.
#[derive(Debug, Serialize)]
struct Report {
    good: bool,
    checks: Vec<Check>,
}

impl Check {
    fn good(subject: impl Into<String>, found: impl Into<String>) -> Self {
        Self { subject: subject.into(), state: State::Good, found: found.into(), advice: None }
    }

    fn note(subject: impl Into<String>, found: impl Into<String>) -> Self {
        Self { state: State::Note, ..Self::good(subject, found) }
    }

    fn unknown(subject: impl Into<String>, found: impl Into<String>) -> Self {
        Self { state: State::Unknown, ..Self::good(subject, found) }
    }

    fn problem(subject: impl Into<String>, found: impl Into<String>) -> Self {
        Self { state: State::Problem, ..Self::good(subject, found) }
    }

    fn advice(self, advice: impl Into<String>) -> Self {
        Self { advice: Some(advice.into()), ..self }
    }
}

pub(super) fn run(agent: &Agent, arguments: &Arguments) -> Result<ExitCode, Failure> {
    let checks = checks::all(agent, &arguments.config);
    let good = checks.iter().all(|check| matches!(check.state, State::Good | State::Note));
    match arguments.output {
        Format::Json => json(&Report { good, checks })?,
        Format::Human => print(&describe(&checks))?,
    };
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn describe(checks: &[Check]) -> String {
    let mark = |state| match state {
        State::Good => "good",
        State::Note => "note",
        State::Unknown => "UNKNOWN",
        State::Problem => "PROBLEM",
    };
    let rows: Vec<_> = checks
        .iter()
        .map(|check| {
            let advice = check.advice.iter().map(|advice| format!("; {advice}"));
            let found = std::iter::once(check.found.clone()).chain(advice).collect();
            vec![mark(check.state).to_owned(), check.subject.clone(), found]
        })
        .collect();
    format!("{}\n{}", table(&["STATE", "WHAT", "FOUND"], &rows), summary(checks))
}

fn summary(checks: &[Check]) -> String {
    let count = |state| checks.iter().filter(|check| check.state == state).count();
    let problems = match count(State::Problem) {
        0 => String::from("no problems"),
        1 => String::from("1 problem"),
        many => format!("{many} problems"),
    };
    match count(State::Unknown) {
        0 => problems,
        unknown => format!("{problems}, {unknown} unknown"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_stands_out_with_what_to_do() {
        let checks = [
            Check::good("memory", "enough"),
            Check::problem("interface eth0", "it is down").advice("bring it up"),
        ];
        let expected = "STATE    WHAT            FOUND\n\
                        good     memory          enough\n\
                        PROBLEM  interface eth0  it is down; bring it up\n\
                        1 problem";
        assert_eq!(describe(&checks), expected);
    }
}
