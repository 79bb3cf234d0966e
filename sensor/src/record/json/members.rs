//! What a value holds: the members of an object, or the items of an array.
//!
//! It must not know how a value is written.

use std::fmt::Error;

use serde::Serialize;
use serde::ser::{self, SerializeMap, SerializeStruct, SerializeStructVariant};

use super::{escape, value};

/// Letters of the longest name that is written at once.
const USUAL_NAME: usize = 29;

/// Writes the members of an object or the items of an array, each behind a comma. The first comma
/// is then made the start of all, so that no member has to know whether it is the first.
pub(super) struct Members<'a> {
    line: &'a mut Vec<u8>,
    place: usize,
    start: u8,
    end: &'static [u8],
}

impl<'a> Members<'a> {
    /// Those between `start` and `end`.
    pub(super) fn new(line: &'a mut Vec<u8>, start: u8, end: &'static [u8]) -> Self {
        let place = line.len();
        Self { line, place, start, end }
    }

    #[inline]
    fn item(&mut self, item: &(impl Serialize + ?Sized)) {
        self.line.push(b',');
        value(item, self.line);
    }

    /// Writes a member; or, where the name is empty, members that are encoded already.
    #[inline(always)]
    pub(super) fn member(&mut self, name: &'static str, member: &(impl Serialize + ?Sized)) {
        if name.is_empty() {
            return self.item(member);
        }
        // Where the name is known to the compiler, so is this piece, and it is written in a few
        // words.
        let mut piece = [b'"'; USUAL_NAME + 4];
        piece[0] = b',';
        if name.len() <= USUAL_NAME {
            piece[2..2 + name.len()].copy_from_slice(name.as_bytes());
            piece[name.len() + 3] = b':';
            self.line.extend_from_slice(&piece[..name.len() + 4]);
        } else {
            self.line.extend_from_slice(b",\"");
            self.line.extend_from_slice(name.as_bytes());
            self.line.extend_from_slice(b"\":");
        }
        value(member, self.line);
    }

    /// The name of a member; what is no text is made one.
    fn name(&mut self, name: &(impl Serialize + ?Sized)) {
        self.line.push(b',');
        let start = self.line.len();
        value(name, self.line);
        if self.line.get(start) != Some(&b'"') {
            let written = self.line.split_off(start);
            self.line.push(b'"');
            escape::text(&written, self.line);
            self.line.push(b'"');
        }
    }

    #[inline]
    pub(super) fn finish(self) {
        match self.line.get_mut(self.place) {
            Some(comma) => *comma = self.start,
            None => self.line.push(self.start),
        }
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

            #[inline]
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

            #[inline]
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
