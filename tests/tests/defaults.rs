//! Without a configuration file, two arguments are enough.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use harness::agent::binary;
use harness::curl::Delivery;
use harness::eventually;
use harness::network::{Network, SERVER_V4};
use harness::server::{LOCATIONS, Server};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

const PORT: u16 = 8080;

/// How long the agent may take to start, to record and to stop.
const SETTLE: Duration = Duration::from_secs(30);

/// Hides this machine's own folders from the agent, which uses its default paths.
const OWN_FOLDERS: &str = "mount -t tmpfs none /run && mount -t tmpfs none /var/log && \
                           mount -t tmpfs none /var/lib && \
                           mount -t bpf none /sys/fs/bpf && exec \"$@\"";

/// The agent's view of a path.
fn seen_by(agent: &Child, path: &str) -> PathBuf {
    Path::new("/proc").join(agent.id().to_string()).join("root").join(path)
}

#[test]
fn an_interface_and_a_port_are_enough() {
    let network = Network::new(1).unwrap();
    let client = &network.clients[0];
    let _server = Server::start(&network.server, PORT).unwrap();
    let mut run = Command::new("unshare");
    run.args(["--mount", "sh", "-c", OWN_FOLDERS, "sh"]).arg(binary().unwrap());
    run.args(["run", "--interface", &client.server_interface, "--port", &PORT.to_string()]);
    run.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut agent = network.server.spawn(&mut run).unwrap();
    let socket = seen_by(&agent, "run/hooksensor/control.sock");
    eventually(SETTLE, "the control socket", || socket.exists().then_some(())).unwrap();
    let target = SocketAddr::new(SERVER_V4.into(), PORT);
    // The socket is there a moment before the programs are: deliver until one is seen.
    let records = seen_by(&agent, "var/log/hooksensor/deliveries.jsonl");
    eventually(SETTLE, "a record", || {
        Delivery::new(target, LOCATIONS[0].0, "default", "{}").send(&client.namespace).ok()?;
        fs::read_to_string(&records).ok().filter(|text| text.contains("\"default\""))
    })
    .unwrap();
    kill(Pid::from_raw(agent.id().try_into().unwrap()), Signal::SIGTERM).unwrap();
    let status = eventually(SETTLE, "the end", || agent.try_wait().unwrap()).unwrap();
    assert_eq!(status.code(), Some(0));
}
