//! A request out of an HTTP Archive (version 1.2), as browsers and proxies save it.
//!
//! It must not know what the request is for.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::request_file::{RequestFile, headers};
use super::which::{Which, several};
use crate::cli::moment;
use crate::http::Headers;
use crate::webhook::{NoContent, Table};

const BROKEN_BASE64: &str = "The HAR file says that the body is in base64, and it is not, so that \
                             the octets that were sent are not known: save it anew.";

const NO_BODY: &str = "The HAR file does not hold the body of this request; save it with content.";
const UNKNOWN_BODY: &str = "The HAR file has no postData, and by its bodySize of -1 it is not known \
                            whether there was a body: save it with content.";

/// Whether these octets begin as JSON does, of which a HAR file is the only one that is a request.
pub(super) fn is_archive(octets: &[u8]) -> bool {
    octets.trim_ascii_start().starts_with(b"{")
}

/// The request in `octets` that is meant, or else the first where none is chosen; says in words why
/// there is none.
pub(super) fn read(octets: &[u8], which: Which<'_>, table: &Table) -> Result<RequestFile, String> {
    let archive: Value =
        serde_json::from_slice(octets).map_err(|error| format!("this is broken JSON: {error}"))?;
    let entries = archive.pointer("/log/entries").and_then(Value::as_array);
    let requests = entries.into_iter().flatten().filter_map(request);
    let mut requests: Vec<_> = requests.collect();
    if requests.is_empty() {
        return Err(String::from(
            "this is JSON and no HAR file with a request at log.entries; a body alone does not say \
             who signed it, so write the request with its headers before it",
        ));
    }
    let numbered = (1..).zip(&requests);
    let meant: Vec<u64> = numbered
        .filter(|(number, request)| which.is(*number, &request.message(), table))
        .map(|(number, _)| number)
        .collect();
    let number = match meant.first() {
        Some(number) => *number,
        None if which == Which::Webhook => 1,
        None => return Err(which.missing(requests.len())),
    };
    let mut request = requests.swap_remove(usize::try_from(number - 1).unwrap_or_default());
    request.notes.extend(several(meant.len()));
    Ok(request)
}

fn request(entry: &Value) -> Option<RequestFile> {
    let request = &entry["request"];
    let text = |value: &Value, key: &str| value[key].as_str().map(str::to_owned);
    let url = text(request, "url")?;
    let fields: Vec<_> = request["headers"]
        .as_array()?
        .iter()
        .filter_map(|field| Some((text(field, "name")?, text(field, "value")?.into_bytes())))
        .filter(|(name, _)| !name.starts_with(':'))
        .collect();
    let headers = headers(&fields);
    let (body, note) = body(request, &headers);
    Some(RequestFile {
        method: text(request, "method")?,
        target: url.clone(),
        headers,
        body,
        url: Some(url),
        sent: text(entry, "startedDateTime").and_then(|at| Some(moment(at.parse().ok()?))),
        is_cut: false,
        notes: note.map(str::to_owned).into_iter().collect(),
    })
}

/// The body, and what is to be said of it.
fn body(request: &Value, headers: &Headers) -> (Result<Vec<u8>, NoContent>, Option<&'static str>) {
    let data = &request["postData"];
    if let Some(text) = data["text"].as_str().filter(|text| !text.is_empty()) {
        if data["encoding"] != "base64" {
            return (Ok(text.as_bytes().to_vec()), None);
        }
        return match STANDARD.decode(text) {
            Ok(octets) => (Ok(octets), None),
            Err(_) => (Err(NoContent::NotKept), Some(BROKEN_BASE64)),
        };
    }
    if let Some(fields) = data["params"].as_array().filter(|fields| !fields.is_empty()) {
        let note = "The HAR file has the fields of the form and not its text, which was put \
                    together from them: what is escaped otherwise does not match.";
        return (Ok(form(fields)), Some(note));
    }
    let declared = headers.first("content-length");
    let is_question = matches!(request["method"].as_str(), Some("GET" | "HEAD"));
    let missing = match request["bodySize"].as_i64() {
        Some(1..) => Some(NO_BODY),
        _ if declared.is_some_and(|declared| declared != b"0") => Some(NO_BODY),
        Some(-1) if declared.is_none() && !is_question => Some(UNKNOWN_BODY),
        _ => None,
    };
    match missing {
        Some(note) => (Err(NoContent::NotKept), Some(note)),
        None => (Ok(Vec::new()), None),
    }
}

/// The text of a form (`application/x-www-form-urlencoded`). Names and values stand in a HAR as
/// they were sent or, by other tools, decoded: then one has an octet that is never sent as it is.
fn form(fields: &[Value]) -> Vec<u8> {
    let parts = |key| fields.iter().map(move |field| field[key].as_str().unwrap_or_default());
    let is_sent = |octet: u8| octet.is_ascii_alphanumeric() || b"*-._~+%".contains(&octet);
    let are_sent = parts("name").chain(parts("value")).all(|part| part.bytes().all(is_sent));
    let written = |part: &str| if are_sent { part.to_owned() } else { encoded(part) };
    let pairs = parts("name").zip(parts("value"));
    let pairs: Vec<_> =
        pairs.map(|(name, value)| format!("{}={}", written(name), written(value))).collect();
    pairs.join("&").into_bytes()
}

/// A name or a value as a form has it (WHATWG URL, section 5.2).
fn encoded(part: &str) -> String {
    let mut text = String::new();
    for octet in part.bytes() {
        match octet {
            b' ' => text.push('+'),
            _ if octet.is_ascii_alphanumeric() || b"*-._".contains(&octet) => {
                text.push(char::from(octet));
            }
            _ => text.push_str(&format!("%{octet:02X}")),
        }
    }
    text
}
