//! The shape of a parsed file against the schema: unknown keys, and tables or lists out of place.
//!
//! It must not know what a value means.

use std::ops::Range;

use serde_json::{Map, Value};
use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

/// How alike two keys are, from 0 to 1, before one is offered for the other. At this value a
/// swapped, missing or doubled letter is found and a merely similar word is not.
const ALIKE: f64 = 0.85;

/// A key that does not belong where it is.
pub(super) struct Misfit {
    pub(super) span: Range<usize>,
    /// The key from the top, unless it is unknown.
    pub(super) key: Option<String>,
    pub(super) message: String,
}

/// Takes out of `table` what the schema has no place for, and hands it over.
pub(super) fn take_misfits(table: &mut DeTable<'_>, schema: &Value) -> Vec<Misfit> {
    let mut misfits = Vec::new();
    take_from(table, schema, "", &mut misfits);
    misfits
}

fn take_from(table: &mut DeTable<'_>, schema: &Value, path: &str, misfits: &mut Vec<Misfit>) {
    let Some(known) = schema["properties"].as_object() else { return };
    let keys: Vec<_> = table.keys().cloned().collect();
    for key in keys {
        let name = key_text(&key);
        let Some(value) = table.get_mut(name) else { continue };
        if let Some(misfit) = misfit(&key, value, known, path) {
            misfits.push(misfit);
            table.remove(name);
            continue;
        }
        let path = join(path, name);
        match value.get_mut() {
            DeValue::Table(inner) => take_from(inner, &known[name], &path, misfits),
            DeValue::Array(items) => {
                for item in items.iter_mut() {
                    if let DeValue::Table(inner) = item.get_mut() {
                        take_from(inner, &known[name]["items"], &path, misfits);
                    }
                }
            }
            _ => {}
        }
    }
}

fn misfit(
    key: &Spanned<DeString<'_>>,
    value: &Spanned<DeValue<'_>>,
    known: &Map<String, Value>,
    path: &str,
) -> Option<Misfit> {
    let name = key_text(key);
    let span = key.span();
    let Some(schema) = known.get(name) else {
        return Some(Misfit { span, key: None, message: unknown_key(name, known, path) });
    };
    let key = join(path, name);
    let message = misplaced(name, &key, value.get_ref(), schema)?;
    Some(Misfit { span, key: Some(key), message })
}

/// What is wrong when a table, a list or a single value stands where another of the three belongs.
fn misplaced(name: &str, path: &str, value: &DeValue<'_>, schema: &Value) -> Option<String> {
    let item_is_table = |schema: &Value| schema["items"]["properties"].is_object();
    if schema["properties"].is_object() {
        (!value.is_table())
            .then(|| format!("this is a table; write [{path}] and its keys below it"))
    } else if item_is_table(schema) {
        let tables =
            value.as_array().is_some_and(|items| items.iter().all(|i| i.get_ref().is_table()));
        (!tables).then(|| format!("this is a list of tables; write [[{path}]] for each of them"))
    } else if schema["type"] == "array" {
        (!value.is_array()).then(|| format!("this is a list; write it in brackets: {name} = [...]"))
    } else if schema["type"] == "object" {
        (!value.is_table()).then(|| {
            format!("this holds names with their values; write {name} = {{ \"NAME\" = \"VALUE\" }}")
        })
    } else {
        let single = !value.is_table() && !value.is_array();
        (!single).then(|| format!("this is a single value; write {name} = ..."))
    }
}

fn unknown_key(key: &str, known: &Map<String, Value>, path: &str) -> String {
    let place = if path.is_empty() { String::new() } else { format!(" in [{path}]") };
    let nearest = known
        .keys()
        .map(|candidate| (strsim::jaro_winkler(key, candidate), candidate))
        .filter(|(likeness, _)| *likeness >= ALIKE)
        .max_by(|(a, _), (b, _)| a.total_cmp(b));
    let offer = nearest.map_or_else(String::new, |(_, name)| format!("did you mean {name:?}? "));
    let known: Vec<&str> = known.keys().map(String::as_str).collect();
    format!("unknown key {key:?}{place}; {offer}known keys: {}", known.join(", "))
}

pub(super) fn key_text<'a>(key: &'a Spanned<DeString<'_>>) -> &'a str {
    key.get_ref()
}

pub(super) fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}
