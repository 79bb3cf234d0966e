//! A JSON Pointer (RFC 6901) that is built step by step, and of a length that a record can carry.
//!
//! It must not know what it points into.

/// Octets of a pointer that are shown. Names are the sender's choice, and may be of any length.
const MAX_SHOWN: usize = 256;

/// A place in a JSON text.
#[derive(Debug, Clone, Default)]
pub(super) struct Pointer(String);

impl Pointer {
    /// The place of a member of the whole.
    pub(super) fn new(member: &str) -> Self {
        let mut pointer = Self::default();
        pointer.push(member);
        pointer
    }

    /// A pointer that is written already.
    pub(super) fn new_from(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// Goes one step down; the mark says how to come back.
    pub(super) fn push(&mut self, step: &str) -> usize {
        let mark = self.0.len();
        self.0.push('/');
        for character in step.chars() {
            match character {
                '~' => self.0.push_str("~0"),
                '/' => self.0.push_str("~1"),
                other => self.0.push(other),
            }
        }
        mark
    }

    /// Goes back to where `push` was called.
    pub(super) fn back(&mut self, mark: usize) {
        self.0.truncate(mark);
    }

    /// Puts a step before the first.
    pub(super) fn prepend(&mut self, step: &str) {
        self.0.insert_str(0, &Self::new(step).0);
    }

    /// The pointer as text, cut where it is too long.
    pub(super) fn into_text(mut self) -> String {
        if self.0.len() > MAX_SHOWN {
            self.0.truncate(self.0.floor_char_boundary(MAX_SHOWN));
            self.0.push_str("...");
        }
        self.0
    }

    /// The pointer as the fragment of a URI (RFC 6901, section 6).
    pub(super) fn fragment(&self) -> String {
        let mut fragment = String::with_capacity(self.0.len());
        for octet in self.0.bytes() {
            match octet {
                b'/' | b'$' | b'-' | b'.' | b'_' | b'~' => fragment.push(char::from(octet)),
                _ if octet.is_ascii_alphanumeric() => fragment.push(char::from(octet)),
                _ => fragment.push_str(&format!("%{octet:02X}")),
            }
        }
        fragment
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps() {
        let mut pointer = Pointer::new("a/b");
        let mark = pointer.push("~ \u{e9}");
        assert_eq!(pointer.fragment(), "/a~1b/~0%20%C3%A9");
        pointer.back(mark);
        pointer.prepend("0");
        assert_eq!(pointer.into_text(), "/0/a~1b");
    }

    #[test]
    fn long_ones_are_cut() {
        let text = Pointer::new(&"\u{e9}".repeat(200)).into_text();
        assert_eq!(text.len(), 255 + 3);
    }
}
