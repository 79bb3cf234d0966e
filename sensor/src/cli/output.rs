//! What verbs print: tables for people, JSON for programs, and failures with their exit code.
//!
//! It must not know any verb.

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::ValueEnum;
use serde::Serialize;

use crate::config::ConfigError;
use crate::control::ClientError;
use crate::schemas::FileError;
use crate::secrets::SecretError;

const FAILED: u8 = 1;
const USAGE: u8 = 2;

/// How output is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Human,
    /// For programs: one JSON value.
    Json,
}

/// What went wrong, in words for a person, and the exit code.
#[derive(Debug)]
pub struct Failure {
    message: String,
    code: u8,
}

impl Failure {
    /// The verb could not do its work.
    pub fn failed(message: impl Into<String>) -> Self {
        Self { message: message.into(), code: FAILED }
    }

    /// The command line or the configuration is wrong.
    pub fn usage(message: impl Into<String>) -> Self {
        Self { message: message.into(), code: USAGE }
    }

    /// Prints the message to standard error.
    #[must_use]
    pub fn report(self) -> ExitCode {
        say(&format!("hooksensor: {}", self.message));
        ExitCode::from(self.code)
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::usage(error.to_string())
    }
}

impl From<SecretError> for Failure {
    fn from(error: SecretError) -> Self {
        Self::usage(error.to_string())
    }
}

impl From<FileError> for Failure {
    fn from(error: FileError) -> Self {
        Self::usage(error.to_string())
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        Self::failed(error.to_string())
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        let error = match error.downcast::<ConfigError>() {
            Ok(error) => return error.into(),
            Err(error) => error,
        };
        match error.downcast::<FileError>() {
            Ok(error) => error.into(),
            Err(error) => Self::failed(format!("{error:#}")),
        }
    }
}

/// Prints a value as JSON, for programs.
pub(super) fn json(value: &impl Serialize) -> Result<ExitCode, Failure> {
    let text = serde_json::to_string_pretty(value)
        .map_err(|error| Failure::failed(format!("cannot write JSON: {error}")))?;
    print(&text)
}

/// Prints lines to standard output. A reader that has gone away is no failure.
pub(super) fn print(text: &str) -> Result<ExitCode, Failure> {
    let mut output = io::stdout().lock();
    match writeln!(output, "{text}").and_then(|()| output.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::failed(format!("cannot write to standard output: {error}")))
        }
        _ => Ok(ExitCode::SUCCESS),
    }
}

/// Prints a line to standard error; where that is closed there is nobody to tell.
pub(super) fn say(text: &str) {
    drop(writeln!(io::stderr().lock(), "{text}"));
}

/// Rows under headings, in columns as wide as their widest cell. A cell drives no terminal and ends
/// no line, whatever somebody wrote into it.
pub(super) fn table(headings: &[&str], rows: &[Vec<String>]) -> String {
    let headings: Vec<_> = headings.iter().map(|heading| (*heading).to_owned()).collect();
    let rows: Vec<Vec<_>> =
        rows.iter().map(|row| row.iter().map(|cell| printable(cell)).collect()).collect();
    let lines = || std::iter::once(&headings).chain(&rows);
    let widths: Vec<_> = (0..headings.len())
        .map(|column| {
            lines().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max()
        })
        .map(Option::unwrap_or_default)
        .collect();
    let line = |row: &Vec<String>| {
        let Some((last, cells)) = row.split_last() else { return String::new() };
        let cells = cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}  "));
        (cells.collect::<String>() + last).trim_end().to_owned()
    };
    lines().map(line).collect::<Vec<_>>().join("\n")
}

/// Control characters by their escapes, everything else as it is: what peers sent drives no
/// terminal.
pub(super) fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    shown
}

/// The figures that are not zero.
pub(super) fn list(figures: &BTreeMap<String, u64>) -> String {
    let shown: Vec<_> = figures
        .iter()
        .filter(|(_, figure)| **figure > 0)
        .map(|(name, figure)| format!("{name} {figure}"))
        .collect();
    if shown.is_empty() { String::from("none") } else { shown.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = vec![
            vec![String::from("203.0.113.9"), String::from("flood")],
            vec![String::from("a"), String::from("b")],
        ];
        let expected = "TARGET       REASON\n203.0.113.9  flood\na            b";
        assert_eq!(table(&["TARGET", "REASON"], &rows), expected);
    }

    #[test]
    fn cells_drive_no_terminal() {
        let rows = vec![vec![String::from("tried\n\u{1b}]0;door\u{7}\u{9b}s")]];
        assert_eq!(table(&["REASON"], &rows), "REASON\ntried\\n\\u{1b}]0;door\\u{7}\\u{9b}s");
    }
}
