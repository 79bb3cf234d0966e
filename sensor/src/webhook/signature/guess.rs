//! What an invalid signature would match: the mistakes on which engineers lose days.
//!
//! It must not be asked of more deliveries than the caller can afford.

use std::borrow::Cow;
use std::sync::Arc;
use std::{fmt, io};

use serde::Serialize as _;
use serde_json::ser::{CompactFormatter, Formatter, PrettyFormatter, Serializer};

use super::key::{Key, Secret};
use super::presented::Signatures;
use super::sign::Signed;
use crate::config::Scheme;

/// Octets of a body that is looked into. Every guess hashes it again.
const MAX_BODY_BYTES: usize = 64 << 10;
/// Other secrets that are tried. More endpoints than this on one host are rare.
const MAX_OTHERS: usize = 64;

/// Under which condition a signature would be valid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Guess {
    /// With a secret of another endpoint, by its reference.
    OtherSecret(Arc<str>),
    /// If the body had no white space at its end, which mostly is a line ending.
    TrimmedEnd,
    /// If the body had a line feed at its end.
    AddedNewline,
    /// If the lines of the body ended in LF alone.
    LineFeeds,
    /// If the lines of the body ended in CRLF.
    CarriageReturns,
    /// If the body's JSON had no white space.
    CompactJson,
    /// If the body's JSON had a space after each comma and colon.
    SpacedJson,
    /// If the body's JSON were indented by so many spaces.
    IndentedJson(usize),
    /// If the body's JSON had no white space and only ASCII.
    EscapedJson,
    /// The same with its slashes escaped.
    SlashedJson,
    /// If no byte order mark stood before the body.
    WithoutMark,
    /// If the body were empty.
    EmptyBody,
}

impl fmt::Display for Guess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OtherSecret(reference) => write!(f, "with the secret {reference}"),
            Self::TrimmedEnd => f.write_str("without the white space at the end of the body"),
            Self::AddedNewline => f.write_str("with a line feed added to the body"),
            Self::LineFeeds => f.write_str("if the body's lines ended in LF, not CRLF"),
            Self::CarriageReturns => f.write_str("if the body's lines ended in CRLF, not LF"),
            Self::CompactJson => f.write_str("over the body's JSON without white space"),
            Self::SpacedJson => f.write_str("over the body's JSON with spaces after , and :"),
            Self::IndentedJson(spaces) => {
                write!(f, "over the body's JSON indented by {spaces} spaces")
            }
            Self::EscapedJson => f.write_str("over the body's JSON with other than ASCII escaped"),
            Self::SlashedJson => f.write_str("over the body's JSON as PHP writes it"),
            Self::WithoutMark => f.write_str("without the byte order mark before the body"),
            Self::EmptyBody => f.write_str("over an empty body"),
        }
    }
}

/// The condition under which one of `signatures` would be valid, if it is one of the known.
pub(super) fn guess(
    scheme: &Scheme,
    keys: &[Key],
    others: &[Secret],
    signatures: &Signatures,
    mut signed: Signed<'_>,
) -> Option<Guess> {
    if signed.content.len() > MAX_BODY_BYTES {
        return None;
    }
    let other = others.iter().take(MAX_OTHERS).find(|secret| {
        let key = Key::new(secret, scheme.algorithm, scheme.key);
        key.is_ok_and(|key| key.made(signatures, &signed))
    });
    if let Some(secret) = other {
        return Some(Guess::OtherSecret(Arc::clone(secret.reference())));
    }
    for (body, guess) in other_bodies(&signed.content.clone()) {
        signed.content = Cow::Owned(body);
        if keys.iter().any(|key| key.made(signatures, &signed)) {
            return Some(guess);
        }
    }
    None
}

/// What the body may have been when it was signed.
fn other_bodies(body: &[u8]) -> Vec<(Vec<u8>, Guess)> {
    let mut bodies = vec![
        (body.trim_ascii_end().to_vec(), Guess::TrimmedEnd),
        ([body, b"\n"].concat(), Guess::AddedNewline),
        (without_carriage_returns(body), Guess::LineFeeds),
        (with_carriage_returns(body), Guess::CarriageReturns),
        (Vec::new(), Guess::EmptyBody),
    ];
    if let Some(text) = body.strip_prefix(b"\xef\xbb\xbf") {
        bodies.push((text.to_vec(), Guess::WithoutMark));
    }
    if let Ok(value) = serde_json::from_slice::<serde_json::Value>(body) {
        bodies.push((written(&value, CompactFormatter), Guess::CompactJson));
        bodies.push((written(&value, Ascii { space: " ", slash: "/" }), Guess::SpacedJson));
        bodies.push((written(&value, Spaced), Guess::SpacedJson));
        bodies.push((written(&value, Ascii { space: "", slash: "/" }), Guess::EscapedJson));
        bodies.push((written(&value, Ascii { space: "", slash: "\\/" }), Guess::SlashedJson));
        for indent in [&b"  "[..], b"    "] {
            let formatter = PrettyFormatter::with_indent(indent);
            bodies.push((written(&value, formatter), Guess::IndentedJson(indent.len())));
        }
    }
    bodies
}

fn without_carriage_returns(body: &[u8]) -> Vec<u8> {
    let is_ending = |place: usize| body[place] == b'\r' && body.get(place + 1) == Some(&b'\n');
    (0..body.len()).filter(|place| !is_ending(*place)).map(|place| body[place]).collect()
}

fn with_carriage_returns(body: &[u8]) -> Vec<u8> {
    let mut lines = Vec::with_capacity(body.len());
    for (place, octet) in body.iter().enumerate() {
        if *octet == b'\n' && !body[..place].ends_with(b"\r") {
            lines.push(b'\r');
        }
        lines.push(*octet);
    }
    lines
}

fn written(value: &serde_json::Value, formatter: impl Formatter) -> Vec<u8> {
    let mut text = Vec::new();
    value
        .serialize(&mut Serializer::with_formatter(&mut text, formatter))
        .expect("a value has text keys, and memory takes every write");
    text
}

/// JSON with a space behind each comma and colon, as Python writes it where it may go beyond ASCII.
struct Spaced;

impl Formatter for Spaced {
    fn begin_array_value<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        if first { Ok(()) } else { writer.write_all(b", ") }
    }

    fn begin_object_key<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        self.begin_array_value(writer, first)
    }

    fn begin_object_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        writer.write_all(b": ")
    }
}

/// JSON of ASCII alone, as Python writes it and PHP does.
struct Ascii {
    /// What stands behind each comma and colon.
    space: &'static str,
    slash: &'static str,
}

impl Ascii {
    fn comma<W: ?Sized + io::Write>(&self, writer: &mut W, first: bool) -> io::Result<()> {
        if first { Ok(()) } else { write!(writer, ",{}", self.space) }
    }
}

impl Formatter for Ascii {
    fn begin_array_value<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        self.comma(writer, first)
    }

    fn begin_object_key<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        self.comma(writer, first)
    }

    fn begin_object_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        write!(writer, ":{}", self.space)
    }

    fn write_string_fragment<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        for unit in fragment.encode_utf16() {
            match u8::try_from(unit) {
                Ok(b'/') => writer.write_all(self.slash.as_bytes())?,
                Ok(octet) if octet.is_ascii() => writer.write_all(&[octet])?,
                _ => write!(writer, "\\u{unit:04x}")?,
            }
        }
        Ok(())
    }
}
