//! A sender of webhooks that keeps its connection: any headers, any body, any way to break off.
//!
//! It must not know who signs, nor what is expected of a delivery.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use crate::namespace::Namespace;

/// How long an answer may take.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Octets sent at once, and the pause after them: some twenty megabytes a second, which is a fast
/// sender and not one that empties its memory into that of the same machine.
const PIECE: usize = 1 << 20;
const PAUSE: Duration = Duration::from_millis(50);

/// Octets of an answer's body that are read: the servers of the tests answer with a line.
const MAX_ANSWER: usize = 1 << 16;

/// A connection of a sender.
#[derive(Debug)]
pub struct Sender {
    stream: BufReader<TcpStream>,
}

impl Sender {
    /// Connects from `namespace` to `target`.
    ///
    /// # Errors
    /// When nobody answers there.
    pub fn connect(namespace: &Namespace, target: SocketAddr) -> Result<Self> {
        let stream = namespace.run(|| TcpStream::connect_timeout(&target, TIMEOUT))?;
        let stream = stream.with_context(|| format!("cannot connect to {target}"))?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        stream.set_write_timeout(Some(TIMEOUT))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream: BufReader::new(stream) })
    }

    /// Posts `body` with lines of `headers`, and returns the status code of the answer.
    ///
    /// # Errors
    /// When there is no answer.
    pub fn post(&mut self, path: &str, headers: &[String], body: &[u8]) -> Result<u16> {
        self.write(path, headers, body.len(), body)?;
        self.answer()
    }

    /// Gets `target` with lines of `headers`, and returns the status code of the answer.
    ///
    /// # Errors
    /// When there is no answer.
    pub fn get(&mut self, target: &str, headers: &[String]) -> Result<u16> {
        let lines: String = headers.iter().map(|line| format!("{line}\r\n")).collect();
        let head = format!("GET {target} HTTP/1.1\r\nHost: hooks\r\n{lines}\r\n");
        self.stream.get_ref().write_all(head.as_bytes()).context("cannot send a request")?;
        self.answer()
    }

    /// Announces `length` octets, sends no more than `body`, and closes.
    ///
    /// # Errors
    /// When the connection breaks.
    pub fn break_off(
        mut self,
        path: &str,
        headers: &[String],
        length: usize,
        body: &[u8],
    ) -> Result<()> {
        self.write(path, headers, length, body)?;
        self.stream.get_ref().shutdown(Shutdown::Write).context("cannot close")?;
        // Until the server has closed too: a reset would overtake what was sent.
        self.stream.read_to_end(&mut Vec::new()).context("the server does not close")?;
        Ok(())
    }

    fn write(&self, path: &str, headers: &[String], length: usize, body: &[u8]) -> Result<()> {
        let lines: String = headers.iter().map(|line| format!("{line}\r\n")).collect();
        let is_typed = headers.iter().any(|line| line.starts_with("Content-Type:"));
        let kind = if is_typed { "" } else { "Content-Type: application/json\r\n" };
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: hooks\r\n{kind}{lines}Content-Length: {length}\r\n\r\n"
        );
        let mut stream = self.stream.get_ref();
        let octets = [head.as_bytes(), body].concat();
        let mut pieces = octets.chunks(PIECE).peekable();
        while let Some(piece) = pieces.next() {
            stream.write_all(piece).context("cannot send a request")?;
            if pieces.peek().is_some() {
                thread::sleep(PAUSE);
            }
        }
        Ok(())
    }

    fn answer(&mut self) -> Result<u16> {
        let (mut status, mut length) = (None, 0);
        loop {
            let mut line = String::new();
            ensure!(self.stream.read_line(&mut line)? > 0, "closed before the answer's end");
            let line = line.trim_end().to_ascii_lowercase();
            if line.is_empty() {
                break;
            }
            if status.is_none() {
                status = line.split(' ').nth(1).and_then(|code| code.parse().ok());
            }
            if let Some(value) = line.strip_prefix("content-length:") {
                length = value.trim().parse()?;
            }
        }
        ensure!(length <= MAX_ANSWER, "an answer of {length} octets");
        self.stream.read_exact(&mut vec![0; length])?;
        status.context("the answer has no status code")
    }
}
