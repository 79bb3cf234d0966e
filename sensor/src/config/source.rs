//! Where a value is found in a request, and the text by which the file says so.
//!
//! It must not know how a request is read.

use std::fmt;
use std::str::FromStr;

use super::fields::text_form;

/// Where a value is found.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// The first header of this name, which is in lower case.
    Header(String),
    /// The value at this JSON Pointer (RFC 6901) into the body.
    Json(String),
    /// The first field of this name in a form (`application/x-www-form-urlencoded`).
    Form(String),
    /// The first parameter of this name in the query, which is written as a form is.
    Query(String),
    /// What follows this prefix among the items of the signature's header.
    Item(String),
}

/// A source and what its value must start with, or be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// Where it is found.
    pub source: Source,
    /// How its value starts, if it is a header, or what it is. Empty accepts any.
    pub value: String,
}

/// Why a text names no source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SourceError;

impl fmt::Display for SourceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "no place in a request; write \"header NAME\", \"json /POINTER\", \"form NAME\" or \
             \"query NAME\"",
        )
    }
}

impl FromStr for Source {
    type Err = SourceError;

    fn from_str(text: &str) -> Result<Self, SourceError> {
        let (kind, name) = text.split_once(' ').ok_or(SourceError)?;
        let name = name.trim();
        match kind {
            "header" if is_token(name) => Ok(Self::Header(name.to_ascii_lowercase())),
            "json" if name.starts_with('/') => Ok(Self::Json(name.to_owned())),
            "form" if !name.is_empty() => Ok(Self::Form(name.to_owned())),
            "query" if !name.is_empty() => Ok(Self::Query(name.to_owned())),
            "item" if !name.is_empty() => Ok(Self::Item(name.to_owned())),
            _ => Err(SourceError),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header(name) => write!(f, "header {name}"),
            Self::Json(pointer) => write!(f, "json {pointer}"),
            Self::Form(name) => write!(f, "form {name}"),
            Self::Query(name) => write!(f, "query {name}"),
            Self::Item(prefix) => write!(f, "item {prefix}"),
        }
    }
}

impl FromStr for Mark {
    type Err = SourceError;

    fn from_str(text: &str) -> Result<Self, SourceError> {
        let mut parts = text.splitn(3, ' ');
        let (kind, name) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let source = format!("{kind} {name}").parse()?;
        Ok(Self { source, value: parts.next().unwrap_or_default().to_owned() })
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let space = if self.value.is_empty() { "" } else { " " };
        write!(f, "{}{space}{}", self.source, self.value)
    }
}

/// Whether `name` can be that of a header (RFC 9110, section 5.6.2).
fn is_token(name: &str) -> bool {
    let is_tchar = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    !name.is_empty() && name.bytes().all(is_tchar)
}

text_form!(Source, "a place in a request, as in \"header x-event\"");
text_form!(Mark, "a place in a request and its value, as in \"header user-agent Acme/\"");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts() {
        let check = |text: &str, expected: Option<&str>| {
            let written = text.parse::<Mark>().map(|mark| mark.to_string()).ok();
            assert_eq!(written.as_deref(), expected, "{text}");
        };
        check("header X-Acme-Event", Some("header x-acme-event"));
        check("header user-agent Acme Bot/", Some("header user-agent Acme Bot/"));
        check("json /a/b event", Some("json /a/b event"));
        check("form id", Some("form id"));
        check("query hub.mode subscribe", Some("query hub.mode subscribe"));
        check("item t=", Some("item t="));
        for text in ["", "header", "header ", "header a:b", "json a", "cookie a"] {
            check(text, None);
        }
    }
}
