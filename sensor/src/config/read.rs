//! TOML text to typed settings, with every problem of the text and not only the first.
//!
//! It must not know what the settings mean.

use std::collections::BTreeMap;
use std::mem;
use std::ops::Range;

use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue, Deserializer, Error};

use super::settings::Config;
use super::shape::{join, key_text, take_misfits};
use super::{Problem, schema};

/// What was read of a text.
pub(super) struct Reading {
    /// The settings; those with a problem have their default.
    pub(super) config: Config,
    /// The line of each key that was given, as in `endpoint[1].port`.
    pub(super) lines: BTreeMap<String, usize>,
    /// What was refused.
    pub(super) problems: Vec<Problem>,
}

/// Reads `text`, which the problems call `file`.
pub(super) fn read(text: &str, file: &str) -> Reading {
    let mut reader = Reader { text, file, problems: Vec::new() };
    let (document, errors) = DeTable::parse_recoverable(text);
    let mut table = document.into_inner();
    let config = if let Some(error) = errors.first() {
        // What follows the first mistake of syntax is mostly its consequence.
        reader.refuse(error.span(), None, syntax_message(error, text));
        Config::default()
    } else {
        for misfit in take_misfits(&mut table, &schema::inlined()) {
            reader.refuse(Some(misfit.span), misfit.key, misfit.message);
        }
        reader.settings(&mut table)
    };
    let mut lines = BTreeMap::new();
    collect_lines(&table, "", text, &mut lines);
    Reading { config, lines, problems: reader.problems }
}

struct Reader<'a> {
    text: &'a str,
    file: &'a str,
    problems: Vec<Problem>,
}

impl Reader<'_> {
    fn refuse(&mut self, span: Option<Range<usize>>, key: Option<String>, message: String) {
        self.problems.push(Problem {
            file: Some(self.file.to_owned()),
            line: span.map(|span| line_of(self.text, span.start)),
            key,
            message,
        });
    }

    /// Deserializes `table`; a value that is refused is reported and taken out, and the rest is
    /// tried again, until there is nothing left to refuse.
    fn settings(&mut self, table: &mut DeTable<'_>) -> Config {
        loop {
            let document = Spanned::new(0..self.text.len(), table.clone());
            let error = match Config::deserialize(Deserializer::from(document)) {
                Ok(config) => return config,
                Err(error) => error,
            };
            let removed = error.span().and_then(|span| remove_at(table, &span, ""));
            let found = removed.is_some();
            let message = explain(&error);
            if !self.is_consequence(removed.as_deref(), &message) {
                self.refuse(error.span(), removed, message);
            }
            if !found {
                return Config::default();
            }
        }
    }

    /// Whether `message` says that a key is missing at `place` which was there, and was refused.
    fn is_consequence(&self, place: Option<&str>, message: &str) -> bool {
        let missing = message.strip_prefix("missing field `");
        let Some(name) = missing.and_then(|rest| rest.strip_suffix('`')) else { return false };
        let key = join(place.unwrap_or_default(), name);
        self.problems.iter().any(|one| one.key.as_deref() == Some(&key))
    }
}

fn syntax_message(error: &Error, text: &str) -> String {
    let message = error.message().replace('\n', ", ");
    let place = error.span().and_then(|span| text.get(span)?.lines().next());
    match place {
        Some(place) if !place.is_empty() => format!("{message}, at {place:?}"),
        _ => message,
    }
}

/// Words for a person where the deserializer names a Rust type.
fn explain(error: &Error) -> String {
    let integers = [
        ("u8", u64::from(u8::MAX)),
        ("u16", u64::from(u16::MAX)),
        ("u32", u64::from(u32::MAX)),
        ("u64", u64::MAX),
        ("usize", u64::MAX),
    ];
    let message = error.message();
    for (name, maximum) in integers {
        if let Some(found) = message.strip_suffix(&format!("expected {name}")) {
            return format!("{found}write a whole number from 0 to {maximum}");
        }
    }
    message.replace("expected i64", "expected a whole number")
}

/// Removes the innermost value at `span` and returns its key.
fn remove_at(table: &mut DeTable<'_>, span: &Range<usize>, path: &str) -> Option<String> {
    for (key, value) in table.iter_mut() {
        let path = join(path, key_text(key));
        let removed = match value.get_mut() {
            DeValue::Table(inner) => remove_at(inner, span, &path),
            DeValue::Array(items) => remove_item_at(items, span, &path),
            _ => None,
        };
        if removed.is_some() {
            return removed;
        }
    }
    let key = table.iter().find(|(_, value)| value.span() == *span)?.0.clone();
    table.remove(key_text(&key))?;
    Some(join(path, key_text(&key)))
}

fn remove_item_at<'i>(items: &mut DeArray<'i>, span: &Range<usize>, path: &str) -> Option<String> {
    for item in items.iter_mut() {
        if let DeValue::Table(inner) = item.get_mut()
            && let Some(removed) = remove_at(inner, span, path)
        {
            return Some(removed);
        }
    }
    let position = items.iter().position(|item| item.span() == *span)?;
    let rest = mem::replace(items, DeArray::new()).into_iter().enumerate();
    *items = rest.filter(|(index, _)| *index != position).map(|(_, item)| item).collect();
    Some(path.to_owned())
}

fn collect_lines(table: &DeTable<'_>, path: &str, text: &str, lines: &mut BTreeMap<String, usize>) {
    for (key, value) in table {
        let path = join(path, key_text(key));
        lines.insert(path.clone(), line_of(text, key.span().start));
        match value.get_ref() {
            DeValue::Table(inner) => collect_lines(inner, &path, text, lines),
            DeValue::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    let path = format!("{path}[{index}]");
                    lines.insert(path.clone(), line_of(text, item.span().start));
                    if let DeValue::Table(inner) = item.get_ref() {
                        collect_lines(inner, &path, text, lines);
                    }
                }
            }
            _ => {}
        }
    }
}

pub(super) fn line_of(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}
