//! A record as one line of JSON that no content can break.
//!
//! It must not know what a record holds.

use std::fmt::{self, Error, Write as _};

use serde::Serialize;
use serde::ser::{self, SerializeMap, SerializeStruct, SerializeStructVariant, Serializer as _};

use super::escape;

/// Appends `record` to `line` as JSON, without a line ending of its own.
///
/// Octets that a record gives as such are written as text: what is not UTF-8 becomes U+FFFD. A value
/// that JSON has no form for, or that refuses to be written, becomes null, so that the rest of its
/// record is not lost with it.
pub fn write_line(record: &impl Serialize, line: &mut Vec<u8>) {
    value(record, line);
}

/// Appends one value, or null in its place.
#[inline]
fn value(value: &(impl Serialize + ?Sized), line: &mut Vec<u8>) {
    let start = line.len();
    if value.serialize(Encoder::<false>(line)).is_err() {
        line.truncate(start);
        line.extend_from_slice(b"null");
    }
}

/// Letters of the longest name that is written at once.
const USUAL_NAME: usize = 29;

/// The name of what is a value already, in the form that is written here.
pub(super) const ENCODED: &str = "hooksensor::Encoded";

/// Writes one value; octets as they are where it `IS_ENCODED`. A general encoder looks into every name for what to escape and asks its writer
/// for every piece; records have names that are plain, and there are a hundred pieces in one.
struct Encoder<'a, const IS_ENCODED: bool = false>(&'a mut Vec<u8>);

/// Writes the members of an object or the items of an array, with commas between them.
struct Members<'a> {
    line: &'a mut Vec<u8>,
    is_first: bool,
    end: &'static [u8],
}

/// Text that is escaped while it is made.
struct Escaped<'a>(&'a mut Vec<u8>);

impl<'a, const IS_ENCODED: bool> Encoder<'a, IS_ENCODED> {
    fn members(self, start: u8, end: &'static [u8]) -> Members<'a> {
        self.0.push(start);
        Members { line: self.0, is_first: true, end }
    }

    /// What `name` tells apart, as an object of that one member.
    fn variant(self, name: &'static str) -> Self {
        self.0.extend_from_slice(b"{\"");
        self.0.extend_from_slice(name.as_bytes());
        self.0.extend_from_slice(b"\":");
        self
    }

    /// JSON has no other numbers than finite ones.
    fn finite(self, is_finite: bool, number: impl fmt::Display) -> Result<(), Error> {
        if is_finite { write!(Escaped(self.0), "{number}") } else { self.serialize_unit() }
    }

    #[inline]
    fn literal(&mut self, text: &str) {
        self.0.extend_from_slice(text.as_bytes());
    }

    fn whole(mut self, number: impl itoa::Integer) {
        self.literal(itoa::Buffer::new().format(number));
    }
}

impl Members<'_> {
    #[inline]
    fn separate(&mut self) {
        if !std::mem::take(&mut self.is_first) {
            self.line.push(b',');
        }
    }

    #[inline]
    fn item(&mut self, item: &(impl Serialize + ?Sized)) {
        self.separate();
        value(item, self.line);
    }

    #[inline(always)]
    fn member(&mut self, name: &'static str, member: &(impl Serialize + ?Sized)) {
        self.separate();
        // Where the name is known to the compiler, so is this piece, and it is written in a few words.
        let mut piece = [b'"'; USUAL_NAME + 3];
        if let Some(place) = piece.get_mut(1..=name.len()).filter(|_| name.len() <= USUAL_NAME) {
            place.copy_from_slice(name.as_bytes());
            piece[name.len() + 2] = b':';
            self.line.extend_from_slice(&piece[..name.len() + 3]);
        } else {
            self.line.push(b'"');
            self.line.extend_from_slice(name.as_bytes());
            self.line.extend_from_slice(b"\":");
        }
        value(member, self.line);
    }

    /// The name of a member; what is no text is made one.
    fn name(&mut self, name: &(impl Serialize + ?Sized)) {
        self.separate();
        let start = self.line.len();
        value(name, self.line);
        if self.line.get(start) != Some(&b'"') {
            let written = self.line.split_off(start);
            self.line.push(b'"');
            escape::text(&written, self.line);
            self.line.push(b'"');
        }
    }

    fn finish(self) {
        self.line.extend_from_slice(self.end);
    }
}

impl fmt::Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        escape::text(text.as_bytes(), self.0);
        Ok(())
    }
}

/// Numbers, by the one of 64 bits that holds them.
macro_rules! numbers {
    ($($method:ident($kind:ty) -> $wider:ident;)*) => {
        $(fn $method(self, number: $kind) -> Result<(), Error> { self.$wider(number.into()) })*
    };
}

impl<'a, const IS_ENCODED: bool> ser::Serializer for Encoder<'a, IS_ENCODED> {
    type Ok = ();
    type Error = Error;
    type SerializeSeq = Members<'a>;
    type SerializeTuple = Members<'a>;
    type SerializeTupleStruct = Members<'a>;
    type SerializeTupleVariant = Members<'a>;
    type SerializeMap = Members<'a>;
    type SerializeStruct = Members<'a>;
    type SerializeStructVariant = Members<'a>;

    numbers! {
        serialize_i8(i8) -> serialize_i64;
        serialize_i16(i16) -> serialize_i64;
        serialize_i32(i32) -> serialize_i64;
        serialize_u8(u8) -> serialize_u64;
        serialize_u16(u16) -> serialize_u64;
        serialize_u32(u32) -> serialize_u64;
    }

    fn serialize_f32(self, number: f32) -> Result<(), Error> {
        self.finite(number.is_finite(), number)
    }

    fn serialize_f64(self, number: f64) -> Result<(), Error> {
        self.finite(number.is_finite(), number)
    }

    fn serialize_char(self, character: char) -> Result<(), Error> {
        self.collect_str(&character)
    }

    fn serialize_bool(mut self, value: bool) -> Result<(), Error> {
        self.literal(if value { "true" } else { "false" });
        Ok(())
    }

    fn serialize_i64(self, number: i64) -> Result<(), Error> {
        self.whole(number);
        Ok(())
    }

    fn serialize_u64(self, number: u64) -> Result<(), Error> {
        self.whole(number);
        Ok(())
    }

    #[inline]
    fn serialize_str(self, text: &str) -> Result<(), Error> {
        self.serialize_bytes(text.as_bytes())
    }

    #[inline]
    fn serialize_bytes(self, octets: &[u8]) -> Result<(), Error> {
        if IS_ENCODED {
            self.0.extend_from_slice(octets);
            return Ok(());
        }
        self.0.push(b'"');
        escape::text(octets, self.0);
        self.0.push(b'"');
        Ok(())
    }

    fn collect_str<T: fmt::Display + ?Sized>(self, value: &T) -> Result<(), Error> {
        self.0.push(b'"');
        write!(Escaped(self.0), "{value}")?;
        self.0.push(b'"');
        Ok(())
    }

    fn serialize_none(self) -> Result<(), Error> {
        self.serialize_unit()
    }

    #[inline]
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Error> {
        value.serialize(self)
    }

    fn serialize_unit(mut self) -> Result<(), Error> {
        self.literal("null");
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Error> {
        self.serialize_unit()
    }

    /// The name is one that the program chose, which is plain.
    #[inline]
    fn serialize_unit_variant(
        mut self,
        _: &'static str,
        _: u32,
        name: &'static str,
    ) -> Result<(), Error> {
        self.0.push(b'"');
        self.literal(name);
        self.0.push(b'"');
        Ok(())
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        if name == ENCODED {
            value.serialize(Encoder::<true>(self.0))
        } else {
            value.serialize(self)
        }
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        name: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        let mut members = self.members(b'{', b"}");
        members.member(name, value);
        members.finish();
        Ok(())
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Members<'a>, Error> {
        Ok(self.members(b'[', b"]"))
    }

    fn serialize_tuple(self, _: usize) -> Result<Members<'a>, Error> {
        self.serialize_seq(None)
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Members<'a>, Error> {
        self.serialize_seq(None)
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        name: &'static str,
        _: usize,
    ) -> Result<Members<'a>, Error> {
        Ok(self.variant(name).members(b'[', b"]}"))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Members<'a>, Error> {
        Ok(self.members(b'{', b"}"))
    }

    #[inline]
    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Members<'a>, Error> {
        Ok(self.members(b'{', b"}"))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        name: &'static str,
        _: usize,
    ) -> Result<Members<'a>, Error> {
        Ok(self.variant(name).members(b'{', b"}}"))
    }
}

/// Items one after the other, under the name that each kind of list has for them.
macro_rules! lists {
    ($($kind:ident.$method:ident)*) => {
        $(impl ser::$kind for Members<'_> {
            type Ok = ();
            type Error = Error;

            fn $method<T: Serialize + ?Sized>(&mut self, item: &T) -> Result<(), Error> {
                self.item(item);
                Ok(())
            }

            fn end(self) -> Result<(), Error> {
                self.finish();
                Ok(())
            }
        })*
    };
}

lists! {
    SerializeSeq.serialize_element
    SerializeTuple.serialize_element
    SerializeTupleStruct.serialize_field
    SerializeTupleVariant.serialize_field
}

/// Members with names that the program chose, which are plain.
macro_rules! structures {
    ($($kind:ident)*) => {
        $(impl $kind for Members<'_> {
            type Ok = ();
            type Error = Error;

            #[inline(always)]
            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                name: &'static str,
                value: &T,
            ) -> Result<(), Error> {
                self.member(name, value);
                Ok(())
            }

            fn end(self) -> Result<(), Error> {
                self.finish();
                Ok(())
            }
        })*
    };
}

structures! { SerializeStruct SerializeStructVariant }

impl SerializeMap for Members<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Error> {
        self.name(key);
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, member: &T) -> Result<(), Error> {
        self.line.push(b':');
        value(member, self.line);
        Ok(())
    }

    fn end(self) -> Result<(), Error> {
        self.finish();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::collection::{btree_map, vec};
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    fn line(record: &impl Serialize) -> String {
        let mut line = Vec::new();
        write_line(record, &mut line);
        String::from_utf8(line).unwrap()
    }

    /// Values of every kind that records have, within one another.
    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 64, 8, |inner| {
            prop_oneof![
                vec(inner.clone(), 0..8).prop_map(Value::from),
                btree_map(any::<String>(), inner, 0..8)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    /// What has no form in JSON, or fails while it is written.
    struct Refusing;

    impl Serialize for Refusing {
        fn serialize<S: ser::Serializer>(&self, encoder: S) -> Result<S::Ok, S::Error> {
            let mut list = encoder.serialize_seq(None)?;
            ser::SerializeSeq::serialize_element(&mut list, "half of it")?;
            Err(ser::Error::custom("refused"))
        }
    }

    #[derive(Serialize)]
    struct Unit;

    #[derive(Serialize)]
    struct Pair(u8, char);

    #[derive(Serialize)]
    enum Kind {
        Plain,
        One(u8),
        Two(u8, f64),
        Named { a: Pair },
    }

    #[test]
    fn every_kind_of_value_has_a_form() {
        let check = |record: &dyn Fn() -> String, expected: &str| assert_eq!(record(), expected);
        check(&|| line(&1.5), "1.5");
        check(&|| line(&-0.25_f32), "-0.25");
        check(&|| line(&[f64::NAN, f64::INFINITY]), "[null,null]");
        check(&|| line(&['c', '"', '\n']), r#"["c","\"","\n"]"#);
        check(&|| line(&Unit), "null");
        check(&|| line(&Pair(1, 'x')), r#"[1,"x"]"#);
        check(&|| line(&Kind::Plain), r#""Plain""#);
        check(&|| line(&Kind::One(1)), r#"{"One":1}"#);
        check(&|| line(&Kind::Two(1, 2.5)), r#"{"Two":[1,2.5]}"#);
        check(&|| line(&Kind::Named { a: Pair(1, 'x') }), r#"{"Named":{"a":[1,"x"]}}"#);
        check(&|| line(&(1, Refusing, u128::MAX)), "[1,null,null]");
        check(&|| line(&Refusing), "null");
        let odd = [(Some(1), "a"), (None, "b")];
        check(&|| line(&BTreeMap::from(odd)), r#"{"null":"b","1":"a"}"#);
        check(&|| line(&BTreeMap::from([(("k",), Refusing)])), r#"{"[\"k\"]":null}"#);
    }

    #[test]
    fn displayed_values_are_escaped() {
        assert_eq!(line(&format_args!("{}\n{}", '"', 1)), r#""\"\n1""#);
    }

    proptest! {
        #[test]
        fn finite_numbers_are_read_as_they_were(number in any::<f64>()) {
            let read: Value = serde_json::from_str(&line(&number)).unwrap();
            prop_assert_eq!(read.as_f64(), number.is_finite().then_some(number));
        }

        #[test]
        fn the_usual_encoder_writes_the_same(value in value()) {
            let usual: String = serde_json::to_string(&value).unwrap().chars().map(|c| {
                let is_odd = c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
                if is_odd { format!("\\u{:04x}", u32::from(c)) } else { c.to_string() }
            }).collect();
            prop_assert_eq!(line(&value), usual);
        }
    }
}
