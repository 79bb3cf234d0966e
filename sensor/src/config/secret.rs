//! Where a secret is kept, by reference; the file of settings never holds one.
//!
//! It must not read what is referred to.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use super::fields::text_form;

/// Where a secret is kept.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SecretRef {
    /// The whole of a file that only its owner may read.
    File(PathBuf),
    /// A credential that systemd passes (`LoadCredential=`), by name.
    Credential(String),
    /// An environment variable.
    Environment(String),
}

/// Why a text refers to no secret. It does not repeat the text, which may be a secret written here
/// by mistake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SecretRefError;

impl fmt::Display for SecretRefError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "no reference to a secret; write \"file:/PATH\", \"credential:NAME\" or \"env:NAME\", \
             and keep the secret itself out of this file",
        )
    }
}

impl FromStr for SecretRef {
    type Err = SecretRefError;

    fn from_str(text: &str) -> Result<Self, SecretRefError> {
        let is_name = |name: &str| {
            !name.is_empty()
                && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
        };
        match text.split_once(':') {
            Some(("file", path)) if path.starts_with('/') => Ok(Self::File(path.into())),
            Some(("credential", name)) if is_name(name) => Ok(Self::Credential(name.to_owned())),
            Some(("env", name)) if is_name(name) => Ok(Self::Environment(name.to_owned())),
            _ => Err(SecretRefError),
        }
    }
}

impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "file:{}", path.display()),
            Self::Credential(name) => write!(f, "credential:{name}"),
            Self::Environment(name) => write!(f, "env:{name}"),
        }
    }
}

text_form!(SecretRef, "a reference to a secret, as in \"file:/etc/hooksensor/github\"");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts() {
        let check = |text: &str, good: bool| {
            let read = text.parse::<SecretRef>().map(|reference| reference.to_string());
            assert_eq!(read, if good { Ok(text.to_owned()) } else { Err(SecretRefError) });
        };
        check("file:/etc/hooksensor/github", true);
        check("credential:github", true);
        check("env:GITHUB_SECRET", true);
        for text in ["file:relative", "credential:../a", "env:", "whsec_abc", ""] {
            check(text, false);
        }
        assert!(!SecretRefError.to_string().contains("whsec"));
    }
}
