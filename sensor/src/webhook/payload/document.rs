//! Reads a JSON text (RFC 8259) into a tree, within bounds, and notices what readers disagree on.
//!
//! It must not know what the text is about.

use std::borrow::Cow;
use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::error::Category;
use serde_json::map::Entry;
use serde_json::{Map, Number, Value};

use super::pointer::Pointer;

/// Levels of a text. Payloads have some ten; readers overflow their stack at some thousand, and
/// the one here would at ten times as many as this.
const MAX_DEPTH: usize = 100;

/// Values of a text that a tree is made of. The largest payloads of GitHub have some ten thousand;
/// at some 150 octets each a tree of as many as this takes 15 MB.
const MAX_VALUES: usize = 100_000;

/// Octets of a text that a tree is made of, because it holds a copy of every string.
const MAX_TREE_BYTES: usize = 4 << 20;

/// A text that is well-formed.
#[derive(Debug, PartialEq)]
pub(super) struct Document {
    /// What it says, or why there is no tree of it.
    pub(super) tree: Result<Value, Treeless>,
    /// The pointer of the first name that stands twice in one object. Of which of the two counts
    /// every reader has its own idea (RFC 8259, section 4).
    pub(super) repeated: Option<String>,
}

/// Why there is no tree of a text that is well-formed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Treeless {
    /// It is too much to be looked at.
    TooLarge,
    /// It has a number beyond binary64, or half a surrogate pair: the grammar has both, and what
    /// a reader makes of them cannot be foretold (RFC 8259, sections 6 and 8.2).
    Unpredictable,
}

/// Why a text is no JSON that would be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Malformed {
    /// It ends early.
    Ends,
    /// It has more levels than any payload.
    TooDeep,
    /// It is no UTF-8 from this octet on (RFC 8259, section 8.1).
    NotUtf8(usize),
    /// It breaks the grammar: how, with line and column; none of its octets.
    Grammar(String),
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ends => f.write_str("it ends early"),
            Self::TooDeep => write!(f, "it has more than {MAX_DEPTH} levels"),
            Self::NotUtf8(at) => write!(f, "octet {at} is of no UTF-8"),
            Self::Grammar(how) => f.write_str(how),
        }
    }
}

/// Reads `text` to its end.
pub(super) fn read(text: &[u8]) -> Result<Document, Malformed> {
    let left = if text.len() <= MAX_TREE_BYTES { MAX_VALUES } else { 0 };
    let mut state = State { left, is_whole: true, too_deep: false, repeated: None };
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    let read = Reader { state: &mut state, depth: 0 }.deserialize(&mut deserializer);
    match read.and_then(|tree| deserializer.end().map(|()| tree)) {
        Ok(tree) => {
            let repeated = state.repeated.map(Pointer::into_text);
            if state.is_whole {
                return Ok(Document { tree: Ok(tree), repeated });
            }
            // The strings that no tree was made of were not looked into.
            let utf8 = std::str::from_utf8(text);
            utf8.map_err(|error| Malformed::NotUtf8(error.valid_up_to()))?;
            Ok(Document { tree: Err(Treeless::TooLarge), repeated })
        }
        Err(_) if state.too_deep => Err(Malformed::TooDeep),
        Err(_) if is_well_formed(text) => {
            Ok(Document { tree: Err(Treeless::Unpredictable), repeated: None })
        }
        Err(error) if error.classify() == Category::Eof => Err(Malformed::Ends),
        Err(error) => Err(Malformed::Grammar(error.to_string())),
    }
}

/// Whether `text` keeps to the grammar. What is ignored is not turned into numbers and characters,
/// nor recursed into, and is not known to be UTF-8.
fn is_well_formed(text: &[u8]) -> bool {
    std::str::from_utf8(text).is_ok_and(|text| serde_json::from_str::<IgnoredAny>(text).is_ok())
}

struct State {
    /// Values that a tree may still be made of.
    left: usize,
    is_whole: bool,
    too_deep: bool,
    repeated: Option<Pointer>,
}

/// Reads one value.
struct Reader<'s> {
    state: &'s mut State,
    depth: usize,
}

impl Reader<'_> {
    fn inner(&mut self) -> Reader<'_> {
        Reader { state: self.state, depth: self.depth + 1 }
    }

    /// Counts a value, unless it is one too many.
    fn is_room(&mut self) -> bool {
        let room = self.state.left.checked_sub(1);
        self.state.left = room.unwrap_or_default();
        self.state.is_whole &= room.is_some();
        room.is_some()
    }

    fn enter<E: de::Error>(&mut self) -> Result<(), E> {
        if self.depth < MAX_DEPTH {
            return Ok(());
        }
        self.state.too_deep = true;
        Err(E::custom("too deep"))
    }

    /// Reads a value at a step below this one; what it finds twice lies behind that step.
    fn below<'s, T, E>(
        &mut self,
        step: impl FnOnce() -> Cow<'s, str>,
        read: impl FnOnce(Reader<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let is_first = self.state.repeated.is_none();
        let value = read(self.inner())?;
        if let Some(repeated) = self.state.repeated.as_mut().filter(|_| is_first) {
            repeated.prepend(&step());
        }
        Ok(value)
    }
}

impl<'de> DeserializeSeed<'de> for Reader<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(mut self, deserializer: D) -> Result<Value, D::Error> {
        if self.is_room() {
            deserializer.deserialize_any(self)
        } else {
            deserializer.deserialize_ignored_any(IgnoredAny).map(|_| Value::Null)
        }
    }
}

impl<'de> Visitor<'de> for Reader<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Value, A::Error> {
        self.enter()?;
        let mut members = Map::new();
        while let Some(name) = map.next_key::<String>()? {
            let value = self.below(|| Cow::Borrowed(&name), |inner| map.next_value_seed(inner))?;
            match members.entry(name) {
                Entry::Vacant(place) => _ = place.insert(value),
                Entry::Occupied(mut place) => {
                    self.state.repeated.get_or_insert_with(|| Pointer::new(place.key()));
                    place.insert(value);
                }
            }
        }
        Ok(Value::Object(members))
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut items: A) -> Result<Value, A::Error> {
        self.enter()?;
        let mut values = Vec::new();
        loop {
            let index = values.len();
            let next =
                self.below(|| index.to_string().into(), |inner| items.next_element_seed(inner));
            match next? {
                Some(value) if self.state.is_whole => values.push(value),
                // What a tree has no room for is read and not kept.
                Some(_) => {}
                None => return Ok(Value::Array(values)),
            }
        }
    }

    fn visit_unit<E: de::Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: de::Error>(self, truth: bool) -> Result<Value, E> {
        Ok(Value::Bool(truth))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Value, E> {
        Ok(Value::Number(number.into()))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Value, E> {
        Ok(Value::Number(number.into()))
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Value, E> {
        Ok(Number::from_f64(number).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Value, E> {
        Ok(Value::String(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(text: &str, expected: Result<Option<&str>, &str>) {
        let found = read(text.as_bytes()).map_err(|malformed| malformed.to_string());
        let found = found.as_ref().map(|found| found.repeated.as_deref());
        assert_eq!(found.map_err(String::as_str), expected, "{text}");
    }

    #[test]
    fn texts() {
        check("{\"a\":[1,{\"b\":null}]} \n", Ok(None));
        check("7", Ok(None));
        check("", Err("it ends early"));
        check("{\"a\":", Err("it ends early"));
        check("{'a':1}", Err("key must be a string at line 1 column 2"));
        check("[1,]", Err("trailing comma at line 1 column 4"));
        check("[NaN]", Err("expected value at line 1 column 2"));
        check("{} {}", Err("trailing characters at line 1 column 4"));
        check("\u{feff}{}", Err("expected value at line 1 column 1"));
        assert!(read(b"[\"\xff\"]").is_err());
    }

    #[test]
    fn names_that_stand_twice() {
        check("{\"a\":1,\"b\":2,\"a\":3}", Ok(Some("/a")));
        check("{\"a\":1,\"\\u0061\":3}", Ok(Some("/a")));
        check("{\"x\":[0,{\"a/b\":1,\"a/b\":{\"c\":1,\"c\":2}}]}", Ok(Some("/x/1/a~1b/c")));
        check("[{\"a\":1},{\"a\":2}]", Ok(None));
    }

    #[test]
    fn bounds() {
        let nested = |depth| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        check(&nested(MAX_DEPTH), Ok(None));
        check(&nested(MAX_DEPTH + 1), Err("it has more than 100 levels"));
        check(&nested(100_000), Err("it has more than 100 levels"));
        let numbers = |count: usize| format!("[{}0]", "0,".repeat(count - 1));
        assert!(read(numbers(MAX_VALUES - 1).as_bytes()).unwrap().tree.is_ok());
        let tree = |text: &str| read(text.as_bytes()).unwrap().tree;
        assert_eq!(tree(&numbers(MAX_VALUES)), Err(Treeless::TooLarge));
        let long = format!("\"{}\"", "x".repeat(MAX_TREE_BYTES));
        assert_eq!(tree(&long), Err(Treeless::TooLarge));
        assert!(read(format!("{long}x").as_bytes()).is_err());
        let mut odd = long.into_bytes();
        odd[MAX_TREE_BYTES - 1] = b'\xff';
        assert_eq!(read(&odd), Err(Malformed::NotUtf8(MAX_TREE_BYTES - 1)));
    }

    #[test]
    fn what_the_grammar_has_and_readers_do_not_agree_on() {
        let tree = |text: &str| read(text.as_bytes()).map(|document| document.tree);
        for text in [r#"["\ud83d"]"#, r#"{"\udc00":1}"#, r#""\ud83d\u0041""#, "[1e999]", "-1e999"] {
            assert_eq!(tree(text), Ok(Err(Treeless::Unpredictable)), "{text}");
            tree(&format!("{text},")).unwrap_err();
        }
        for text in [r#"["\ud83"]"#, "[1e]", "[01e999]", "[\"\\ud83d\n\"]"] {
            tree(text).unwrap_err();
        }
        read(b"[\"\\ud83d\xff\"]").unwrap_err();
    }

    proptest! {
        #[test]
        fn the_tree_is_what_another_reader_makes(text in "[\\[\\]{}:,\"ab01.e \\\\-]{0,24}") {
            let other = serde_json::from_str::<Value>(&text).ok();
            let found = read(text.as_bytes()).ok().and_then(|document| document.tree.ok());
            prop_assert_eq!(found, other);
        }
    }
}
