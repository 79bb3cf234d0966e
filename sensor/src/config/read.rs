//! TOML text to typed settings, with every problem of the text and not only the first.
//!
//! It must not know what the settings mean, beyond what their schema says.

use std::collections::BTreeMap;
use std::mem;
use std::ops::Range;

use serde::Deserialize;
use serde_json::Value;
use toml::Spanned;
use toml::de::{DeArray, DeString, DeTable, DeValue, Deserializer, Error};

use super::settings::Config;
use super::{Problem, schema};

/// How alike two keys are, from 0 to 1, before one is offered for the other. At this value a
/// swapped, missing or doubled letter is found and a merely similar word is not.
const ALIKE: f64 = 0.85;

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
    for error in &errors {
        reader.refuse(error.span(), None, error.message().replace('\n', ", "));
    }
    let mut table = document.into_inner();
    reader.remove_unknown(&mut table, &schema::inlined(), "");
    let config = if errors.is_empty() { reader.settings(&mut table) } else { Config::default() };
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

    /// Takes out the keys that the schema does not have.
    fn remove_unknown(&mut self, table: &mut DeTable<'_>, schema: &Value, path: &str) {
        let Some(known) = schema["properties"].as_object() else { return };
        let is_unknown = |key: &&Spanned<_>| !known.contains_key(key_text(key));
        let unknown: Vec<_> = table.keys().filter(is_unknown).cloned().collect();
        for key in unknown {
            self.refuse(Some(key.span()), None, unknown_key(key_text(&key), known.keys(), path));
            table.remove(key_text(&key));
        }
        for (key, value) in table.iter_mut() {
            let path = join(path, key_text(key));
            let schema = &known[key_text(key)];
            match value.get_mut() {
                DeValue::Table(inner) => self.remove_unknown(inner, schema, &path),
                DeValue::Array(items) => {
                    for item in items.iter_mut() {
                        if let DeValue::Table(inner) = item.get_mut() {
                            self.remove_unknown(inner, &schema["items"], &path);
                        }
                    }
                }
                _ => {}
            }
        }
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
            self.refuse(error.span(), removed, explain(&error));
            if !found {
                return Config::default();
            }
        }
    }
}

fn unknown_key<'a>(key: &str, known: impl Iterator<Item = &'a String>, path: &str) -> String {
    let known: Vec<&str> = known.map(String::as_str).collect();
    let place = if path.is_empty() { String::new() } else { format!(" in [{path}]") };
    let nearest = known
        .iter()
        .map(|candidate| (strsim::jaro_winkler(key, candidate), candidate))
        .filter(|(likeness, _)| *likeness >= ALIKE)
        .max_by(|(a, _), (b, _)| a.total_cmp(b));
    let offer = nearest.map_or_else(String::new, |(_, name)| format!("did you mean {name:?}? "));
    format!("unknown key {key:?}{place}; {offer}known keys: {}", known.join(", "))
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

fn key_text<'a>(key: &'a Spanned<DeString<'_>>) -> &'a str {
    key.get_ref()
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

fn line_of(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}
