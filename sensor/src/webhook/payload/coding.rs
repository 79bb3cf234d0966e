//! Takes the content codings off a body (RFC 9110, section 8.4), within bounds.
//!
//! It must not know what the content is.

use std::borrow::Cow;
use std::io::{self, Read};

use brotli_decompressor::Decompressor;
use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use ruzstd::decoding::StreamingDecoder;

use crate::http::Headers;

/// Octets that are unpacked of one body, all its codings together: more than the payloads of the
/// large senders have, and little beside the bodies that are held.
const MAX_CONTENT_BYTES: usize = 8 << 20;

/// How many octets may come out of one, all codings together: each of two with a ratio of its own
/// would allow the square. Repetitive JSON shrinks to a fiftieth; what shrinks to less than this
/// was made to.
const MAX_RATIO: usize = 200;

/// Octets that may come out whatever the ratio, because a short text of one letter has any.
const FREE_BYTES: usize = 64 << 10;

/// Codings of one body that are taken off; nobody applies more than one but to confuse.
const MAX_CODINGS: usize = 2;

/// Largest window of a zstd frame in HTTP (RFC 9659, section 3). It is memory for us.
const MAX_ZSTD_WINDOW: u64 = 8 << 20;

/// Octets that are unpacked between two looks at the bounds.
const STEP: usize = 16 << 10;

/// A content coding that can be taken off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coding {
    /// RFC 1952.
    Gzip,
    /// RFC 1950, or RFC 1951 alone as some send it.
    Deflate,
    /// RFC 7932.
    Brotli,
    /// RFC 8878.
    Zstd,
}

/// Why the content cannot be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Packed {
    /// A coding that is not known here, or more of them than are looked at.
    Unknown,
    /// It is no text of this coding, or it ends early.
    Broken(Coding),
    /// It grows beyond any use.
    Bomb(Coding),
    /// It is larger than is looked at.
    TooLarge,
}

impl Coding {
    /// The coding's name in the IANA registry.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Deflate => "deflate",
            Self::Brotli => "br",
            Self::Zstd => "zstd",
        }
    }

    fn named(name: &[u8]) -> Option<Self> {
        let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
        [Self::Gzip, Self::Deflate, Self::Brotli, Self::Zstd]
            .into_iter()
            .find(|coding| is(coding.name()))
            .or_else(|| is("x-gzip").then_some(Self::Gzip))
    }
}

/// The content of `body` without the codings that `headers` name; `None` where they name none, or
/// one that cannot be taken off within the bounds.
#[must_use]
pub fn unpacked(headers: &Headers, body: &[u8]) -> Option<Vec<u8>> {
    match Unpacking::new(body).content(headers).ok()? {
        Cow::Owned(content) => Some(content),
        Cow::Borrowed(_) => None,
    }
}

/// The codings of one body on their way off.
#[derive(Debug)]
pub(super) struct Unpacking<'b> {
    body: &'b [u8],
    /// Octets that came out so far, of all codings.
    octets: usize,
    /// Octets that may come out of a body of this length.
    most: usize,
}

impl<'b> Unpacking<'b> {
    /// Nothing taken off `body` yet.
    pub(super) fn new(body: &'b [u8]) -> Self {
        let most = body.len().saturating_mul(MAX_RATIO).max(FREE_BYTES);
        Self { body, octets: 0, most }
    }

    /// Octets that were unpacked, whether or not that came to anything.
    pub(super) fn octets(&self) -> usize {
        self.octets
    }

    /// The content of the body without the codings that `headers` name.
    pub(super) fn content(&mut self, headers: &Headers) -> Result<Cow<'b, [u8]>, Packed> {
        let codings = named(headers).ok_or(Packed::Unknown)?;
        let packed = Cow::Borrowed(self.body);
        // The last one named was applied last.
        codings
            .iter()
            .rev()
            .try_fold(packed, |packed, coding| self.unpack(*coding, &packed).map(Cow::Owned))
    }

    fn unpack(&mut self, coding: Coding, packed: &[u8]) -> Result<Vec<u8>, Packed> {
        match coding {
            Coding::Gzip => self.read(coding, MultiGzDecoder::new(packed)),
            Coding::Deflate if is_zlib(packed) => self.read(coding, ZlibDecoder::new(packed)),
            Coding::Deflate => self.read(coding, DeflateDecoder::new(packed)),
            Coding::Brotli => self.read(coding, Decompressor::new(packed, STEP)),
            Coding::Zstd => {
                let frame = StreamingDecoder::new_with_max_window_size(packed, MAX_ZSTD_WINDOW);
                self.read(coding, frame.map_err(|_| Packed::Broken(coding))?)
            }
        }
    }

    fn read(&mut self, coding: Coding, mut unpacked: impl Read) -> Result<Vec<u8>, Packed> {
        let mut content = Vec::new();
        let mut step = vec![0; STEP];
        loop {
            let read = match unpacked.read(&mut step) {
                Ok(0) => return Ok(content),
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(_) => return Err(Packed::Broken(coding)),
            };
            content.extend_from_slice(&step[..read]);
            self.octets += read;
            if self.octets > self.most {
                return Err(Packed::Bomb(coding));
            }
            if self.octets > MAX_CONTENT_BYTES {
                return Err(Packed::TooLarge);
            }
        }
    }
}

/// The codings that `headers` name, in the order they were applied; `None` when one is not known
/// here, or there are more than are looked at.
fn named(headers: &Headers) -> Option<Vec<Coding>> {
    let named = headers.all("content-encoding").flat_map(|value| value.split(|b| *b == b','));
    let named = named.map(<[u8]>::trim_ascii);
    let applied = named.filter(|name| !name.is_empty() && !name.eq_ignore_ascii_case(b"identity"));
    // One more than may be is enough to see that there are too many.
    let codings = applied.take(MAX_CODINGS + 1).map(Coding::named).collect::<Option<Vec<_>>>()?;
    (codings.len() <= MAX_CODINGS).then_some(codings)
}

/// Whether the text starts with a zlib header (RFC 1950, section 2.2).
fn is_zlib(packed: &[u8]) -> bool {
    let [method, flags, ..] = packed else { return false };
    method & 0x0f == 8 && (u16::from(*method) << 8 | u16::from(*flags)).is_multiple_of(31)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
    use proptest::prelude::*;

    use super::*;
    use crate::webhook::fixture::headers;

    const TEXT: &[u8] = b"{\"action\":\"opened\"}";

    /// `TEXT` as node's brotliCompressSync packs it, and as `zstd -c` does.
    const BROTLI: &[u8] =
        b"\x1b\x12\x00\xf8\xa5\x45\x74\xf6\xfa\xa6\x24\x94\x70\x52\x19\x4c\xd2\x58\xe2";
    const ZSTD: &[u8] =
        b"\x28\xb5\x2f\xfd\x04\x58\x99\x00\x00{\"action\":\"opened\"}\xb5\x28\x46\xee";

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn check(named: &str, body: &[u8], expected: Result<&[u8], Packed>) {
        let headers = headers(&format!("Content-Encoding: {named}"));
        let found = Unpacking::new(body).content(&headers);
        assert_eq!(found.as_deref().map_err(|packed| *packed), expected, "{named}");
    }

    #[test]
    fn codings() {
        let mut zlib = ZlibEncoder::new(Vec::new(), Compression::default());
        zlib.write_all(TEXT).unwrap();
        let mut deflate = DeflateEncoder::new(Vec::new(), Compression::default());
        deflate.write_all(TEXT).unwrap();
        check("gzip", &gzip(TEXT), Ok(TEXT));
        check("X-GZIP", &gzip(TEXT), Ok(TEXT));
        check("deflate", &zlib.finish().unwrap(), Ok(TEXT));
        check("deflate", &deflate.finish().unwrap(), Ok(TEXT));
        check("br", BROTLI, Ok(TEXT));
        check("zstd", ZSTD, Ok(TEXT));
        check("gzip, identity, gzip", &gzip(&gzip(TEXT)), Ok(TEXT));
        check("identity", TEXT, Ok(TEXT));
        check("", TEXT, Ok(TEXT));
    }

    #[test]
    fn what_cannot_be_unpacked() {
        let packed = gzip(TEXT);
        check("gzip", &packed[..packed.len() - 9], Err(Packed::Broken(Coding::Gzip)));
        check("gzip", TEXT, Err(Packed::Broken(Coding::Gzip)));
        check("deflate", TEXT, Err(Packed::Broken(Coding::Deflate)));
        check("br", &BROTLI[..9], Err(Packed::Broken(Coding::Brotli)));
        check("zstd", &ZSTD[..12], Err(Packed::Broken(Coding::Zstd)));
        check("zstd", TEXT, Err(Packed::Broken(Coding::Zstd)));
        check("compress", TEXT, Err(Packed::Unknown));
        check("gzip, gzip, gzip", TEXT, Err(Packed::Unknown));
        // A frame that asks for a window of 128 MiB.
        check("zstd", b"\x28\xb5\x2f\xfd\x00\x88", Err(Packed::Broken(Coding::Zstd)));
    }

    #[test]
    fn bombs_stay_packed() {
        check("gzip", &gzip(&vec![b'0'; 1 << 20]), Err(Packed::Bomb(Coding::Gzip)));
        check("gzip, gzip", &gzip(&gzip(&vec![0; 8 << 20])), Err(Packed::Bomb(Coding::Gzip)));
        // Twice packed, each layer within the ratio: many members, packed together.
        let members = gzip(&[b'0'; 4 << 10]).repeat(256);
        assert!(members.len() * MAX_RATIO > 1 << 20);
        let packed = gzip(&members);
        assert!(packed.len() * MAX_RATIO > members.len());
        check("gzip, gzip", &packed, Err(Packed::Bomb(Coding::Gzip)));
        let mut unpacking = Unpacking::new(&packed);
        assert!(unpacking.content(&headers("Content-Encoding: gzip, gzip")).is_err());
        assert!(unpacking.octets() <= FREE_BYTES + STEP, "{}", unpacking.octets());
        let digits: Vec<u8> = (0..=MAX_CONTENT_BYTES / 8)
            .flat_map(|number| format!("{number:08}").into_bytes())
            .collect();
        check("gzip", &gzip(&digits), Err(Packed::TooLarge));
        let free = vec![b'0'; FREE_BYTES];
        check("gzip", &gzip(&free), Ok(&free));
    }

    proptest! {
        #[test]
        fn no_octets_are_a_panic(
            coding in "gzip|deflate|br|zstd",
            octets: Vec<u8>,
            place: prop::sample::Index,
            changed: u8,
        ) {
            let headers = headers(&format!("Content-Encoding: {coding}"));
            drop(Unpacking::new(&octets).content(&headers));
            for packed in [BROTLI, ZSTD, &gzip(TEXT)] {
                let mut packed = packed.to_vec();
                let place = place.index(packed.len());
                packed[place] = changed;
                packed.extend_from_slice(&octets);
                drop(Unpacking::new(&packed).content(&headers));
            }
        }
    }
}
