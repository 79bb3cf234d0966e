//! Takes in connections, so many at once.
//!
//! It must not know what is said on them.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::Semaphore;

/// Time between two attempts where connections cannot be accepted: long enough that the log is not
/// filled while descriptors are short.
const RETRY: Duration = Duration::from_secs(1);

/// Where connections come in.
pub(super) trait Listener {
    /// A connection.
    type Stream;

    /// The next connection.
    fn next(&self) -> impl Future<Output = io::Result<Self::Stream>> + Send;
}

impl Listener for TcpListener {
    type Stream = TcpStream;

    async fn next(&self) -> io::Result<TcpStream> {
        Ok(self.accept().await?.0)
    }
}

impl Listener for UnixListener {
    type Stream = UnixStream;

    async fn next(&self) -> io::Result<UnixStream> {
        Ok(self.accept().await?.0)
    }
}

/// Hands each connection to `converse`, in a task of its own, `at_once` of them at a time while
/// more wait their turn; `what` says in the log what they are for. It never ends by itself.
pub(super) async fn each<L: Listener, C>(
    listener: L,
    what: &'static str,
    at_once: usize,
    converse: impl Fn(L::Stream) -> C,
) where
    C: Future<Output = ()> + Send + 'static,
{
    let turns = Arc::new(Semaphore::new(at_once));
    loop {
        let Ok(turn) = Arc::clone(&turns).acquire_owned().await else { return };
        match listener.next().await {
            Ok(stream) => {
                let conversation = converse(stream);
                tokio::spawn(async move {
                    conversation.await;
                    drop(turn);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept connections for {what}");
                tokio::time::sleep(RETRY).await;
            }
        }
    }
}
