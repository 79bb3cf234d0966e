//! Owns how much it takes for octets to count as the start of a message.
//!
//! It must not know connections, nor read more than the first line.

use memchr::memchr;

use super::head::Tolerance;
use super::start_line;

/// What the messages of a direction are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Requests,
    Responses,
}

/// What speaks for a message where one may start, besides what stands there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Expected {
    /// The message before has ended there: a head is due.
    Due,
    /// Its sender began to speak there. What breaks the grammar was meant as a message all the
    /// same, by an attacker as a rule.
    Likely,
    /// A segment begins there, and octets are missing before it. As [`Expected::Likely`], but that
    /// the end of a body may stand before the first line of the next message.
    Resumed,
    /// Nothing: it is more likely part of a body.
    Possible,
}

impl Expected {
    /// How much deviation a `head` may show there.
    pub(super) fn tolerance(self, role: Role, head: &[u8]) -> Tolerance {
        let is_usual = role == Role::Responses || start_line::starts_with_known_method(head);
        match self {
            Self::Resumed if !is_usual => Tolerance::GrammarAndField,
            Self::Due | Self::Likely | Self::Resumed => Tolerance::Understandable,
            Self::Possible => Tolerance::Grammar,
        }
    }

    /// Whether a first line may begin with these octets. Whatever follows them, a line that
    /// [`Expected::takes`] begins only with octets that do; but where a segment resumes a stream,
    /// one with a method that is not in common use shows itself only once all of it is there.
    pub(super) fn may_begin(self, role: Role, octets: &[u8]) -> bool {
        match (role, self) {
            (Role::Requests, Self::Due) => start_line::may_be_request(octets),
            (Role::Requests, Self::Resumed) => {
                start_line::starts_with_known_method(octets) || starts_with_plain_line(octets)
            }
            (Role::Requests, _) => start_line::starts_with_known_method(octets),
            (Role::Responses, Self::Due) => start_line::may_be_response(octets),
            (Role::Responses, _) => start_line::may_be_usual_response(octets),
        }
    }

    /// Whether a line, without its LF, is a first line.
    pub(super) fn takes(self, role: Role, line: &[u8]) -> bool {
        let line = without_return(line);
        let is_plain = self == Self::Resumed && start_line::is_plain_request_line(line);
        (is_plain || self.may_begin(role, line))
            && match (role, self) {
                (Role::Requests, Self::Possible) => start_line::is_usual_request_line(line),
                (Role::Requests, Self::Resumed) => start_line::is_one_request_line(line),
                (Role::Requests, _) => start_line::request_line(line).is_some(),
                (Role::Responses, _) => start_line::status_line(line).is_some(),
            }
    }
}

/// Whether octets start with a whole line that only a request has.
fn starts_with_plain_line(octets: &[u8]) -> bool {
    let end = memchr(b'\n', octets);
    end.is_some_and(|end| start_line::is_plain_request_line(without_return(&octets[..end])))
}

fn without_return(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}
