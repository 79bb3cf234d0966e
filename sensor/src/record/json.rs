//! A record as one line of JSON that no content can break.
//!
//! It must not know what a record holds.

use std::fmt::{self, Error, Write as _};

use serde::Serialize;
use serde::ser::{self, Serializer as _};

use members::Members;

use super::escape;

mod members;

/// Appends `record` to `line` as JSON, without a line ending of its own.
///
/// Octets that a record gives as such are written as text: what is not UTF-8 becomes U+FFFD. A
/// value that JSON has no form for, or that refuses to be written, becomes null, so that the rest
/// of its record is not lost with it.
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

/// The name of what is a value already, in the form that is written here.
pub(super) const ENCODED: &str = "hooksensor::Encoded";

/// Writes one value; octets as they are where it `IS_ENCODED`. A general encoder looks into every
/// name for what to escape and asks its writer for every piece; records have names that are plain,
/// and there are a hundred pieces in one.
struct Encoder<'a, const IS_ENCODED: bool = false>(&'a mut Vec<u8>);

/// Text that is escaped while it is made.
struct Escaped<'a>(&'a mut Vec<u8>);

impl<'a, const IS_ENCODED: bool> Encoder<'a, IS_ENCODED> {
    fn members(self, start: u8, end: &'static [u8]) -> Members<'a> {
        Members::new(self.0, start, end)
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

    #[inline]
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

    #[inline]
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

#[cfg(test)]
mod tests;
