//! What a value holds: the members of an object, or the items of an array.
//!
//! It must not know how a value is written.

use std::fmt::Error;

use serde::Serialize;
use serde::ser::{self, SerializeMap, SerializeStruct, SerializeStructVariant};

use super::{escape, value};

/// Letters of the longest name that is written at once.
const USUAL_NAME: usize = 29;

/// Writes the members of an object or the items of an array, with commas between them.
pub(super) struct Members<'a> {
    line: &'a mut Vec<u8>,
    is_first: bool,
    end: &'static [u8],
}

impl<'a> Members<'a> {
    /// Those between `start`, which is written, and `end`.
    pub(super) fn new(line: &'a mut Vec<u8>, start: u8, end: &'static [u8]) -> Self {
        line.push(start);
        Self { line, is_first: true, end }
    }

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
    pub(super) fn member(&mut self, name: &'static str, member: &(impl Serialize + ?Sized)) {
        self.separate();
        // Where the name is known to the compiler, so is this piece, and it is written in a few
        // words.
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

    pub(super) fn finish(self) {
        self.line.extend_from_slice(self.end);
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
