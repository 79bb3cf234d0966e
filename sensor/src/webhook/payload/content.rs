//! Holds content against what is declared of it, and reads what can be read.
//!
//! It must not know who declared it, nor what was expected.

use std::borrow::Cow;

use serde_json::Value;

use super::charset::Charset;
use super::coding::{Packed, Unpacking};
use super::document::{self, Document, Treeless};
use super::fault::{Fault, Unjudged};
use super::media::{self, Kind};
use crate::http::Headers;
use crate::webhook::form;

/// Fields of a form that are looked at. Slack's and Twilio's have some thirty.
const MAX_FIELDS: usize = 256;

/// The field of a form that holds JSON, as GitHub, Slack and Mailgun send it to who cannot read
/// another type.
const PAYLOAD: &[u8] = b"payload";

/// Content that was read.
#[derive(Debug)]
pub(super) enum Content {
    Json(Value),
    /// Names and values, as far as they are text.
    Form(Vec<(String, String)>),
}

/// What became of content.
#[derive(Debug, Default)]
pub(super) struct Reading {
    pub(super) found: Option<Content>,
    pub(super) faults: Vec<Fault>,
    pub(super) unjudged: Option<Unjudged>,
    /// Octets that were unpacked and read to come to this.
    pub(super) octets: usize,
}

/// Reads `octets`, which `headers` describe.
pub(super) fn read(headers: &Headers, octets: &[u8]) -> Reading {
    let mut unpacking = Unpacking::new(octets);
    let reading = match unpacking.content(headers) {
        Ok(content) => read_unpacked(headers, &content),
        Err(Packed::Broken(coding)) => Reading::fault(Fault::Undecodable(coding)),
        Err(Packed::Bomb(coding)) => Reading::fault(Fault::Bomb(coding)),
        Err(Packed::Unknown) => Reading::unjudged(Unjudged::Coding),
        Err(Packed::TooLarge) => Reading::unjudged(Unjudged::TooLarge),
    };
    Reading { octets: octets.len() + unpacking.octets(), ..reading }
}

fn read_unpacked(headers: &Headers, content: &[u8]) -> Reading {
    match media::declared(headers) {
        (Kind::Json, _) => json(content),
        (Kind::Form, _) => form(content),
        (Kind::Text, declared) => text(content, Charset::of_text(content, declared)),
        (Kind::Xml, declared) => text(content, Charset::of_xml(content, declared)),
        (Kind::Any, _) => any(content),
    }
}

impl Reading {
    fn fault(fault: Fault) -> Self {
        Self { faults: vec![fault], ..Self::default() }
    }

    fn unjudged(why: Unjudged) -> Self {
        Self { unjudged: Some(why), ..Self::default() }
    }

    fn of(document: Document) -> Self {
        let faults = document.repeated.map(Fault::Repeated).into_iter().collect();
        let (found, unjudged) = match document.tree {
            Ok(tree) => (Some(Content::Json(tree)), None),
            Err(Treeless::TooLarge) => (None, Some(Unjudged::TooLarge)),
            Err(Treeless::Unpredictable) => (None, Some(Unjudged::Unpredictable)),
        };
        Self { found, faults, unjudged, ..Self::default() }
    }
}

fn json(content: &[u8]) -> Reading {
    document::read(content).map_or_else(|why| Reading::fault(Fault::NotJson(why)), Reading::of)
}

/// A form, or the JSON in the field of one.
fn form(content: &[u8]) -> Reading {
    if let Some(at) = content.iter().position(|octet| !is_of_form(*octet)) {
        let is_json = document::read(content).is_ok();
        let fault = if is_json { Fault::JsonForForm } else { Fault::NotForm(at) };
        return Reading::fault(fault);
    }
    let text = |octets: Cow<'_, [u8]>| String::from_utf8_lossy(&octets).into_owned();
    let mut fields = Vec::new();
    for (name, value) in form::fields(content).take(MAX_FIELDS) {
        if *name == *PAYLOAD && value.starts_with(b"{") {
            return json(&value);
        }
        fields.push((text(name), text(value)));
    }
    Reading { found: Some(Content::Form(fields)), ..Reading::default() }
}

/// Text, of which some is JSON: Amazon SNS declares all of its own so.
fn text(content: &[u8], charset: Charset) -> Reading {
    if charset == Charset::Other {
        return Reading::unjudged(Unjudged::Charset);
    }
    if let Some(at) = binary(content) {
        return Reading::fault(Fault::Binary(at));
    }
    any(content)
}

/// JSON, if it looks so and is.
fn any(content: &[u8]) -> Reading {
    let looks_so = matches!(content.trim_ascii_start().first(), Some(b'{' | b'['));
    let document = looks_so.then(|| document::read(content).ok()).flatten();
    document.map_or_else(|| Reading::unjudged(Unjudged::MediaType), Reading::of)
}

/// Where text stops being one: at what is no UTF-8, or at a control character that is no space.
fn binary(content: &[u8]) -> Option<usize> {
    let is_odd = |octet: &u8| *octet < b' ' && !matches!(octet, b'\t' | b'\n' | b'\r' | b'\x0c');
    let utf8 = std::str::from_utf8(content).map_err(|error| error.valid_up_to());
    content.iter().position(is_odd).or(utf8.err())
}

/// Whether an octet can be in a form: none that a serializer would have encoded (WHATWG URL,
/// section 5.2), but for those that many leave as they are.
fn is_of_form(octet: u8) -> bool {
    octet.is_ascii_graphic() && !matches!(octet, b'"' | b'<' | b'>' | b'\\' | b'^' | b'`')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::webhook::fixture::headers;

    /// What is said of content under a declared type.
    fn check(declared: &str, content: &[u8], expected: &str) {
        let reading = read(&headers(&format!("Content-Type: {declared}")), content);
        let said = match (&reading.faults[..], &reading.found, reading.unjudged) {
            ([fault, ..], _, _) => fault.to_string(),
            (_, _, Some(why)) => why.sentence().to_owned(),
            (_, Some(Content::Json(tree)), _) => tree.to_string(),
            (_, Some(Content::Form(fields)), _) => format!("{fields:?}"),
            _ => String::new(),
        };
        assert_eq!(said, expected, "{declared}");
    }

    #[test]
    fn declared_and_found() {
        let json = "application/json; charset=utf-8";
        let form = "application/x-www-form-urlencoded";
        check(json, b"{\"a\":1}", "{\"a\":1}");
        check(json, b"a=1", "it is declared JSON, and is none: expected value at line 1 column 1");
        check(json, b"{\"a\":1", "it is declared JSON, and is none: it ends early");
        let unpredictable = "it has a number or a character that readers do not agree on";
        check(json, br#"{"a":"\ud83d"}"#, unpredictable);
        check(json, b"{\"a\":1,\"a\":2}", "/a stands twice in one object");
        check(form, b"a=1&b=%7B+", "[(\"a\", \"1\"), (\"b\", \"{ \")]");
        check(form, b"payload=%7B%22a%22%3A1%7D", "{\"a\":1}");
        check(form, b"payload=%7B", "it is declared JSON, and is none: it ends early");
        check(form, b"{\"a\":1}", "it is declared a form, and is JSON");
        check(form, b"a=1\n", "it is declared a form, and octet 3 can be in none");
        check("text/plain", b"{\"a\":1}", "{\"a\":1}");
        check("text/plain", b"hello", "its media type promises nothing that is checked");
        check("text/plain", b"he\0llo", "it is declared text, and octet 2 is of none");
        check("text/xml", b"<a>\xff", "it is declared text, and octet 3 is of none");
        let charset = "its charset is not known here";
        check("text/plain; charset=latin1", b"\xff", charset);
        check("text/plain", b"\xff\xfeh\0i\0", charset);
        check("text/xml", b"<?xml version='1.0' encoding='ISO-8859-1'?><a>\xe9", charset);
        check("", b"[1]", "[1]");
        check("image/png", b"\x89PNG", "its media type promises nothing that is checked");
    }

    #[test]
    fn packed() {
        let lines = "Content-Type: application/json\nContent-Encoding: gzip";
        let reading = read(&headers(lines), b"{}");
        let said = reading.faults[0].to_string();
        assert_eq!(said, "it is declared gzip, and cannot be unpacked");
    }
}
