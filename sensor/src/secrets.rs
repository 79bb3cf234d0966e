//! Reads secrets from where the configuration says they are: files, systemd credentials, the
//! environment.
//!
//! It must not know what they are used for.

use std::fs::{File, Metadata};
use std::io::{self, Read as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::{env, fmt};

use nix::errno::Errno;
use nix::sys::prctl;
use zeroize::Zeroizing;

use crate::config::{Config, SecretRef};
use crate::regular;
use crate::webhook::{Knowledge, Secret};

/// Octets that a secret has at most: a chain of certificates is some 8 KiB.
const MAX_SECRET_BYTES: u64 = 64 << 10;

/// Bits of a file's mode by which others than its owner may read or change it.
const OTHERS: u32 = 0o077;

/// Where systemd says it put the credentials of the service.
const CREDENTIALS: &str = "CREDENTIALS_DIRECTORY";

/// Why a secret could not be read. None of its octets are in it.
#[derive(Debug)]
pub struct SecretError {
    reference: SecretRef,
    why: Why,
}

#[derive(Debug)]
enum Why {
    Unreadable(PathBuf, io::Error),
    Open { path: PathBuf, mode: u32 },
    NoCredentials,
    NoVariable,
    Empty,
    TooLong,
    Dumpable(Errno),
}

impl SecretError {
    /// Whether this user may not read the file.
    #[must_use]
    pub fn is_denied(&self) -> bool {
        matches!(&self.why, Why::Unreadable(_, error) if error.kind() == io::ErrorKind::PermissionDenied)
    }
}

impl fmt::Display for SecretError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the secret {} cannot be used: ", self.reference)?;
        match &self.why {
            Why::Unreadable(path, error) => write!(f, "{}: {error}", path.display()),
            Why::Open { path, mode } => write!(
                f,
                "others than its owner may use the file (mode {mode:04o}); run: chmod 600 {}",
                path.display()
            ),
            Why::NoCredentials => write!(
                f,
                "the service has no credentials; write LoadCredential= into its unit, or name a \
                 file"
            ),
            Why::NoVariable => f.write_str("the environment variable is not set"),
            Why::Empty => f.write_str("it is empty"),
            Why::TooLong => write!(f, "it is longer than {MAX_SECRET_BYTES} octets"),
            Why::Dumpable(error) => {
                write!(f, "core dumps, which would hold it, cannot be forbidden: {error}")
            }
        }
    }
}

impl std::error::Error for SecretError {}

/// Everything `config` says about webhooks, with the secrets of its endpoints read.
///
/// # Errors
///
/// When a secret cannot be read, or others may read it.
pub fn knowledge(config: &Config) -> Result<Knowledge, SecretError> {
    let of_one = |references: &Vec<SecretRef>| references.iter().map(read).collect();
    let secrets = config.endpoints.iter().map(|endpoint| of_one(&endpoint.secrets));
    let secrets = secrets.collect::<Result<Vec<Vec<Secret>>, SecretError>>()?;
    Ok(Knowledge::new(config, secrets))
}

/// Reads one secret. A line ending at its end is not part of it. From before it is read no core
/// dump of this process can be made, which would hold it.
///
/// # Errors
///
/// When it cannot be read, or others may read it.
pub fn read(reference: &SecretRef) -> Result<Secret, SecretError> {
    let refuse = |why| SecretError { reference: reference.clone(), why };
    prctl::set_dumpable(false).map_err(|error| refuse(Why::Dumpable(error)))?;
    let mut octets = match reference {
        SecretRef::File(path) => file(path).map_err(refuse)?,
        SecretRef::Credential(name) => {
            let folder = env::var_os(CREDENTIALS).ok_or_else(|| refuse(Why::NoCredentials))?;
            // systemd keeps its folder from others; modes within say nothing.
            contents(&Path::new(&folder).join(name)).map_err(refuse)?
        }
        SecretRef::Environment(name) => {
            let value = env::var_os(name).ok_or_else(|| refuse(Why::NoVariable))?;
            Zeroizing::new(value.into_encoded_bytes())
        }
    };
    let length = octets.iter().rposition(|octet| !matches!(octet, b'\r' | b'\n'));
    octets.truncate(length.map_or(0, |last| last + 1));
    if octets.is_empty() {
        return Err(refuse(Why::Empty));
    }
    Ok(Secret::new(&reference.to_string(), octets))
}

fn file(path: &Path) -> Result<Zeroizing<Vec<u8>>, Why> {
    let (opened, metadata) = open(path)?;
    let mode = metadata.permissions().mode() & 0o7777;
    if mode & OTHERS != 0 {
        return Err(Why::Open { path: path.to_owned(), mode });
    }
    limited(opened, metadata.size(), path)
}

fn open(path: &Path) -> Result<(File, Metadata), Why> {
    regular::open(path).map_err(|error| Why::Unreadable(path.to_owned(), error))
}

fn contents(path: &Path) -> Result<Zeroizing<Vec<u8>>, Why> {
    let (opened, _) = open(path)?;
    limited(opened, MAX_SECRET_BYTES, path)
}

/// Reads into a buffer that is large enough from the start: one that grew would leave copies
/// behind.
fn limited(file: File, size: u64, path: &Path) -> Result<Zeroizing<Vec<u8>>, Why> {
    if size > MAX_SECRET_BYTES {
        return Err(Why::TooLong);
    }
    let room = usize::try_from(MAX_SECRET_BYTES).unwrap_or(usize::MAX);
    let mut octets = Zeroizing::new(Vec::with_capacity(room + 1));
    let read = file.take(MAX_SECRET_BYTES + 1).read_to_end(&mut octets);
    read.map_err(|error| Why::Unreadable(path.to_owned(), error))?;
    if octets.len() > room { Err(Why::TooLong) } else { Ok(octets) }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};

    use super::*;

    fn check(octets: &[u8], mode: u32, expected: Result<(), &str>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        fs::write(&path, octets).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        match (read(&SecretRef::File(path)), expected) {
            (Ok(secret), Ok(())) => {
                assert!(!format!("{secret:?}").contains("hidden"), "{secret:?}");
            }
            (Err(error), Err(expected)) => {
                let error = error.to_string();
                assert!(error.contains(expected) && !error.contains("hidden"), "{error}");
            }
            (read, expected) => panic!("{read:?}, not {expected:?}"),
        }
    }

    #[test]
    fn files() {
        check(b"hidden", 0o600, Ok(()));
        check(b"hidden\r\n", 0o400, Ok(()));
        check(b"hidden", 0o640, Err("mode 0640); run: chmod 600 /"));
        check(b"hidden", 0o604, Err("mode 0604); run: chmod 600 /"));
        check(b"\n", 0o600, Err("it is empty"));
        check(&vec![b'x'; 70_000], 0o600, Err("longer than 65536 octets"));
    }

    #[test]
    fn who_reads_one_leaves_no_core() {
        prctl::set_dumpable(true).unwrap();
        read(&"env:PATH".parse().unwrap()).unwrap();
        assert!(!prctl::get_dumpable().unwrap());
    }

    #[test]
    fn what_is_not_there_is_said() {
        let check = |reference: &str, expected: &str| {
            let error = read(&reference.parse().unwrap()).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        };
        check("file:/nonexistent/secret", "No such file");
        check("file:/dev", "no regular file");
        check("env:HOOKSENSOR_TEST_UNSET", "not set");
        check("credential:github", "LoadCredential=");
    }
}
