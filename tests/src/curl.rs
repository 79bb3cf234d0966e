//! Deliveries sent with curl, signed as GitHub signs them.
//!
//! It must not know who watches.

use std::net::SocketAddr;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::namespace::Namespace;

/// The secret the sender and the receiver of a hook share.
pub const SECRET: &[u8] = b"It's a Secret to Everybody";

/// Seconds after which a delivery counts as lost: a lost packet is sent again long before.
const TIMEOUT: &str = "10";

/// One delivery as GitHub would send it.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// Where to.
    pub target: SocketAddr,
    /// The request target.
    pub path: String,
    /// `X-GitHub-Delivery`.
    pub id: String,
    /// The payload.
    pub body: String,
    /// Whether to send it in chunks rather than with its length.
    pub chunked: bool,
}

impl Delivery {
    /// A delivery with its length stated.
    #[must_use]
    pub fn new(target: SocketAddr, path: &str, id: &str, body: &str) -> Self {
        let (path, id, body) = (path.to_owned(), id.to_owned(), body.to_owned());
        Self { target, path, id, body, chunked: false }
    }

    /// The same in chunks.
    #[must_use]
    pub fn chunked(mut self) -> Self {
        self.chunked = true;
        self
    }

    /// Sends it from `namespace` and returns the status code of the response.
    ///
    /// # Errors
    /// When curl is missing or got no response.
    pub fn send(&self, namespace: &Namespace) -> Result<u16> {
        let mut curl = self.command();
        let output = namespace.output(&mut curl)?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "curl: {}: {}", output.status, said.trim());
        let code = String::from_utf8_lossy(&output.stdout);
        code.trim().parse().with_context(|| format!("curl printed {code:?}, not a status code"))
    }

    fn command(&self) -> Command {
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--show-error", "--max-time", TIMEOUT, "--output", "/dev/null"]);
        curl.args(["--write-out", "%{http_code}", "--user-agent", "GitHub-Hookshot/044aadd"]);
        let mut headers = vec![
            "Content-Type: application/json".to_owned(),
            "X-GitHub-Event: push".to_owned(),
            format!("X-GitHub-Delivery: {}", self.id),
            format!("X-Hub-Signature-256: {}", signature(self.body.as_bytes())),
        ];
        if self.chunked {
            headers.push("Transfer-Encoding: chunked".to_owned());
        }
        for header in headers {
            curl.arg("--header").arg(header);
        }
        curl.arg("--data-binary").arg(&self.body);
        curl.arg(format!("http://{}{}", self.target, self.path));
        curl
    }
}

/// `X-Hub-Signature-256` of a body.
///
/// # Panics
/// Never: HMAC takes keys of any length.
#[must_use]
pub fn signature(body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET).expect("HMAC takes keys of any length");
    mac.update(body);
    let digest = mac.finalize().into_bytes();
    let hex: String = digest.iter().map(|octet| format!("{octet:02x}")).collect();
    format!("sha256={hex}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of GitHub's documentation, "Validating webhook deliveries".
    #[test]
    fn signs_as_github_does() {
        assert_eq!(
            signature(b"Hello, World!"),
            "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
        );
    }
}
