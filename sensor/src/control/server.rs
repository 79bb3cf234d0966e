//! The agent's end of the control socket.
//!
//! It must not know what a request means.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, FileTypeExt as _, PermissionsExt as _};
use std::os::unix::net::UnixStream as StdStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc::Sender;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::accept;
use super::protocol::{Reply, Request};

/// A request is a line; a ban of thousands of addresses is the longest that makes sense.
const LONGEST_REQUEST: u64 = 1 << 20;

/// Conversations at once; more wait their turn. An operator has a few, and each may hold a request
/// and a reply of the longest.
const CONNECTIONS: usize = 16;

/// How long one who has connected may take to ask, and again to read the reply. Both are local and
/// take milliseconds; the verbs wait five times as long, so that one is answered that waits its
/// turn behind others who do neither.
const PATIENCE: Duration = Duration::from_secs(2);

/// How long a conversation lasts at most. The verbs do not wait longer for an answer.
const LONGEST: Duration = Duration::from_secs(10);

/// A request with the place its reply goes to.
pub struct Question {
    /// What is asked.
    pub request: Request,
    /// Where the answer goes.
    pub reply: oneshot::Sender<Reply>,
}

/// Removes the socket's file when the agent ends.
#[derive(Debug)]
pub struct SocketGuard(PathBuf);

/// Opens the control socket, for its owner and group alone.
///
/// # Errors
///
/// When another agent listens on it, or it cannot be made.
pub fn bind(path: &Path) -> Result<(UnixListener, SocketGuard)> {
    if let Some(parent) = path.parent() {
        fs::DirBuilder::new().recursive(true).mode(0o755).create(parent).with_context(|| {
            format!("cannot create {} for the control socket", parent.display())
        })?;
    }
    if StdStream::connect(path).is_ok() {
        bail!(
            "another agent listens on {}: stop it first, or give this one a control.socket of its \
             own",
            path.display()
        );
    }
    clear(path)?;
    let listener =
        UnixListener::bind(path).with_context(|| format!("cannot listen on {}", path.display()))?;
    let guard = SocketGuard(path.to_path_buf());
    fs::set_permissions(path, Permissions::from_mode(0o660))
        .with_context(|| format!("cannot set the mode of {}", path.display()))?;
    Ok((listener, guard))
}

/// Removes the socket a killed agent left; nothing that is not a socket.
fn clear(path: &Path) -> Result<()> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error).with_context(|| format!("cannot examine {}", path.display())),
        Ok(found) if found.file_type().is_socket() => {
            fs::remove_file(path).with_context(|| format!("cannot replace {}", path.display()))
        }
        Ok(_) => bail!(
            "{} is there and is not a socket; give control.socket another path",
            path.display()
        ),
    }
}

/// Answers on the socket until the task is dropped.
pub async fn serve(listener: UnixListener, desk: Sender<Question>) {
    let converse = |stream| converse(stream, desk.clone());
    accept::each(listener, "the control socket", CONNECTIONS, converse).await;
}

async fn converse(stream: UnixStream, desk: Sender<Question>) {
    match timeout(LONGEST, answer(stream, &desk)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "a conversation on the control socket broke off"),
        Err(_) => tracing::debug!("a conversation on the control socket lasted too long"),
    }
}

async fn answer(stream: UnixStream, desk: &Sender<Question>) -> io::Result<()> {
    let (reading, mut writing) = stream.into_split();
    // Octets, and not text, so that what is none is answered too.
    let mut line = Vec::new();
    let mut reading = BufReader::new(reading.take(LONGEST_REQUEST));
    timeout(PATIENCE, reading.read_until(b'\n', &mut line)).await??;
    let reply = match serde_json::from_slice(&line) {
        Ok(request) => put(request, desk).await,
        Err(error) => Reply::Failed(format!("the request cannot be read: {error}")),
    };
    let mut answer = serde_json::to_vec(&reply)?;
    answer.push(b'\n');
    timeout(PATIENCE, writing.write_all(&answer)).await?
}

/// Puts a request to the desk and waits for the reply.
pub async fn put(request: Request, desk: &Sender<Question>) -> Reply {
    let (reply, answer) = oneshot::channel();
    if desk.send(Question { request, reply }).await.is_err() {
        return Reply::Failed(String::from("the agent is about to stop"));
    }
    answer.await.unwrap_or_else(|_| Reply::Failed(String::from("the agent is about to stop")))
}

impl Drop for SocketGuard {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.0) {
            tracing::debug!(%error, "the control socket was gone already");
        }
    }
}
