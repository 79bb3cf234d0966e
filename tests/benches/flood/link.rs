//! Makes of the link between the hosts what a network card with several queues is to its host.
//!
//! A card puts a packet into a queue by a hash of both ends, so that most of those who do not flood
//! share none with a flood, and its host polls one queue after the other, some packets of each. A
//! link as it is made has one queue, which is full during a flood: what an honest client sends
//! finds no room then, and comes a second late, whoever drops the flood and however fast. So the
//! link has two: the flood keeps the first full, and the second takes all else. It must not know
//! what is sent.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use harness::eventually;
use harness::namespace::{Namespace, ip};
use harness::network::{CLIENT_INTERFACE, Network};
use nix::unistd::Pid;

use crate::cores;
use crate::stage::LINK;

/// How long a kernel thread may take to appear, and a program to go.
pub(crate) const SOON: Duration = Duration::from_secs(5);

/// The client's second queue, as /sys names it.
const SECOND: &str = "queues/tx-1";

/// Gives the link its queues.
pub(crate) fn spread(network: &Network) -> Result<()> {
    let client = &network.clients[0].namespace;
    for (host, link, end) in [(&network.server, LINK, "rx"), (client, CLIENT_INTERFACE, "tx")] {
        ethtool(host, &["-L", link, end, "2"])?;
        // Frames wait in a queue only where its end polls, which GRO makes it do, and only those of
        // a host that does not segment: others are handed over beside it, which a card cannot.
        ethtool(host, &["-K", link, "gro", "on", "tso", "off"])?;
    }
    // Redirected frames take the queue of their sender's core (`veth_xdp_xmit` in
    // drivers/net/veth.c), which is the first. All others are told to take the second.
    let cores = 1 << cores::SENDING | 1 << cores::RECEIVING;
    let path = format!("/sys/class/net/{CLIENT_INTERFACE}/{SECOND}/xps_cpus");
    within(client, &format!("echo {cores:x} >{path}"))
}

/// Has each queue of the link polled by a kernel thread: those of the server's end, which are
/// given, on the receiving core.
pub(crate) fn poll_in_threads(network: &Network) -> Result<Vec<Pid>> {
    let receiving = pollers(&network.server, LINK, 2)?;
    for thread in &receiving {
        cores::pin(*thread, cores::RECEIVING)?;
        cores::put_first(*thread)?;
    }
    // In turns of the scheduler's, what arrives by the second queue would wait for milliseconds. A
    // thread that comes before all waits until the first queue has been polled once, as in
    // `net_rx_action` of net/core/dev.c: for 64 packets, or as long as these take.
    cores::put_before_all(*receiving.last().context("there are two")?)?;
    for thread in pollers(&network.clients[0].namespace, CLIENT_INTERFACE, 1)? {
        cores::pin(thread, cores::SENDING)?;
        cores::put_before_all(thread)?;
    }
    Ok(receiving)
}

/// The threads that poll so many queues of a link, in the order of the queues.
fn pollers(host: &Namespace, link: &str, queues: usize) -> Result<Vec<Pid>> {
    let before = polling(link);
    within(host, &format!("echo 1 >/sys/class/net/{link}/threaded"))?;
    eventually(SOON, "a thread polls each queue of the link", || {
        let mut threads = polling(link);
        threads.retain(|queue, _| !before.contains_key(queue));
        (threads.len() == queues).then(|| threads.into_values().collect())
    })
}

/// The kernel threads that poll links of that name, by the number of what they poll: one for each
/// queue, in their order.
fn polling(link: &str) -> BTreeMap<u32, Pid> {
    let Ok(processes) = fs::read_dir("/proc") else { return BTreeMap::new() };
    let threads = processes.flatten().filter_map(|process| {
        let pid = process.file_name().to_str()?.parse().ok()?;
        let name = fs::read_to_string(process.path().join("comm")).ok()?;
        let queue = name.trim_end().strip_prefix(&format!("napi/{link}-"))?.parse().ok()?;
        Some((queue, Pid::from_raw(pid)))
    });
    threads.collect()
}

fn ethtool(host: &Namespace, arguments: &[&str]) -> Result<()> {
    let output = host.output(Command::new("ethtool").args(arguments))?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "ethtool {arguments:?}: {}", said.trim());
    Ok(())
}

/// Runs a line of the shell in a namespace, with a /sys of its own (ip-netns(8)).
fn within(host: &Namespace, line: &str) -> Result<()> {
    ip(["netns", "exec", host.name(), "sh", "-c", line])
}
