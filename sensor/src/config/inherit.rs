//! Completes what the configuration says of a built-in provider.
//!
//! It must not know what any key means.

use std::collections::BTreeMap;

use toml::Table;

use super::provider::{Provider, built_in_providers};
use super::validate::Refusal;

/// Gives each provider that has the name of a built-in one its values for the keys that `lines`, by
/// place, does not have. One of a new name has to say what tells it.
pub(super) fn complete(
    providers: &mut [Provider],
    lines: &BTreeMap<String, usize>,
) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    for (index, provider) in providers.iter_mut().enumerate() {
        let is_given = |key: &str| lines.contains_key(&format!("provider[{index}].{key}"));
        match built_in_providers().iter().find(|one| one.name == provider.name) {
            Some(built_in) => *provider = over(built_in, provider, is_given),
            None if is_given("recognise") => {}
            None => refusals.push(Refusal {
                key: format!("provider[{index}].name"),
                message: format!(
                    "{:?} is not built in, and nothing tells it; write recognise = [\"header \
                     NAME\"], or [] where only an endpoint names it",
                    provider.name
                ),
            }),
        }
    }
    refusals
}

/// `below` with those keys of `above` that are given.
fn over(below: &Provider, above: &Provider, is_given: impl Fn(&str) -> bool) -> Provider {
    let table = |provider| Table::try_from(provider).expect("a provider can be written as TOML");
    let mut whole = table(below);
    whole.extend(table(above).into_iter().filter(|(key, _)| is_given(key)));
    whole.try_into().expect("what two providers wrote is one")
}

#[cfg(test)]
mod tests {
    use crate::config::{Config, Provider, built_in_providers};

    fn read(text: &str) -> Provider {
        Config::parse(text, "test").unwrap().providers.remove(0)
    }

    #[test]
    fn what_is_not_given_is_as_it_is_built_in() {
        let github = built_in_providers().iter().find(|one| one.name == "github").unwrap();
        let text = "[[provider]]\nname = \"github\"\n";
        assert_eq!(read(text), *github);
        let mut own = github.clone();
        own.networks = vec!["192.0.2.0/24".parse().unwrap()];
        own.networks_as_of = "2026-11-01".to_owned();
        // Given, and the same as where nothing is.
        own.handshake.clear();
        let given =
            "networks = [\"192.0.2.0/24\"]\nnetworks_as_of = \"2026-11-01\"\nhandshake = []\n";
        assert_eq!(read(&[text, given].concat()), own);
        own.signature.truncate(1);
        own.signature[0].prefix = "v9=".to_owned();
        let scheme = "[[provider.signature]]\nalgorithm = \"hmac-sha256\"\n\
                      signature = \"header x-hub-signature-256\"\nprefix = \"v9=\"";
        assert_eq!(read(&[text, given, scheme].concat()), own);
    }

    #[test]
    fn a_new_one_is_as_it_stands() {
        let acme = read("[[provider]]\nname = \"acme\"\nrecognise = []");
        assert_eq!((acme.recognise.len(), acme.first_attempt), (0, 1));
    }
}
