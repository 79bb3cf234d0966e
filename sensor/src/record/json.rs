//! A record as one line of JSON that no content can break.
//!
//! It must not know what a record holds.

use std::fmt::{self, Error, Write as _};

use serde::Serialize;
use serde::ser::{self, Impossible, SerializeMap, SerializeSeq, SerializeStruct, SerializeTuple};

use super::escape;

/// Appends `record` to `line` as JSON, without a line ending of its own.
///
/// Octets that a record gives as such are written as text: what is not UTF-8 becomes U+FFFD.
///
/// # Panics
///
/// When `record` holds what the records of this module do not: a floating-point number, a
/// character, or an enumeration with data.
pub fn write_line(record: &impl Serialize, line: &mut Vec<u8>) {
    record.serialize(Encoder(line)).expect("records are of kinds that the encoder knows");
}

/// Writes one value. A general encoder looks into every name for what to escape and asks its writer
/// for every piece; records have names that are plain, and there are a hundred pieces in one.
struct Encoder<'a>(&'a mut Vec<u8>);

/// Writes the members of an object or the items of an array, with commas between them.
struct Members<'a> {
    line: &'a mut Vec<u8>,
    is_first: bool,
    end: u8,
}

/// Text that is escaped while it is made.
struct Escaped<'a>(&'a mut Vec<u8>);

impl<'a> Encoder<'a> {
    fn members(self, start: u8, end: u8) -> Members<'a> {
        self.0.push(start);
        Members { line: self.0, is_first: true, end }
    }

    fn literal(self, text: &str) {
        self.0.extend_from_slice(text.as_bytes());
    }

    fn negative(self, magnitude: u64) {
        self.0.push(b'-');
        self.positive(magnitude);
    }

    fn positive(self, mut number: u64) {
        /// Digits of the largest number of 64 bits.
        const LONGEST: usize = 20;
        let mut digits = [b'0'; LONGEST];
        let mut start = LONGEST;
        loop {
            start -= 1;
            digits[start] = b'0' + u8::try_from(number % 10).expect("a decimal digit");
            number /= 10;
            if number == 0 {
                break;
            }
        }
        self.0.extend_from_slice(&digits[start..]);
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
    fn item(&mut self, value: &(impl Serialize + ?Sized)) -> Result<(), Error> {
        self.separate();
        value.serialize(Encoder(self.line))
    }

    fn finish(self) {
        self.line.push(self.end);
    }
}

impl fmt::Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        escape::text(text.as_bytes(), self.0);
        Ok(())
    }
}

/// The values of a kind that no record has.
macro_rules! unknown {
    ($($method:ident($($kind:ty),*) -> $result:ty;)*) => {
        $(fn $method(self, $(_: $kind),*) -> Result<$result, Error> { Err(Error) })*
    };
}

/// Numbers, by the one of 64 bits that holds them.
macro_rules! numbers {
    ($($method:ident($kind:ty) -> $wider:ident;)*) => {
        $(fn $method(self, number: $kind) -> Result<(), Error> { self.$wider(number.into()) })*
    };
}

impl<'a> ser::Serializer for Encoder<'a> {
    type Ok = ();
    type Error = Error;
    type SerializeSeq = Members<'a>;
    type SerializeTuple = Members<'a>;
    type SerializeTupleStruct = Impossible<(), Error>;
    type SerializeTupleVariant = Impossible<(), Error>;
    type SerializeMap = Members<'a>;
    type SerializeStruct = Members<'a>;
    type SerializeStructVariant = Impossible<(), Error>;

    numbers! {
        serialize_i8(i8) -> serialize_i64;
        serialize_i16(i16) -> serialize_i64;
        serialize_i32(i32) -> serialize_i64;
        serialize_u8(u8) -> serialize_u64;
        serialize_u16(u16) -> serialize_u64;
        serialize_u32(u32) -> serialize_u64;
    }

    unknown! {
        serialize_f32(f32) -> ();
        serialize_f64(f64) -> ();
        serialize_char(char) -> ();
        serialize_unit_struct(&'static str) -> ();
        serialize_tuple_struct(&'static str, usize) -> Self::SerializeTupleStruct;
        serialize_tuple_variant(&'static str, u32, &'static str, usize) -> Self::SerializeTupleVariant;
        serialize_struct_variant(&'static str, u32, &'static str, usize) -> Self::SerializeStructVariant;
    }

    fn serialize_bool(self, value: bool) -> Result<(), Error> {
        self.literal(if value { "true" } else { "false" });
        Ok(())
    }

    fn serialize_i64(self, number: i64) -> Result<(), Error> {
        let magnitude = number.unsigned_abs();
        if number < 0 {
            self.negative(magnitude);
        } else {
            self.positive(magnitude);
        }
        Ok(())
    }

    fn serialize_u64(self, number: u64) -> Result<(), Error> {
        self.positive(number);
        Ok(())
    }

    fn serialize_str(self, text: &str) -> Result<(), Error> {
        self.serialize_bytes(text.as_bytes())
    }

    fn serialize_bytes(self, octets: &[u8]) -> Result<(), Error> {
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

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Error> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), Error> {
        self.literal("null");
        Ok(())
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        name: &'static str,
    ) -> Result<(), Error> {
        self.serialize_str(name)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<(), Error> {
        Err(Error)
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Members<'a>, Error> {
        Ok(self.members(b'[', b']'))
    }

    fn serialize_tuple(self, _: usize) -> Result<Members<'a>, Error> {
        Ok(self.members(b'[', b']'))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Members<'a>, Error> {
        Ok(self.members(b'{', b'}'))
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Members<'a>, Error> {
        Ok(self.members(b'{', b'}'))
    }
}

impl SerializeStruct for Members<'_> {
    type Ok = ();
    type Error = Error;

    #[inline]
    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        name: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        self.separate();
        self.line.push(b'"');
        self.line.extend_from_slice(name.as_bytes());
        self.line.extend_from_slice(b"\":");
        value.serialize(Encoder(self.line))
    }

    fn end(self) -> Result<(), Error> {
        self.finish();
        Ok(())
    }
}

impl SerializeMap for Members<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Error> {
        self.item(key)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.line.push(b':');
        value.serialize(Encoder(self.line))
    }

    fn end(self) -> Result<(), Error> {
        self.finish();
        Ok(())
    }
}

impl SerializeSeq for Members<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.item(value)
    }

    fn end(self) -> Result<(), Error> {
        self.finish();
        Ok(())
    }
}

impl SerializeTuple for Members<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.item(value)
    }

    fn end(self) -> Result<(), Error> {
        self.finish();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
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

    #[test]
    fn what_no_record_has_is_refused() {
        let refused = |record: &dyn Fn(Encoder<'_>) -> Result<(), Error>| {
            assert_eq!(record(Encoder(&mut Vec::new())), Err(Error));
        };
        refused(&|encoder| 1.5.serialize(encoder));
        refused(&|encoder| 'c'.serialize(encoder));
        refused(&|encoder| Ok::<u8, u8>(1).serialize(encoder));
    }

    #[test]
    fn displayed_values_are_escaped() {
        assert_eq!(line(&format_args!("{}\n{}", '"', 1)), r#""\"\n1""#);
    }

    proptest! {
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
