//! Who drops the flood: our programs and their peers, each put on the link and taken off again.
//!
//! It must not know how a flood is made or measured.

use std::collections::BTreeSet;
use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use harness::eventually;
use harness::program::{Link, Program};
use hooksensor::config::{self, XdpMode};
use hooksensor::kernel::{Entry, Kernel};
use hooksensor_ebpf::abi::{Ban, Limits};
use hooksensor_ebpf::limit::limit;
use ipnet::IpNet;
use nix::net::if_::if_nametoindex;

use crate::link::SOON;
use crate::stage::{FLOODING, LINK, PORT, Stage};

/// Banned sources of which the flooding one is the last.
const BANS: u32 = 100_000;

/// The first of them: a network that is nobody's here (RFC 2544).
const FIRST_BANNED: u32 = 0xc612_0000;

/// Where xdp-filter keeps its maps, and the library it uses its programs.
const LEFT: [&str; 2] = ["/sys/fs/bpf/xdp-filter", "/sys/fs/bpf/xdp"];

/// Packets a second of one source that a limit lets pass, everywhere.
const RATE: u64 = 1_000;

/// Someone who drops, or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Receiver {
    Bare,
    Reading,
    Banned,
    Limited,
    XdpFilter,
    NftablesSet,
    NftablesLimit,
    Hashlimit,
    NoFilter,
}

impl Receiver {
    pub(crate) const ALL: [Self; 9] = [
        Self::Bare,
        Self::Reading,
        Self::Banned,
        Self::Limited,
        Self::XdpFilter,
        Self::NftablesSet,
        Self::NftablesLimit,
        Self::Hashlimit,
        Self::NoFilter,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Bare => "bare XDP_DROP",
            Self::Reading => "XDP_DROP by the source it reads",
            Self::Banned => "hooksensor, banned among 100 000",
            Self::Limited => "hooksensor, over its limit",
            Self::XdpFilter => "xdp-filter, address denied",
            Self::NftablesSet => "nftables netdev, set of 100 000",
            Self::NftablesLimit => "nftables netdev, limit of each source",
            Self::Hashlimit => "iptables raw, hashlimit of each source",
            Self::NoFilter => "no filter",
        }
    }
}

/// All of them, as far as they can be made ready.
pub(crate) struct Receivers<'a> {
    stage: &'a Stage,
    kernel: Kernel,
    bare: Program,
    reading: Program,
    /// Holds one of them on the link, while it is there.
    held: Option<Link>,
    /// Directories that xdp-filter makes and leaves, of those that were not there.
    leaves: Vec<&'static str>,
}

/// A receiver on the link; dropping it takes it off again.
pub(crate) struct InPlace<'r, 'a> {
    receivers: &'r mut Receivers<'a>,
    receiver: Receiver,
}

impl<'a> Receivers<'a> {
    pub(crate) fn load(stage: &'a Stage) -> Result<Self> {
        let settings = config::Kernel {
            pin_path: stage.network.server.pin_path(),
            max_bans: BANS,
            ..config::Kernel::default()
        };
        let mut kernel = stage.network.server.run(|| Kernel::load(&settings, 1))??;
        kernel.change_settings(|settings| {
            settings.enforce = 1;
            settings.payload_bytes = 65_535;
            settings.sample_one_in = 1;
            settings.set_source(32, 64);
        })?;
        kernel.watch(&BTreeSet::from([PORT]), Limits::default())?;
        for taken in kernel.ban_all(&banned()?) {
            taken?;
        }
        let bare = Program::dropping("flood_bare")?;
        let leaves = LEFT.into_iter().filter(|path| fs::symlink_metadata(path).is_err()).collect();
        let reading = Program::dropping_source("flood_reading", FLOODING.parse()?)?;
        Ok(Self { stage, kernel, bare, reading, held: None, leaves })
    }

    /// Puts a receiver on the link.
    pub(crate) fn put(&mut self, receiver: Receiver) -> Result<InPlace<'_, 'a>> {
        eventually(SOON, "the link is free", || self.is_free().then_some(()))?;
        let in_place = InPlace { receivers: self, receiver };
        in_place.receivers.attach(receiver).with_context(|| receiver.name())?;
        Ok(in_place)
    }

    fn attach(&mut self, receiver: Receiver) -> Result<()> {
        match receiver {
            Receiver::Bare | Receiver::Reading => {
                let program = if receiver == Receiver::Bare { &self.bare } else { &self.reading };
                let attach = || program.attach(if_nametoindex(LINK)?);
                self.held = Some(self.stage.network.server.run(attach)??);
                Ok(())
            }
            Receiver::Banned => self.attach_ours(true, Limits::default()),
            Receiver::Limited => {
                self.attach_ours(false, Limits { packets: limit(RATE, RATE), ..Limits::default() })
            }
            Receiver::XdpFilter => {
                self.run("xdp-filter", &["load", "--mode", "native", "--features", "ipv4", LINK])?;
                self.run("xdp-filter", &["ip", FLOODING, "--mode", "src"])
            }
            Receiver::NftablesSet => {
                let addresses: Vec<_> =
                    banned()?.iter().map(|entry| entry.target.addr().to_string()).collect();
                self.nftables(
                    &format!("type ipv4_addr; elements = {{ {} }}", addresses.join(", ")),
                    "ip saddr @sources drop",
                )
            }
            Receiver::NftablesLimit => self.nftables(
                "type ipv4_addr; size 65536; flags dynamic",
                &format!(
                    "tcp dport {PORT} update @sources {{ ip saddr limit rate over {RATE}/second }} \
                     drop"
                ),
            ),
            Receiver::Hashlimit => self.run("iptables", &hashlimit("-A")),
            Receiver::NoFilter => Ok(()),
        }
    }

    fn attach_ours(&mut self, banned: bool, limits: Limits) -> Result<()> {
        let target = IpNet::from(FLOODING.parse::<IpAddr>()?);
        if banned {
            self.kernel.ban(&Entry { target, expires: u64::MAX, scope: Ban::WATCHED })?;
        } else {
            self.kernel.unban(&target)?;
        }
        self.kernel.watch(&BTreeSet::from([PORT]), limits)?;
        let attach = || self.kernel.attach(&[LINK.to_owned()], XdpMode::Native);
        self.stage.network.server.run(attach)??;
        Ok(())
    }

    fn detach(&mut self, receiver: Receiver) -> Result<()> {
        match receiver {
            Receiver::Bare | Receiver::Reading => {
                self.held = None;
                Ok(())
            }
            Receiver::Banned | Receiver::Limited => {
                let kernel = &mut self.kernel;
                self.stage.network.server.run(|| kernel.detach_others(&[]))?
            }
            Receiver::XdpFilter => self.run("xdp-filter", &["unload", LINK]),
            Receiver::NftablesSet | Receiver::NftablesLimit => {
                self.run("nft", &["delete", "table", "netdev", "flood"])
            }
            Receiver::Hashlimit => self.run("iptables", &hashlimit("-D")),
            Receiver::NoFilter => Ok(()),
        }
    }

    /// Whether no XDP program is on the link: the kernel takes one off a moment after its last pin
    /// is gone.
    fn is_free(&self) -> bool {
        let mut show = Command::new("ip");
        let shown = self.stage.network.server.output(show.args(["link", "show", "dev", LINK]));
        shown.is_ok_and(|output| !String::from_utf8_lossy(&output.stdout).contains("prog/xdp"))
    }

    fn nftables(&self, set: &str, rule: &str) -> Result<()> {
        let path = self.stage.network.server.folder().join("flood.nft");
        let hook = format!("type filter hook ingress device \"{LINK}\" priority -500;");
        let text = format!(
            "table netdev flood {{\nset sources {{ {set}; }}\nchain arrivals {{ {hook}\n{rule}\n}}\n}}\n"
        );
        fs::write(&path, text).context("cannot write the rules")?;
        self.run("nft", &["-f", path.to_str().context("a path is text")?])
    }

    fn run(&self, program: &str, arguments: &[&str]) -> Result<()> {
        let output = self.stage.network.server.output(Command::new(program).args(arguments))?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{program} {arguments:?}: {}", said.trim());
        Ok(())
    }
}

impl Drop for InPlace<'_, '_> {
    fn drop(&mut self) {
        // While unwinding an error has nowhere to go, and the namespace takes everything along.
        self.receivers.detach(self.receiver).ok();
    }
}

impl Drop for Receivers<'_> {
    fn drop(&mut self) {
        let kernel = &mut self.kernel;
        self.stage.network.server.run(|| kernel.detach().ok()).ok();
        for path in &self.leaves {
            fs::remove_dir_all(path).ok();
        }
    }
}

fn hashlimit(action: &str) -> [&str; 17] {
    [
        "-t",
        "raw",
        action,
        "PREROUTING",
        "-p",
        "tcp",
        "-m",
        "hashlimit",
        "--hashlimit-above",
        "1000/sec",
        "--hashlimit-mode",
        "srcip",
        "--hashlimit-name",
        "flood",
        "-j",
        "DROP",
        "-w",
    ]
}

/// The bans, the flooding source's last.
fn banned() -> Result<Vec<Entry>> {
    let flooding: Ipv4Addr = FLOODING.parse()?;
    let others = (FIRST_BANNED..).take(BANS as usize - 1).map(Ipv4Addr::from);
    let targets = others.chain([flooding]).map(|address| IpNet::from(IpAddr::from(address)));
    let entry = |target| Entry { target, expires: u64::MAX, scope: Ban::WATCHED };
    Ok(targets.map(entry).collect())
}
