//! A real HTTP server, nginx, with a location for each outcome a delivery can have.
//!
//! It must not know who asks.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::eventually;
use crate::namespace::Namespace;

/// nginx listens within milliseconds; only a machine under load takes longer.
const START: Duration = Duration::from_secs(30);

/// The paths the server knows and the status it answers there; anything else is 404.
pub const LOCATIONS: [(&str, u16); 5] = [
    ("/hooks/github", 200),
    ("/hooks/empty", 204),
    ("/hooks/unauthorized", 401),
    ("/hooks/gone", 404),
    ("/hooks/broken", 500),
];

/// Every path that begins so is answered 200.
pub const ANY: &str = "/any/";

/// A running nginx. Dropping it stops it.
#[derive(Debug)]
pub struct Server {
    child: Child,
}

impl Server {
    /// Starts nginx in `namespace` on `port`, for IPv4 and IPv6.
    ///
    /// # Errors
    /// Without nginx, or when the port is taken.
    pub fn start(namespace: &Namespace, port: u16) -> Result<Self> {
        let folder = namespace.folder();
        let path = folder.join("nginx.conf");
        std::fs::write(&path, configuration(port)).context("cannot write nginx.conf")?;
        let mut nginx = Command::new("nginx");
        nginx.arg("-p").arg(&folder).arg("-c").arg(&path);
        nginx.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = namespace.spawn(&mut nginx).context("nginx comes with package nginx-light")?;
        let server = Self { child };
        let address = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port);
        eventually(START, "nginx answers", || {
            namespace.run(|| TcpStream::connect(address)).ok()?.ok()
        })?;
        Ok(server)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It keeps nothing, and an error while unwinding has nowhere to go.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn configuration(port: u16) -> String {
    let locations: String = LOCATIONS
        .iter()
        .map(|(path, status)| {
            let body = if *status == 204 { String::new() } else { format!(" \"{status}\\n\"") };
            format!("    location = {path} {{ return {status}{body}; }}\n")
        })
        .collect();
    format!(
        "daemon off;
master_process off;
pid nginx.pid;
error_log stderr crit;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  keepalive_requests 1000000;
  client_max_body_size 0;
  client_body_temp_path body;
  proxy_temp_path proxy;
  fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
  server {{
    listen {port} backlog=4096;
    listen [::]:{port} backlog=4096;
{locations}    location {ANY} {{ return 200 \"200\\n\"; }}
    location / {{ return 404 \"404\\n\"; }}
  }}
}}
"
    )
}
