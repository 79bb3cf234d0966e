//! The server: nginx before an application, which is another nginx, as receivers of webhooks are.
//!
//! It must not know who sends or observes.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result};
use harness::eventually;
use harness::namespace::Namespace;

/// The port of the receiver, which is observed.
pub(super) const PORT: u16 = 8080;

/// nginx listens within milliseconds; only a machine under load takes longer.
const START: Duration = Duration::from_secs(10);

/// Both servers in one worker: the application takes the body in and answers.
const CONFIGURATION: &str = r"daemon off;
master_process off;
pid nginx.pid;
error_log stderr crit;
events { worker_connections 4096; }
http {
  access_log off;
  keepalive_requests 1000000000;
  client_body_temp_path body;
  proxy_temp_path proxy;
  fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
  upstream application { server 127.0.0.1:9000; keepalive 64; }
  server {
    listen 8080 backlog=4096;
    location / {
      proxy_pass http://application;
      proxy_http_version 1.1;
      proxy_set_header Connection '';
    }
  }
  server {
    listen 127.0.0.1:9000 backlog=4096;
    location / { default_type application/json; return 200 '{}'; }
  }
}
";

/// A running server. Dropping it stops it.
pub(super) struct Receiver {
    child: Child,
}

impl Receiver {
    /// Starts the server in `namespace`, on `core`.
    pub(super) fn start(namespace: &Namespace, core: &str) -> Result<Self> {
        let folder = namespace.folder();
        let path = folder.join("receiver.conf");
        fs::write(&path, CONFIGURATION).context("cannot write nginx's configuration")?;
        let mut nginx = Command::new("taskset");
        nginx.args(["--cpu-list", core, "nginx", "-p"]).arg(&folder).arg("-c").arg(&path);
        nginx.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let receiver = Self { child: namespace.spawn(&mut nginx)? };
        let address = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), PORT);
        eventually(START, "nginx answers", || {
            namespace.run(|| TcpStream::connect(address)).ok()?.ok()
        })?;
        Ok(receiver)
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        // It keeps nothing, and an error while unwinding has nowhere to go.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
