//! The verbs' end of the control socket.
//!
//! It must not know the agent.

use std::fmt;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::protocol::{Reply, Request};

/// The agent answers from memory; one that takes longer than this is not well.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why the agent could not be asked.
#[derive(Debug)]
pub enum ClientError {
    /// No agent listens.
    NotRunning(PathBuf),
    /// The socket is not for this user.
    NotPermitted(PathBuf),
    /// The conversation broke off.
    Broken(io::Error),
    /// The answer is of another version, or of another program.
    Unintelligible(serde_json::Error),
}

/// Asks the agent behind `socket`.
///
/// # Errors
///
/// When there is no agent, or it does not answer.
pub fn ask(socket: &Path, request: &Request) -> Result<Reply, ClientError> {
    let mut stream = UnixStream::connect(socket).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
            ClientError::NotRunning(socket.to_path_buf())
        }
        io::ErrorKind::PermissionDenied => ClientError::NotPermitted(socket.to_path_buf()),
        _ => ClientError::Broken(error),
    })?;
    let answer = converse(&mut stream, request).map_err(ClientError::Broken)?;
    serde_json::from_str(&answer).map_err(ClientError::Unintelligible)
}

fn converse(stream: &mut UnixStream, request: &Request) -> io::Result<String> {
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut line = serde_json::to_vec(request)?;
    line.push(b'\n');
    stream.write_all(&line)?;
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer)?;
    Ok(answer)
}

impl fmt::Display for ClientError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotRunning(path) => write!(
                formatter,
                "no agent listens at {}; start one with `hooksensor run`, or name its socket with \
                 --socket",
                path.display()
            ),
            Self::NotPermitted(path) => write!(
                formatter,
                "no permission to use {}; run as root, or join the group that owns it",
                path.display()
            ),
            Self::Broken(error) if error.kind() == io::ErrorKind::WouldBlock => {
                write!(formatter, "the agent did not answer within {} s", PATIENCE.as_secs())
            }
            Self::Broken(error) => write!(formatter, "the agent did not answer: {error}"),
            Self::Unintelligible(error) => {
                write!(
                    formatter,
                    "the agent's answer cannot be read; is it of another version? {error}"
                )
            }
        }
    }
}

impl std::error::Error for ClientError {}
