//! Settings as TOML text, with the comments of the schema or without.
//!
//! It must not know any setting by name: order and comments come from the schema.

use serde_json::{Map, Value};

use super::schema;
use super::settings::Config;

/// Width of a comment line, so that it reads well in any terminal.
const COMMENT_WIDTH: usize = 80;

const HEADER: &str = "\
Configuration of hooksensor. Every key is here with its default.
`hooksensor config check FILE` says whether an edited file is good.";

/// The default settings with a comment on every key, for `config show --default`.
#[must_use]
pub fn sample() -> String {
    let mut text = String::new();
    for line in HEADER.lines() {
        comment(line, &mut text);
    }
    render(&Config::default(), Comments::Shown, &mut text);
    text
}

/// `config` as TOML without comments, for `config show`.
pub(super) fn effective(config: &Config) -> String {
    let mut text = String::new();
    render(config, Comments::Left, &mut text);
    text.trim_start().to_owned()
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Comments {
    Shown,
    Left,
}

fn render(config: &Config, comments: Comments, text: &mut String) {
    let values = serde_json::to_value(config).expect("settings have text keys and finite numbers");
    Renderer { comments, text }.table(&values, &schema::inlined(), "");
}

struct Renderer<'a> {
    comments: Comments,
    text: &'a mut String,
}

impl Renderer<'_> {
    /// Writes a table: its plain keys first, as TOML wants them, then the tables within it.
    fn table(&mut self, values: &Value, schema: &Value, path: &str) {
        let known = properties(schema);
        let (tables, plain): (Vec<_>, Vec<_>) =
            known.iter().partition(|(_, schema)| is_table(schema) || is_table(&schema["items"]));
        for (key, schema) in plain {
            self.describe(schema, self.comments == Comments::Shown);
            self.text.push_str(&format!("{key} = {}\n", toml_value(&values[key])));
        }
        for (key, schema) in tables {
            let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            if is_table(schema) {
                self.describe(schema, true);
                self.text.push_str(&format!("[{path}]\n"));
                self.table(&values[key], schema, &path);
            } else {
                self.list(&values[key], schema, &path);
            }
        }
    }

    /// Writes a list of tables; one in comments, from the schema's examples, when it is empty.
    fn list(&mut self, values: &Value, schema: &Value, path: &str) {
        for value in values.as_array().into_iter().flatten() {
            self.text.push_str(&format!("\n[[{path}]]\n"));
            self.table(value, &schema["items"], path);
        }
        if values.as_array().is_some_and(Vec::is_empty) && self.comments == Comments::Shown {
            self.example(schema, path);
        }
    }

    /// Writes one table of a list in comments, and one of each list within it.
    fn example(&mut self, schema: &Value, path: &str) {
        self.describe(schema, true);
        self.text.push_str(&format!("# [[{path}]]\n"));
        let (lists, plain): (Vec<_>, Vec<_>) =
            properties(&schema["items"]).iter().partition(|(_, schema)| is_table(&schema["items"]));
        for (key, schema) in plain {
            comment(schema["description"].as_str().unwrap_or_default(), self.text);
            self.text.push_str(&format!("# {key} = {}\n", toml_value(&schema["examples"][0])));
        }
        for (key, schema) in lists {
            self.example(schema, &format!("{path}.{key}"));
        }
    }

    fn describe(&mut self, schema: &Value, spaced: bool) {
        if spaced {
            self.text.push('\n');
        }
        if self.comments == Comments::Shown {
            comment(schema["description"].as_str().unwrap_or_default(), self.text);
        }
    }
}

fn properties(schema: &Value) -> &Map<String, Value> {
    schema["properties"].as_object().expect("the schema of a table has properties")
}

fn is_table(schema: &Value) -> bool {
    schema["properties"].is_object()
}

/// A scalar or an array of scalars. TOML writes them as JSON does, but for a space in arrays.
fn toml_value(value: &Value) -> String {
    match value {
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(toml_value).collect();
            format!("[{}]", items.join(", "))
        }
        scalar => {
            toml::Value::try_from(scalar).map_or_else(|_| scalar.to_string(), |v| v.to_string())
        }
    }
}

/// Writes `description` as comment lines, wrapped between words.
fn comment(description: &str, text: &mut String) {
    let mut width = 0;
    for word in description.split_whitespace() {
        let length = word.chars().count() + 1;
        if width == 0 || width + length > COMMENT_WIDTH {
            text.push_str(if width == 0 { "#" } else { "\n#" });
            width = 1;
        }
        text.push(' ');
        text.push_str(word);
        width += length;
    }
    text.push('\n');
}
