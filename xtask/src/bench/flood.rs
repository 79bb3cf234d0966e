//! `cargo xtask bench flood`: what a flood costs the receiving host, beside peers that drop it.
//!
//! It must not know the receivers.

use anyhow::{Result, ensure};
use nix::unistd::Uid;

use crate::setup;
use crate::shell::{self, cargo};

/// The peers, and what puts a link into the state that is measured.
const PEERS: [(&str, &str); 7] = [
    ("chrt", "util-linux"),
    ("ethtool", "ethtool"),
    ("iptables", "iptables"),
    ("nft", "nftables"),
    ("nginx", "nginx-light"),
    ("renice", "bsdutils"),
    ("xdp-filter", "xdp-tools"),
];

pub(crate) fn run() -> Result<()> {
    ensure!(
        Uid::effective().is_root(),
        "loading programs and making network namespaces needs root: run `sudo -E cargo xtask bench \
         flood`"
    );
    setup::ensure_programs(&PEERS)?;
    // Built like the tests: the time is spent in the kernel, whose programs are always optimised.
    shell::run(&mut cargo(&["test", "--quiet", "--package", "tests", "--bench", "flood"]))
}
