//! Reads the JSON Schemas that the configuration names.
//!
//! It must not know what they are used for.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::config::{Config, UnknownMembers};
use crate::regular;
use crate::webhook::payload::{Schema, SchemaError, Schemas};

/// Octets that a file of schemas has at most: that of every event of GitHub has 630 kB.
const MAX_FILE_BYTES: u64 = 4 << 20;

/// Why a file of schemas cannot be used.
#[derive(Debug)]
pub struct FileError {
    path: PathBuf,
    why: Why,
}

#[derive(Debug)]
enum Why {
    Unreadable(io::Error),
    TooLong,
    Schema(SchemaError),
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the schema {} cannot be used: ", self.path.display())?;
        match &self.why {
            Why::Unreadable(error) => write!(f, "{error}"),
            Why::TooLong => write!(f, "it is longer than {MAX_FILE_BYTES} octets"),
            Why::Schema(error) => write!(f, "{error}"),
        }
    }
}

impl std::error::Error for FileError {}

/// The schemas of each endpoint of `config`, in its order. A file that several name, and
/// mean alike, is read once.
///
/// # Errors
///
/// When a file cannot be read, or holds no schema.
pub fn of_endpoints(config: &Config) -> Result<Vec<Schemas>, FileError> {
    let mut known: BTreeMap<(&Path, UnknownMembers), Arc<Schema>> = BTreeMap::new();
    let mut of_all = Vec::new();
    for endpoint in &config.endpoints {
        let mut of_one = Vec::new();
        for (event, path) in &endpoint.schemas {
            let key = (path.as_path(), endpoint.unknown_members);
            let schema = match known.get(&key) {
                Some(schema) => Arc::clone(schema),
                None => Arc::new(read(path, endpoint.unknown_members)?),
            };
            known.insert(key, Arc::clone(&schema));
            of_one.push((event.clone(), schema));
        }
        of_all.push(Schemas::new(of_one));
    }
    Ok(of_all)
}

fn read(path: &Path, unknown: UnknownMembers) -> Result<Schema, FileError> {
    let refuse = |why| FileError { path: path.to_owned(), why };
    let mut text = Vec::new();
    let (opened, _) = regular::open(path).map_err(|error| refuse(Why::Unreadable(error)))?;
    let read = opened.take(MAX_FILE_BYTES + 1).read_to_end(&mut text);
    read.map_err(|error| refuse(Why::Unreadable(error)))?;
    if text.len() as u64 > MAX_FILE_BYTES {
        return Err(refuse(Why::TooLong));
    }
    Schema::parse(&text, unknown).map_err(|error| refuse(Why::Schema(error)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Endpoint;

    #[test]
    fn files() {
        let folder = tempfile::tempdir().unwrap();
        let check = |text: &str, expected: &str| {
            let path = folder.path().join("schema.json");
            std::fs::write(&path, text).unwrap();
            let schemas = [("push".to_owned(), path.clone()), ("*".to_owned(), path)].into();
            let endpoint = Endpoint { schemas, ..Endpoint::default() };
            let config = Config { endpoints: vec![endpoint], ..Config::default() };
            let said =
                of_endpoints(&config).map_or_else(|error| error.to_string(), |_| String::new());
            assert!(said.contains(expected) && said.is_empty() == expected.is_empty(), "{said}");
        };
        check("{}", "");
        check("{", "schema.json cannot be used: it is no JSON");
        check("{\"$ref\":\"https://example.com/a\"}", "https://example.com/a");
        check(&" ".repeat(5 << 20), "longer than 4194304 octets");
        let missing = read(Path::new("/nonexistent/a"), UnknownMembers::Allow).unwrap_err();
        assert!(missing.to_string().contains("No such file"));
    }
}
