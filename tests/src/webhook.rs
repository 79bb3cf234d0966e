//! Webhooks as their providers sign them, and endpoints that expect them.
//!
//! It must not know what the sensor says of them.

use std::fmt::Write as _;
use std::fs::{self, Permissions};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::agent::Agent;
use crate::curl::{SECRET, signature};
use crate::eventually;
use crate::namespace::Namespace;
use crate::network::SERVER_V4;
use crate::sender::Sender;

/// The port of every endpoint here.
pub const PORT: u16 = 8080;

/// A path that the server answers 200.
pub const WORKING: &str = "/hooks/github";
/// A path that the server answers 500, beside [`WORKING`].
pub const BROKEN: &str = "/hooks/broken";

/// A payload long enough to be told from others of the same text.
pub const BODY: &str =
    r#"{"ref":"refs/heads/main","before":"6113728f27ae82c7b1a177c8d03f9e96e0adf246"}"#;

/// How long a record may take to be written after its exchange.
const SETTLE: Duration = Duration::from_secs(30);

/// Part of a configuration: an endpoint of a provider, with a secret in a file or without one.
#[must_use]
pub fn endpoint(name: &str, path_prefix: &str, provider: &str, secret: Option<&Path>) -> String {
    let mut text = format!(
        "[[endpoint]]\nname = {name:?}\nport = {PORT}\npath_prefix = {path_prefix:?}\n\
         provider = {provider:?}\n"
    );
    if let Some(path) = secret {
        writeln!(text, "secrets = [\"file:{}\"]", path.display()).expect("a string takes text");
    }
    text
}

/// The shared secret in a file of `namespace` that only its owner reads.
///
/// # Errors
/// When it cannot be written.
pub fn secret_file(namespace: &Namespace) -> Result<PathBuf> {
    let path = namespace.folder().join("secret");
    fs::write(&path, SECRET).context("cannot write the secret")?;
    fs::set_permissions(&path, Permissions::from_mode(0o600)).context("cannot hide the secret")?;
    Ok(path)
}

/// The head of a delivery of GitHub's.
#[must_use]
pub fn github(event: &str, id: &str, body: &[u8]) -> Vec<String> {
    vec![
        format!("X-GitHub-Event: {event}"),
        format!("X-GitHub-Delivery: {id}"),
        format!("X-Hub-Signature-256: {}", signature(body)),
    ]
}

/// The head of a delivery of Slack's that was signed so long ago.
///
/// # Panics
/// When the clock stands before 1970.
#[must_use]
pub fn slack(age: Duration, body: &str) -> Vec<String> {
    let signed_at = SystemTime::now() - age;
    let time = signed_at.duration_since(UNIX_EPOCH).expect("a clock after 1970").as_secs();
    let signed = signature(format!("v0:{time}:{body}").as_bytes());
    vec![
        format!("X-Slack-Request-Timestamp: {time}"),
        format!("X-Slack-Signature: {}", signed.replace("sha256", "v0")),
    ]
}

/// Sends one delivery to the server on a connection of its own, and returns the status code of the
/// answer.
///
/// # Errors
/// When there is no answer.
pub fn post(from: &Namespace, path: &str, headers: &[String], body: &[u8]) -> Result<u16> {
    Sender::connect(from, SocketAddr::new(SERVER_V4.into(), PORT))?.post(path, headers, body)
}

/// The records of a dataset, once there are `count`.
///
/// # Panics
/// When there are not in time, with those there are.
#[must_use]
pub fn dataset(agent: &Agent<'_>, name: &str, count: usize) -> Vec<Value> {
    let enough = || agent.dataset(name).ok().filter(|records| records.len() >= count);
    eventually(SETTLE, name, enough).unwrap_or_else(|error| {
        let there = agent.dataset(name).unwrap_or_default();
        let (found, log, figures) = (there.len(), agent.log(), losses(agent));
        panic!("{error}: {found} of {count}, the log is\n{log}\n{figures}\n{there:#?}")
    })
}

/// The figures that say where samples and records went, for the words of a failed test.
#[must_use]
pub fn losses(agent: &Agent<'_>) -> String {
    let text = agent.get("/metrics").unwrap_or_else(|error| format!("{error:#}"));
    let tells = |line: &&str| {
        let kinds = ["hooksensor_sample", "hooksensor_stream", "hooksensor_record"];
        kinds.iter().any(|kind| line.starts_with(kind)) && !line.ends_with(" 0")
    };
    text.lines().filter(tells).collect::<Vec<_>>().join("\n")
}

/// The text at `pointer`; a dash when there is none.
#[must_use]
pub fn text<'a>(record: &'a Value, pointer: &str) -> &'a str {
    record.pointer(pointer).and_then(Value::as_str).unwrap_or("-")
}
