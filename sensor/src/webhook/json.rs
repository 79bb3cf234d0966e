//! One scalar out of a JSON text, by its JSON Pointer (RFC 6901), without building the rest.
//!
//! It must not know what is looked for.

use std::borrow::Cow;
use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// The string, number or truth value at `pointer`, as text. What follows it is not read.
pub(super) fn at(text: &[u8], pointer: &str) -> Option<String> {
    let mut found = None;
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    let search = Search { rest: pointer, found: &mut found };
    // An error is how the search stops; whether it found something is said elsewhere.
    drop(search.deserialize(&mut deserializer));
    found
}

/// The search below one value.
struct Search<'p, 'f> {
    /// What is left of the pointer, with its first slash.
    rest: &'p str,
    found: &'f mut Option<String>,
}

impl<'p> Search<'p, '_> {
    /// The next step of the pointer, unescaped, and what is left after it.
    fn step(&self) -> Option<(Cow<'p, str>, &'p str)> {
        let path = self.rest.strip_prefix('/')?;
        let end = path.find('/').unwrap_or(path.len());
        let (step, rest) = path.split_at(end);
        let step = if step.contains('~') {
            Cow::Owned(step.replace("~1", "/").replace("~0", "~"))
        } else {
            Cow::Borrowed(step)
        };
        Some((step, rest))
    }

    fn end<E: de::Error>(self, text: impl Into<String>) -> Result<(), E> {
        if self.rest.is_empty() {
            *self.found = Some(text.into());
        }
        Err(E::custom("the search is over"))
    }
}

impl<'de> DeserializeSeed<'de> for Search<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Search<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value to search in")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Some((step, rest)) = self.step() else { return Err(de::Error::custom("no scalar")) };
        while let Some(is_it) = map.next_key_seed(Name(&step))? {
            if is_it {
                return map.next_value_seed(Search { rest, found: self.found });
            }
            map.next_value::<IgnoredAny>()?;
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let Some((step, rest)) = self.step() else { return Err(de::Error::custom("no scalar")) };
        let Ok(index) = step.parse::<usize>() else { return Err(de::Error::custom("no index")) };
        for _ in 0..index {
            if items.next_element::<IgnoredAny>()?.is_none() {
                return Ok(());
            }
        }
        let search = Search { rest, found: self.found };
        items.next_element_seed(search).map(Option::unwrap_or_default)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<(), E> {
        self.end(text)
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<(), E> {
        self.end(number.to_string())
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<(), E> {
        self.end(number.to_string())
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<(), E> {
        self.end(number.to_string())
    }

    fn visit_bool<E: de::Error>(self, truth: bool) -> Result<(), E> {
        self.end(truth.to_string())
    }
}

/// Whether a name is this one, told without a copy of it.
struct Name<'n>(&'n str);

impl<'de> DeserializeSeed<'de> for Name<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Name<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<bool, E> {
        Ok(name == self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn pointers() {
        let text = r#"{"a":{"b":["x",{"c":7}],"d/e":true,"~":-1.5},"a2":"\u0041\n","n":null}"#;
        let check = |pointer: &str, expected: Option<&str>| {
            assert_eq!(at(text.as_bytes(), pointer).as_deref(), expected, "{pointer}");
        };
        check("/a/b/0", Some("x"));
        check("/a/b/1/c", Some("7"));
        check("/a/b/2", None);
        check("/a/b/x", None);
        check("/a/d~1e", Some("true"));
        check("/a/~0", Some("-1.5"));
        check("/a2", Some("A\n"));
        check("/a2/x", None);
        check("/a", None);
        check("/n", None);
        check("/missing", None);
    }

    #[test]
    fn what_follows_is_not_read() {
        assert_eq!(at(b"{\"a\":1,\"b\":broken", "/a").as_deref(), Some("1"));
        assert_eq!(at(b"{\"a\":broken", "/b"), None);
        assert_eq!(at(b"", "/a"), None);
    }

    proptest! {
        #[test]
        fn no_text_is_a_panic(text: Vec<u8>, pointer in "(/[a-z0-9~]{0,3}){0,4}") {
            at(&text, &pointer);
        }
    }
}
