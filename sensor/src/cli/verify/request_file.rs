//! A request out of a file: as it is on the wire, as tools print it, or in a HAR.
//!
//! It must not know what the request is for.

use bytes::Bytes;

use super::which::Which;
use super::{har, wire};
use crate::http::Headers;
use crate::time::Timestamp;
use crate::webhook::{Message, NoContent, Table};

/// What editors of Windows put before the text of a file.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// A request as a file has it.
#[derive(Debug)]
pub(super) struct RequestFile {
    pub(super) method: String,
    pub(super) target: String,
    pub(super) headers: Headers,
    /// The content, or why it is not there whole.
    pub(super) body: Result<Vec<u8>, NoContent>,
    /// The URL, where the file says so.
    pub(super) url: Option<String>,
    /// When it was sent, where that is known.
    pub(super) sent: Option<Timestamp>,
    /// Whether the file has less of the body than the head says.
    pub(super) is_cut: bool,
    /// What is odd about the file, in sentences.
    pub(super) notes: Vec<String>,
}

impl RequestFile {
    /// Reads any of the forms, and of several requests the one that is meant. Says in words why it
    /// cannot.
    pub(super) fn read(octets: &[u8], which: Which<'_>, table: &Table) -> Result<Self, String> {
        if octets.starts_with(b"\xff\xfe") || octets.starts_with(b"\xfe\xff") {
            return Err(String::from("the file is UTF-16, as Windows writes it; save it as UTF-8"));
        }
        let octets = octets.strip_prefix(BYTE_ORDER_MARK).unwrap_or(octets);
        if har::is_archive(octets) {
            return har::read(octets, which, table);
        }
        match which {
            Which::Webhook => wire::read(octets),
            _ => Err(String::from(
                "--delivery chooses from a capture or a HAR file, and this file has one request",
            )),
        }
    }
}

impl RequestFile {
    /// The request as the other stages know it.
    pub(super) fn message(&self) -> Message<'_> {
        Message {
            method: self.method.as_bytes(),
            target: self.target.as_bytes(),
            headers: &self.headers,
            content: self.body.as_deref().map_err(|why| *why),
        }
    }
}

/// Header fields as the other stages know them.
pub(super) fn headers(fields: &[(String, Vec<u8>)]) -> Headers {
    let mut head = Vec::new();
    let mut ranges = Vec::new();
    let mut put = |octets: &[u8]| {
        let start = u32::try_from(head.len()).unwrap_or(u32::MAX);
        head.extend_from_slice(octets);
        start..u32::try_from(head.len()).unwrap_or(u32::MAX)
    };
    for (name, value) in fields {
        let name = put(name.as_bytes());
        ranges.push((name, put(value)));
    }
    Headers::new(Bytes::from(head), ranges)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<RequestFile, String> {
        read_of(text, Which::Webhook)
    }

    fn read_of(text: &str, which: Which<'_>) -> Result<RequestFile, String> {
        let acme = "[[provider]]\nname = \"acme\"\nrecognise = [\"header x-a\"]\n\
                    delivery_id = [\"json /id\"]";
        let table = Table::new(&crate::config::Config::parse(acme, "test").unwrap().providers);
        RequestFile::read(text.as_bytes(), which, &table)
    }

    #[test]
    fn forms() {
        let check = |text: &str, body: &str, header: Option<&str>| {
            let read = read(text).unwrap();
            assert_eq!(String::from_utf8_lossy(read.body.as_ref().unwrap()), body, "{text}");
            assert_eq!(read.headers.first("x-a").map(String::from_utf8_lossy).as_deref(), header);
            assert_eq!(read.method, "POST", "{text}");
        };
        for text in [
            "POST /a HTTP/1.1\r\nX-A: 1\r\n\r\nbody",
            "POST /a HTTP/1.1\nX-A: 1\n\nbody",
            "\u{feff}POST /a HTTP/1.1\nX-A: 1\n\nbody",
            "\n\nPOST /a HTTP/1.1\nX-A: 1\n\nbody",
            "> POST /a HTTP/1.1\n> X-A: 1\n>\nbody",
            "* Trying ::1\n> POST /a HTTP/1.1\n> X-A: 1\n> \nbody* done\n< HTTP/1.1 200 OK\n",
            "POST /a HTTP/2\nx-a: 1\n\nbody",
            "POST /a\nx-a: 1\n\nbody",
            ":method: POST\n:path: /a\n:scheme: https\nx-a: 1\n\nbody",
            "X-A: 1\n\nbody",
            "POST / HTTP/1.1\nX-A:\n 1\n\nbody",
            "POST / HTTP/1.1\nX-A: 1\nContent-Length: 4\n\nbodyPOST / HTTP/1.1\n\n",
            "POST / HTTP/1.1\nX-A: 1\nContent-Length: 4\n\nbody\n\nHTTP/1.1 200 OK\nX-A: 2\n\n",
            "POST / HTTP/1.1\nX-A: 1\n\nbody\n\n\nHTTP/1.1 200 OK\nX-A: 2\n\nok\n",
            "Request URL: https://h/a\nRequest method: POST\nX-A: 1\n\nbody",
            "Request URL: https://h/a\nX-A: 1\n\nbody",
        ] {
            let body = if text.starts_with('*') { "body* done\n" } else { "body" };
            check(text, body, Some("1"));
        }
        check("> POST / HTTP/1.1\n> X-A: 1\n>\n* sent\n< HTTP/1.1 200 OK\n", "", Some("1"));
        check("> POST / HTTP/1.1\n> X-A: 1\n>\n} [4 bytes data]\n< HTTP/1.1 200\n", "", Some("1"));
        check("POST /a HTTP/1.1\r\nX-A: 1\r\n\r\nbody\n", "body\n", Some("1"));
        check("POST / HTTP/1.1\r\nX-A: 1", "", Some("1"));
        let declares =
            |length| format!("POST / HTTP/1.1\nX-A: 1\nContent-Length: {length}\n\nbody\n");
        check(&declares("4"), "body", Some("1"));
        check(&declares("5"), "body\n", Some("1"));
        check(&declares("3"), "body\n", Some("1"));
        check(&declares("6"), "body\n", Some("1"));
        check(&declares("x"), "body\n", Some("1"));
    }

    #[test]
    fn chunks() {
        let check = |coding: &str, body: &str, expected: &str| {
            let text = format!("POST / HTTP/1.1\r\nTransfer-Encoding: {coding}\r\n\r\n{body}");
            assert_eq!(read(&text).unwrap().body.unwrap(), expected.as_bytes(), "{body}");
        };
        check("chunked", "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", "abcde");
        check("chunked", "3;a=b\nabc\n2\nde\n0\n\n", "abcde");
        check("gzip, Chunked", "3\r\nabc\r\n0\r\n\r\n", "abc");
        check("chunked", "printed", "printed");
        let broken = "POST / HTTP/1.1\nTransfer-Encoding: chunked\n\n3\nabc\n5\nd";
        assert!(read(broken).unwrap_err().contains("breaks off"));
    }

    #[test]
    fn archives() {
        let entry = |fields: &str| {
            format!(
                r#"{{"request":{{"method":"POST","url":"https://h/p?q","headers":
                [{{"name":":path","value":"/"}},{{"name":"X-A","value":"1"}}]{fields}}}}}"#
            )
        };
        let check = |fields: &str, expected: Result<&str, NoContent>| {
            let other = r#"{"request":{"method":"GET","url":"https://h/","headers":[]}}"#;
            let text = format!(r#"{{"log":{{"entries":[{other},{}]}}}}"#, entry(fields));
            let read = read(&text).unwrap();
            assert_eq!(read.method, "POST");
            assert_eq!(read.body, expected.map(|body| body.as_bytes().to_vec()), "{fields}");
            assert_eq!(read.url.as_deref(), Some("https://h/p?q"));
        };
        check("", Ok(""));
        check(r#","postData":{"text":"{}"}"#, Ok("{}"));
        check(r#","postData":{"text":"e30=","encoding":"base64"}"#, Ok("{}"));
        check(r#","postData":{"text":"","params":[{"name":"a","value":"1+2"}]}"#, Ok("a=1+2"));
        let decoded =
            r#","postData":{"params":[{"name":"a","value":"1+2 %"},{"name":"b","value":"3"}]}"#;
        check(decoded, Ok("a=1%2B2+%25&b=3"));
        check(r#","bodySize":7"#, Err(NoContent::NotKept));
        check(r#","bodySize":-1"#, Err(NoContent::NotKept));
        check(r#","bodySize":0"#, Ok(""));
        check(r##","postData":{"text":"#","encoding":"base64"}"##, Err(NoContent::NotKept));
    }

    #[test]
    fn one_of_several_is_chosen() {
        let entry = |value: &str| {
            format!(
                r#"{{"startedDateTime":"2026-11-01T13:00:00.5+01:00","request":{{"method":"POST",
                "url":"https://h/{value}","headers":[{{"name":"X-A","value":"{value}"}}],
                "postData":{{"text":"{{\"id\":\"evt_{value}\"}}"}}}}}}"#
            )
        };
        let text = format!(r#"{{"log":{{"entries":[{},{}]}}}}"#, entry("one"), entry("two"));
        let check = |which: Option<&str>, expected: Result<&str, &str>, note: &str| {
            let read = read_of(&text, Which::new(which));
            let found = read.as_ref().map(|request| request.target.rsplit('/').next().unwrap());
            assert_eq!(found.map_err(String::as_str), expected);
            let sent = read.as_ref().ok().map(|request| request.sent.unwrap().0 / 1_000_000);
            assert!(sent.is_none_or(|sent| sent == 1_793_534_400_500), "{sent:?}");
            let notes = read.map(|request| request.notes.join("")).unwrap_or_default();
            assert!(notes.contains(note) && notes.is_empty() == note.is_empty(), "{notes}");
        };
        check(None, Ok("one"), "holds 2 of these");
        check(Some("2"), Ok("two"), "");
        check(Some("two"), Ok("two"), "");
        check(Some("evt_two"), Ok("two"), "");
        check(Some("3"), Err("the file holds 2 requests; choose one of them"), "");
        check(Some("x"), Err("none of the 2 requests is called \"x\""), "");
        let alone = read_of("POST / HTTP/1.1\n\n", Which::Number(1)).unwrap_err();
        assert!(alone.contains("this file has one request"), "{alone}");
    }

    #[test]
    fn what_is_no_request_is_said() {
        for (text, expected) in [
            ("nonsense\n\n", "not one of a request"),
            ("HTTP/1.1 200 OK\n\n", "this is a response"),
            ("curl -X POST https://h/ -H 'X-A: 1' -d body", "each -H as a line"),
            ("== Info: Connected\n", "this is a trace of curl"),
            ("{}", "no HAR file"),
            ("{", "broken JSON"),
            ("", "empty"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
        let wide = RequestFile::read(b"\xff\xfeP\0O\0", Which::Webhook, &Table::new(&[]));
        let wide = wide.unwrap_err();
        assert!(wide.contains("UTF-16"), "{wide}");
    }

    #[test]
    fn what_is_left_out_is_noted() {
        let notes = |behind: &str| {
            let text = format!("POST / HTTP/1.1\nContent-Length: 4\n\nbody{behind}");
            read(&text).unwrap().notes.join("")
        };
        assert_eq!(notes("\n"), "");
        assert!(notes("POST / HTTP/1.1\n\n").starts_with("Another request follows"));
        assert!(notes("\n\nHTTP/1.1 200 OK\n\n").contains("taken for its answer"));
        assert!(!notes("\nHTTP/1.1 is old\n").contains("answer"));
    }

    #[test]
    fn a_head_has_as_many_fields_as_the_agent_reads() {
        let head = |count| {
            let fields: String = (0..count).map(|n| format!("X-{n}: 1\n")).collect();
            read(&format!("POST / HTTP/1.1\n{fields}\n"))
        };
        assert_eq!(head(1024).unwrap().headers.iter().count(), 1024);
        assert!(head(1025).unwrap_err().contains("too many headers"));
    }

    #[test]
    fn a_url_that_a_browser_shows_is_the_one_called() {
        let shown = read("Request URL: https://h/a?b\nRequest Method: PUT\nX-A: 1\n\n").unwrap();
        assert_eq!((shown.method.as_str(), shown.headers.iter().count()), ("PUT", 1));
        assert_eq!(shown.url.as_deref(), Some("https://h/a?b"));
    }

    #[test]
    fn a_length_that_does_not_fit_is_noted() {
        let notes = |length| {
            let text = format!("POST / HTTP/1.1\nContent-Length: {length}\n\nbody");
            read(&text).unwrap().notes.join("")
        };
        assert_eq!(notes(4), "");
        assert!(notes(9).contains("has 4: it was cut"), "{}", notes(9));
        assert!(notes(3).contains("has 4: it was changed"), "{}", notes(3));
    }
}
