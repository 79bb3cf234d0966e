//! A request out of an HTTP Archive (version 1.2), as browsers and proxies save it.
//!
//! It must not know what the request is for.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::request_file::{RequestFile, headers};
use crate::http::Headers;
use crate::webhook::NoContent;

/// The first request in `octets` with headers that are `wanted`, or else the first; says in words
/// why there is none.
pub(super) fn read(
    octets: &[u8],
    wanted: impl Fn(&Headers) -> bool,
) -> Result<RequestFile, String> {
    let archive: Value =
        serde_json::from_slice(octets).map_err(|error| format!("this is broken JSON: {error}"))?;
    let entries = archive.pointer("/log/entries").and_then(Value::as_array);
    let requests = entries.into_iter().flatten().filter_map(|entry| request(&entry["request"]));
    let mut requests: Vec<_> = requests.collect();
    let index = requests.iter().position(|request| wanted(&request.headers)).unwrap_or_default();
    if index < requests.len() {
        return Ok(requests.swap_remove(index));
    }
    Err(String::from(
        "this is JSON and no HAR file with a request at log.entries; a body alone does not say who \
         signed it, so write the request with its headers before it",
    ))
}

fn request(request: &Value) -> Option<RequestFile> {
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
        sent: None,
        is_cut: false,
        notes: note.map(str::to_owned).into_iter().collect(),
    })
}

/// The body, and what is to be said of it.
fn body(request: &Value, headers: &Headers) -> (Result<Vec<u8>, NoContent>, Option<&'static str>) {
    let data = &request["postData"];
    if let Some(text) = data["text"].as_str().filter(|text| !text.is_empty()) {
        let octets = if data["encoding"] == "base64" { STANDARD.decode(text).ok() } else { None };
        return (Ok(octets.unwrap_or_else(|| text.as_bytes().to_vec())), None);
    }
    if let Some(fields) = data["params"].as_array().filter(|fields| !fields.is_empty()) {
        let note = "The HAR file has the fields of the form and not its text, which was put \
                    together from them: what is escaped otherwise does not match.";
        return (Ok(form(fields)), Some(note));
    }
    let declared = headers.first("content-length").unwrap_or(b"0");
    if request["bodySize"].as_i64().unwrap_or_default() > 0 || declared != b"0" {
        let note = "The HAR file does not hold the body of this request; save it with content.";
        return (Err(NoContent::NotKept), Some(note));
    }
    (Ok(Vec::new()), None)
}

/// The text of a form (`application/x-www-form-urlencoded`). Names and values stand in a HAR as they
/// were sent.
fn form(fields: &[Value]) -> Vec<u8> {
    let text = |field: &Value, key: &str| field[key].as_str().unwrap_or_default().to_owned();
    let pair = |field: &Value| format!("{}={}", text(field, "name"), text(field, "value"));
    fields.iter().map(pair).collect::<Vec<_>>().join("&").into_bytes()
}
