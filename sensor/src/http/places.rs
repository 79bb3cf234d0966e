//! Parts of ports that are known by the start of a request's path, and what belongs to each.
//!
//! Pure. It must not know what that is: whoever asks about one request is told of the same part.

use std::borrow::Cow;

use super::{Target, canonical_path};

/// What belongs to each part of a port, the parts with the longest prefixes first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Places<T>(Vec<Place<T>>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Place<T> {
    port: u16,
    /// In the spelling in which paths are compared.
    path_prefix: Vec<u8>,
    value: T,
}

impl<T> Places<T> {
    /// Says what belongs to requests for paths that start so, however they are spelled. The longest
    /// prefix wins; of two that are the same, the later one.
    pub fn add(&mut self, port: u16, path_prefix: &[u8], value: T) {
        let path_prefix = canonical_path(path_prefix).into_owned();
        let is_longer = |place: &Place<T>| place.path_prefix.len() > path_prefix.len();
        let index = self.0.partition_point(is_longer);
        self.0.insert(index, Place { port, path_prefix, value });
    }

    /// What belongs to a request for `target` on `port`, whose `method` alone tells a target that
    /// has no path.
    #[must_use]
    pub fn of(&self, port: u16, method: &[u8], target: &[u8]) -> Option<&T> {
        let mut places = self.0.iter().filter(|place| place.port == port).peekable();
        // Most ports have none, and need no look at the target.
        places.peek()?;
        let path = path_of(method, target)?;
        places.find(|place| path.starts_with(&place.path_prefix)).map(|place| &place.value)
    }
}

impl<T> Default for Places<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

/// The path of a request in the spelling in which paths are compared.
fn path_of<'t>(method: &[u8], target: &'t [u8]) -> Option<Cow<'t, [u8]>> {
    if method != b"CONNECT"
        && let Some(path) = plain_path(target)
    {
        return Some(Cow::Borrowed(path));
    }
    Target::parse(method, target).path.map(canonical_path)
}

/// The path that `target` starts with, where it is spelled as paths are compared: nearly every
/// request's is, and one pass over it tells.
fn plain_path(target: &[u8]) -> Option<&[u8]> {
    if !target.starts_with(b"/") {
        return None;
    }
    for (place, octet) in target.iter().enumerate().skip(1) {
        match octet {
            b'?' | b'#' => return Some(&target[..place]),
            b'%' => return None,
            b'/' | b'.' if target[place - 1] == b'/' => return None,
            _ => {}
        }
    }
    Some(target)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_longest_prefix_of_the_port_wins() {
        let mut places = Places::default();
        places.add(80, b"/hooks", 1);
        places.add(80, b"/hooks/twice", 4);
        places.add(80, b"/%68ooks/github", 2);
        places.add(81, b"/", 3);
        places.add(80, b"/hooks//twice", 5);
        let check = |port, target: &str, expected| {
            let found = places.of(port, b"POST", target.as_bytes()).copied();
            assert_eq!(found, expected, "{target} on port {port}");
        };
        check(80, "/", None);
        check(80, "/hook", None);
        check(80, "/hooks", Some(1));
        check(80, "/hooks?/hooks/github", Some(1));
        check(80, "/hooks#/github", Some(1));
        check(80, "/hooks/github?x=/", Some(2));
        check(80, "/hooks/githubs", Some(2));
        check(80, "http://example.com/hooks/github", Some(2));
        check(80, "/%68ooks//github", Some(2));
        check(80, "/x/../hooks", Some(1));
        check(80, "/hooks/../x", None);
        check(80, "/hooks/./github", Some(2));
        check(80, "/hooks/twice", Some(5));
        check(80, "*", None);
        check(80, "", None);
        check(81, "/hooks", Some(3));
        check(81, "?x", None);
        check(82, "/hooks", None);
        assert_eq!(places.of(81, b"CONNECT", b"/x:1"), None);
    }

    proptest! {
        #[test]
        fn the_short_way_finds_the_same_path(target in "(http:/)?[/.%?#a2eF]{0,12}") {
            let target = target.as_bytes();
            let path = Target::parse(b"POST", target).path.map(canonical_path);
            prop_assert_eq!(path_of(b"POST", target), path);
        }
    }
}
