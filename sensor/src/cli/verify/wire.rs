//! A request as it is on the wire, or as tools and people write it down.
//!
//! It must not know what the request is for.

use super::browser;
use super::request_file::{RequestFile, headers};

/// Fields of a head that are read: as many as the agent does.
const MAX_FIELDS: usize = 1024;

const COMMAND: &str = "this is a command of curl, and not what it sends; write that: a line as POST /hooks \
                       HTTP/1.1, each -H as a line, an empty line, and what stands behind -d";
const TRACE: &str = "this is a trace of curl; -v in the place of --trace prints the head as it was \
                     sent: put that into the file, and behind an empty line the body";
const ANOTHER: &str = "Another request follows in the file; this is the first.";
const ANSWER: &str = "What follows the request in the file, from a line as HTTP/1.1 200 on, was taken \
                      for its answer and left out, with the line endings before it.";

type Fields = Vec<(String, Vec<u8>)>;

/// Reads the first request in `octets`; says in words why there is none.
pub(super) fn read(octets: &[u8]) -> Result<RequestFile, String> {
    let (lines, rest) = split(octets);
    let head = plain(&lines)?;
    let mut fields = vec![httparse::EMPTY_HEADER; MAX_FIELDS];
    let mut request = httparse::Request::new(&mut fields);
    request.parse(&head).map_err(|error| {
        format!(
            "the head is not one of a request: {error}; it begins with a line as POST /hooks \
             HTTP/1.1, or with header fields, and an empty line ends it before the body"
        )
    })?;
    let fields: Fields =
        request.headers.iter().map(|field| (field.name.to_owned(), field.value.to_vec())).collect();
    let is_chunked = value(&fields, "transfer-encoding")
        .is_some_and(|value| value.to_ascii_lowercase().ends_with(b"chunked"));
    let (body, note) = if is_chunked {
        (dechunked(rest)?, None)
    } else {
        let (body, note) = own(rest, length(&fields));
        (body.to_vec(), note)
    };
    let length = length(&fields).filter(|_| !is_chunked);
    let mut notes: Vec<_> = note.map(str::to_owned).into_iter().collect();
    notes.extend(length.and_then(|declared| length_note(&body, declared)));
    let is_cut = length.is_some_and(|declared| body.len() < declared);
    Ok(RequestFile {
        method: request.method.unwrap_or("POST").to_owned(),
        target: request.path.unwrap_or("/").to_owned(),
        headers: headers(&fields),
        body: Ok(body),
        url: browser::value(&lines, browser::URL).map(|url| String::from_utf8_lossy(url).into()),
        sent: None,
        is_cut,
        notes,
    })
}

/// The lines of the head, without the marks of `curl -v`, and what follows the empty line.
fn split(octets: &[u8]) -> (Vec<&[u8]>, &[u8]) {
    let mut lines = Vec::new();
    let mut rest = octets;
    let mut is_marked = false;
    while !rest.is_empty() {
        let (line, after) = first_line(rest);
        rest = after;
        if is_note(line) {
            continue;
        }
        is_marked |= lines.is_empty() && line.starts_with(b"> ");
        let line = if is_marked { line.strip_prefix(b">").unwrap_or(line) } else { line };
        let line = if is_marked { line.strip_prefix(b" ").unwrap_or(line) } else { line };
        if !line.is_empty() {
            lines.push(line);
        } else if !lines.is_empty() {
            break;
        }
    }
    (lines, if is_marked { before_answer(rest) } else { rest })
}

fn first_line(text: &[u8]) -> (&[u8], &[u8]) {
    let end = text.iter().position(|octet| *octet == b'\n').map_or(text.len(), |at| at + 1);
    let (line, rest) = text.split_at(end);
    (line.trim_ascii_end(), rest)
}

/// Whether curl says something of its own in this line, as how much it sent or received.
fn is_note(line: &[u8]) -> bool {
    let is_count =
        (line.starts_with(b"} [") || line.starts_with(b"{ [")) && line.ends_with(b" bytes data]");
    is_count || line.starts_with(b"* ")
}

/// The body that stands behind what `curl -v` printed, without what it printed of the answer.
fn before_answer(text: &[u8]) -> &[u8] {
    let mut rest = text;
    while !rest.is_empty() {
        let (line, after) = first_line(rest);
        if is_note(line) || line.starts_with(b"< ") {
            return &text[..text.len() - rest.len()];
        }
        rest = after;
    }
    text
}

/// The head as HTTP/1.1 has it: with a request line, where there are the pseudo-header fields of
/// HTTP/2 (RFC 9113, section 8.3.1) or none at all, and each field on one line.
fn plain(lines: &[&[u8]]) -> Result<Vec<u8>, String> {
    let first = lines.first().ok_or("the file is empty")?;
    if first.starts_with(b"HTTP/") {
        return Err(String::from(
            "this is a response; what was sent is needed, which curl prints with -v and not with -i",
        ));
    }
    if first.starts_with(b"curl ") {
        return Err(COMMAND.to_owned());
    }
    if first.starts_with(b"== Info") || first.starts_with(b"=> Send header") {
        return Err(TRACE.to_owned());
    }
    let pseudo = |name: &[u8]| lines.iter().find_map(|line| line.strip_prefix(name));
    let (request_line, fields) = if let Some(line) = browser::request_line(lines) {
        (line, lines)
    } else if is_field(first) {
        let method = pseudo(b":method:").unwrap_or(b"POST").trim_ascii();
        let path = pseudo(b":path:").unwrap_or(b"/").trim_ascii();
        ([method, b" ", path, b" HTTP/1.1"].concat(), lines)
    } else {
        (in_version_one(first), &lines[1..])
    };
    let mut head = request_line;
    for line in fields.iter().filter(|line| !line.starts_with(b":") && !browser::is_own(line)) {
        // A line that begins with white space goes on with the field before it (RFC 9112,
        // section 5.2).
        let is_folded = matches!(line.first(), Some(b' ' | b'\t'));
        head.extend_from_slice(if is_folded { b" " } else { b"\r\n" });
        head.extend_from_slice(line.trim_ascii());
    }
    head.extend_from_slice(b"\r\n\r\n");
    Ok(head)
}

/// Whether a line is a header field rather than a request line: its first word ends in a colon.
fn is_field(line: &[u8]) -> bool {
    let word = line.split(|octet| *octet == b' ').next().unwrap_or_default();
    word.contains(&b':')
}

/// A request line with a version that the parser knows: tools write HTTP/2 or none.
fn in_version_one(line: &[u8]) -> Vec<u8> {
    let mut words = line.split(|octet| *octet == b' ').collect::<Vec<_>>();
    if words.last().is_some_and(|word| word.starts_with(b"HTTP/2") || word.starts_with(b"HTTP/3")) {
        words.pop();
    }
    let has_version = words.last().is_some_and(|word| word.starts_with(b"HTTP/"));
    if words.len() == 2 && !has_version {
        words.push(b"HTTP/1.1");
    }
    words.join(&b' ')
}

fn value<'f>(fields: &'f Fields, name: &str) -> Option<&'f [u8]> {
    let is_it = |(field, _): &&(String, Vec<u8>)| field.eq_ignore_ascii_case(name);
    fields.iter().find(is_it).map(|(_, value)| value.as_slice())
}

fn length(fields: &Fields) -> Option<usize> {
    std::str::from_utf8(value(fields, "content-length")?).ok()?.trim().parse().ok()
}

/// The body without what stands behind it in the file, and what is to be said of that: where its
/// length is declared, the line ending that an editor puts at the end of a file, another request,
/// or the answer; else the answer alone. Another difference may be what is looked for.
fn own(body: &[u8], length: Option<usize>) -> (&[u8], Option<&'static str>) {
    match length.and_then(|length| body.split_at_checked(length)) {
        Some((declared, rest)) if rest.trim_ascii().is_empty() => (declared, None),
        Some((declared, rest)) if is_request(rest) => (declared, Some(ANOTHER)),
        Some((declared, rest)) if is_answer(rest.trim_ascii_start()) => (declared, Some(ANSWER)),
        _ => match answer(body) {
            Some(at) => (without_endings(&body[..at]), Some(ANSWER)),
            None => (body, None),
        },
    }
}

/// Where the answer begins that a tool prints behind an empty line.
fn answer(text: &[u8]) -> Option<usize> {
    let (mut rest, mut is_behind_empty) = (text, true);
    while !rest.is_empty() {
        if is_behind_empty && is_answer(rest) {
            return Some(text.len() - rest.len());
        }
        let (line, after) = first_line(rest);
        (rest, is_behind_empty) = (after, line.is_empty());
    }
    None
}

/// Whether a status line begins here (RFC 9112, section 4).
fn is_answer(text: &[u8]) -> bool {
    let (line, _) = first_line(text);
    let mut words = line.splitn(3, |octet| *octet == b' ');
    words.next().is_some_and(|version| version.starts_with(b"HTTP/"))
        && words.next().is_some_and(|code| code.len() == 3 && code.iter().all(u8::is_ascii_digit))
}

fn without_endings(mut text: &[u8]) -> &[u8] {
    while let [rest @ .., b'\r' | b'\n'] = text {
        text = rest;
    }
    text
}

/// Whether another request begins here.
fn is_request(text: &[u8]) -> bool {
    let (line, _) = first_line(text.trim_ascii_start());
    let words: Vec<_> = line.split(|octet| *octet == b' ').collect();
    matches!(words[..], [method, _, version] if method.is_ascii() && version.starts_with(b"HTTP/"))
}

fn length_note(body: &[u8], declared: usize) -> Option<String> {
    let found = body.len();
    if found == 0 && declared > 0 {
        return Some(format!(
            "Content-Length says {declared} octets, and the file has no body, which curl -v does \
             not print: put what was sent behind the empty line that ends the head."
        ));
    }
    let cause = if found < declared { "it was cut, or written anew" } else { "it was changed" };
    (found != declared).then(|| {
        format!(
            "Content-Length says {declared} octets, and the body in the file has {found}: {cause}."
        )
    })
}

/// The content of a chunked body (RFC 9112, section 7.1), whose lines an editor may have ended in
/// LF; a body that is no longer chunked, as tools print it, is taken as it is.
fn dechunked(body: &[u8]) -> Result<Vec<u8>, String> {
    let broken = || String::from("the chunked body breaks off");
    let mut content = Vec::new();
    let mut rest = body;
    loop {
        let (line, after) = first_line(rest);
        let digits = line.split(|octet| *octet == b';').next().unwrap_or_default().trim_ascii();
        let digits = std::str::from_utf8(digits).ok();
        let Some(size) = digits.and_then(|digits| usize::from_str_radix(digits, 16).ok()) else {
            return if content.is_empty() { Ok(body.to_vec()) } else { Err(broken()) };
        };
        if size == 0 {
            return Ok(content);
        }
        let (chunk, after) = after.split_at_checked(size).ok_or_else(broken)?;
        content.extend_from_slice(chunk);
        rest = after.strip_prefix(b"\r\n").or_else(|| after.strip_prefix(b"\n")).unwrap_or(after);
    }
}
