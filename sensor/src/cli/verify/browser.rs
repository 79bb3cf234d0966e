//! The head of a request as pages and the tools of browsers show it: `Request URL: ..`, `Request
//! method: ..`, and the fields. GitHub does so among the recent deliveries of a webhook.
//!
//! It must not know what else writes a request.

/// What stands before the URL.
pub(super) const URL: &str = "request url:";
/// What stands before the method.
const METHOD: &str = "request method:";

/// What `name` says in one of these lines.
pub(super) fn value<'l>(lines: &[&'l [u8]], name: &str) -> Option<&'l [u8]> {
    lines.iter().find_map(|line| {
        let (start, value) = line.split_at_checked(name.len())?;
        start.eq_ignore_ascii_case(name.as_bytes()).then(|| value.trim_ascii())
    })
}

/// The request line that these lines stand for, where they are of this form.
pub(super) fn request_line(lines: &[&[u8]]) -> Option<Vec<u8>> {
    let url = value(lines, URL)?;
    let method = value(lines, METHOD).unwrap_or(b"POST");
    Some([method, b" ", url, b" HTTP/1.1"].concat())
}

/// Whether `line` is of this form and no field, of which no name has a space.
pub(super) fn is_own(line: &[u8]) -> bool {
    let start = b"request ";
    line.get(..start.len()).is_some_and(|found| found.eq_ignore_ascii_case(start))
}
