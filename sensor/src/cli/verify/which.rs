//! Which request is meant, of a file that holds several.
//!
//! It must not know how a file holds them.

use std::fmt::Display;

use crate::config::Provider;
use crate::webhook::{Message, Table};

/// Which request of a file is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Which<'a> {
    /// The first that a provider is told by.
    Webhook,
    /// The one of this number, from 1.
    Number(u64),
    /// The first of which its provider's identifier of deliveries is this, or another header.
    Named(&'a str),
}

impl<'a> Which<'a> {
    /// What `--delivery` means.
    pub(super) fn new(text: Option<&'a str>) -> Self {
        match text.map(|text| (text, text.parse())) {
            None => Self::Webhook,
            Some((_, Ok(number))) => Self::Number(number),
            Some((text, Err(_))) => Self::Named(text),
        }
    }

    /// Whether it is this one, which has the `number` in its file, from 1.
    pub(super) fn is(self, number: u64, message: &Message<'_>, table: &Table) -> bool {
        let told = || table.told_by(message.headers).map(|index| &table.providers()[index]);
        match self {
            Self::Webhook => told().is_some(),
            Self::Number(wanted) => number == wanted,
            Self::Named(name) => {
                let identifier = |provider: &Provider| message.identifier(&provider.delivery_id);
                message.headers.iter().any(|(_, value)| value == name.as_bytes())
                    || told().and_then(|one| identifier(one)).is_some_and(|id| id == name)
            }
        }
    }

    /// Why none is found among so many requests, and what to do.
    pub(super) fn missing(self, seen: impl Display) -> String {
        match self {
            Self::Webhook => format!(
                "none of the {seen} requests in the file tells a provider; choose one with \
                 --delivery NUMBER"
            ),
            Self::Number(_) => format!("the file holds {seen} requests; choose one of them"),
            Self::Named(name) => format!("none of the {seen} requests is called {name:?}"),
        }
    }
}

/// What is to be said where as many are meant.
pub(super) fn several(meant: usize) -> Option<String> {
    (meant > 1).then(|| {
        format!(
            "The file holds {meant} of these, and this is the first; --delivery chooses another, by \
             its number among all requests or by its identifier."
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_names_a_request() {
        assert!(matches!(Which::new(None), Which::Webhook));
        assert!(matches!(Which::new(Some("3")), Which::Number(3)));
        assert!(matches!(Which::new(Some("3f2a")), Which::Named("3f2a")));
    }
}
