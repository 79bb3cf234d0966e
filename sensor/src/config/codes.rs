//! A set of response codes, written as codes, ranges and classes.
//!
//! It must not know what the set is used for.

use std::borrow::Cow;
use std::fmt;
use std::ops::RangeInclusive;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserializer, Visitor};
use serde::{Deserialize, Serialize, Serializer};

/// The codes a response can have (RFC 9110, section 15).
const VALID: RangeInclusive<u16> = 100..=599;

/// A set of response codes, which keeps the ranges it was written as.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
#[schemars(inline)]
pub struct StatusCodes(Vec<CodeRange>);

impl StatusCodes {
    /// Whether `code` is in the set.
    #[must_use]
    pub fn contains(&self, code: u16) -> bool {
        self.0.iter().any(|range| range.0.contains(&code))
    }

    /// Whether no code is in the set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Default for StatusCodes {
    /// What a sender got wrong: credentials, permission, path or method.
    fn default() -> Self {
        Self([401, 403, 404, 405].map(|code| CodeRange(code..=code)).to_vec())
    }
}

/// Consecutive codes.
#[derive(Debug, Clone, PartialEq, Eq)]
struct CodeRange(RangeInclusive<u16>);

impl CodeRange {
    fn parse(text: &str) -> Option<Self> {
        let range = if let Some(class) = text.strip_suffix("xx") {
            let first = class.parse::<u16>().ok()?.checked_mul(100)?;
            first..=first.checked_add(99)?
        } else if let Some((first, last)) = text.split_once('-') {
            first.parse().ok()?..=last.parse().ok()?
        } else {
            let code = text.parse().ok()?;
            code..=code
        };
        let valid = VALID.contains(range.start()) && VALID.contains(range.end());
        (valid && !range.is_empty()).then_some(Self(range))
    }
}

impl fmt::Display for CodeRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (first, last) = (self.0.start(), self.0.end());
        if first == last {
            write!(f, "{first}")
        } else if first % 100 == 0 && *last == first + 99 {
            write!(f, "{}xx", first / 100)
        } else {
            write!(f, "{first}-{last}")
        }
    }
}

impl Serialize for CodeRange {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for CodeRange {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(CodeVisitor)
    }
}

impl JsonSchema for CodeRange {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "StatusCodes".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "anyOf": [
                { "type": "integer", "minimum": VALID.start(), "maximum": VALID.end() },
                { "type": "string", "pattern": "^[1-5](xx|[0-9]{2}(-[1-5][0-9]{2})?)$" },
            ],
        })
    }
}

struct CodeVisitor;

impl Visitor<'_> for CodeVisitor {
    type Value = CodeRange;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a code, a range or a class, as in \"401\", \"500-599\" or \"4xx\"")
    }

    fn visit_i64<E: de::Error>(self, code: i64) -> Result<CodeRange, E> {
        self.visit_str(&code.to_string())
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<CodeRange, E> {
        CodeRange::parse(text).ok_or_else(|| {
            E::custom(format_args!(
                "{text:?} names no response codes; write a code, a range or a class from 100 to \
                 599, as in \"401\", \"500-599\" or \"4xx\""
            ))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        let check = |text: &str, expected: Option<(u16, u16)>| {
            let range = CodeRange::parse(text);
            assert_eq!(range.clone().map(|r| r.0.into_inner()), expected, "{text:?}");
            if let Some(range) = range {
                assert_eq!(range.to_string(), text, "written back");
            }
        };
        check("401", Some((401, 401)));
        check("4xx", Some((400, 499)));
        check("500-503", Some((500, 503)));
        for refused in ["", "99", "600", "6xx", "0xx", "xx", "499-400", "401-", "-401", "4XX", "x"]
        {
            check(refused, None);
        }
    }

    #[test]
    fn the_default_is_what_senders_get_wrong() {
        let codes = StatusCodes::default();
        let contained: Vec<u16> = (0..=999).filter(|code| codes.contains(*code)).collect();
        assert_eq!(contained, [401, 403, 404, 405]);
    }
}
