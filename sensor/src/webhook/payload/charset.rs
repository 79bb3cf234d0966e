//! How the characters of text are coded: what its declaration, its first octets or an XML
//! declaration say.
//!
//! It must not know what the text is about.

/// Octets of a text in which an XML declaration ends; a longer one is none that anybody writes.
const MAX_XML_DECLARATION: usize = 256;

/// How the characters of text are coded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Charset {
    /// UTF-8 or its subset, ASCII.
    Utf8,
    /// One that is not read here.
    Other,
}

impl Charset {
    /// The charset of this name, which may be in quotation marks.
    pub(super) fn named(name: &[u8]) -> Self {
        let name = name.trim_ascii();
        let bare = name.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\""));
        let is = |known: &[u8]| bare.unwrap_or(name).eq_ignore_ascii_case(known);
        if is(b"utf-8") || is(b"utf8") || is(b"us-ascii") { Self::Utf8 } else { Self::Other }
    }

    /// The charset of text for which `declared` is: a byte order mark comes before any declaration,
    /// as in RFC 7303, section 3.
    pub(super) fn of_text(text: &[u8], declared: Option<Self>) -> Self {
        if is_wide(text) { Self::Other } else { declared.unwrap_or(Self::Utf8) }
    }

    /// The charset of an XML document: where nothing outside declares one, it does so itself.
    pub(super) fn of_xml(document: &[u8], declared: Option<Self>) -> Self {
        let declared = declared.or_else(|| encoding(document).map(Self::named));
        // Without a byte order mark, an XML declaration shows it (XML 1.0, appendix F.1).
        if document.starts_with(b"<\0") || document.starts_with(b"\0<") {
            return Self::Other;
        }
        Self::of_text(document, declared)
    }
}

/// Whether `text` starts with the byte order mark of UTF-16, or of UTF-32, which has it or zeros
/// before it.
fn is_wide(text: &[u8]) -> bool {
    [&b"\xfe\xff"[..], b"\xff\xfe", b"\0\0\xfe\xff"].iter().any(|mark| text.starts_with(mark))
}

/// The encoding that the XML declaration of `document` names (XML 1.0, section 4.3.3).
fn encoding(document: &[u8]) -> Option<&[u8]> {
    let start = &document[..document.len().min(MAX_XML_DECLARATION)];
    let rest = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(start).strip_prefix(b"<?xml")?;
    let declaration = &rest[..rest.iter().position(|octet| *octet == b'>')?];
    let (_, rest) = std::str::from_utf8(declaration).ok()?.split_once("encoding")?;
    let value = rest.trim_start().strip_prefix('=')?.trim_start();
    let quote = value.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
    value[1..].split_once(quote).map(|(name, _)| name.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents() {
        use Charset::{Other, Utf8};
        let check = |text: &[u8], declared, expected| {
            assert_eq!(Charset::of_xml(text, declared), expected, "{}", text.escape_ascii());
        };
        let latin = b"<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><a>\xe9</a>";
        check(latin, None, Other);
        check(latin, Some(Utf8), Utf8);
        check(b"<?xml version='1.0' encoding = 'latin1' ?><a/>", None, Other);
        check(b"<?xml version='1.0' encoding='UTF-8'?><a/>", Some(Other), Other);
        check(b"<?xml version='1.0' encoding='UTF-8'?><a/>", None, Utf8);
        check(b"\xef\xbb\xbf<?xml version='1.0' encoding='utf-8'?><a/>", None, Utf8);
        check(b"<?xml version='1.0'?><a encoding='latin1'/>", None, Utf8);
        check(b"<a encoding='latin1'/>", None, Utf8);
        check(b"<?xml encoding=", None, Utf8);
        check(b"\xff\xfe<\0a\0", Some(Utf8), Other);
        check(b"<\0?\0x\0", None, Other);
        check(b"\0<\0?\0x", None, Other);
        check(b"", None, Utf8);
        assert_eq!(Charset::of_text(b"\xfe\xff\0a", None), Other);
        assert_eq!(Charset::of_text(latin, None), Utf8);
    }
}
