//! Installs what the build and the tests need, where it may, and says what to run where it may
//! not.
//!
//! It must not change a service, a running program or a package that is already there.

use std::path::Path;
use std::process::Command;

use anyhow::{Result, bail};
use nix::unistd::Uid;

use crate::shell;
use crate::toolchain::{Missing, Toolchain};

mod debian;
mod step;

use step::Step;

/// The version this workspace is tested with; its LLVM feature must name the LLVM of the compiler
/// of Debian's `rustc-web`.
const BPF_LINKER: [&str; 9] = [
    "install",
    "bpf-linker",
    "--version",
    "0.13.0",
    "--locked",
    "--no-default-features",
    "--features",
    "llvm-22",
    "--root",
];

/// Where Debian's LLVM packages keep the `llvm-config` that bpf-linker's build asks.
const LLVM_BIN: &str = "/usr/lib/llvm-22/bin";

/// Installs what is missing and says so when nothing is.
pub(crate) fn run() -> Result<()> {
    if !ensure()? {
        shell::say("Nothing to set up: the toolchain and the tools of the tests are in place.");
    }
    Ok(())
}

/// Installs what is missing; true when there was something.
pub(crate) fn ensure() -> Result<bool> {
    let plan = Plan::make();
    if plan.is_empty() {
        return Ok(false);
    }
    plan.carry_out()?;
    match Toolchain::find(shell::workspace()) {
        Ok(_) => Ok(true),
        Err(missing) => bail!("{missing}"),
    }
}

/// Installs the packages of those `programs` (name, package) that are not there.
pub(crate) fn ensure_programs(programs: &[(&str, &'static str)]) -> Result<()> {
    let absent = |program: &&(&str, &str)| shell::find_program(program.0).is_none();
    let packages: Vec<_> = programs.iter().filter(absent).map(|(_, package)| *package).collect();
    match (packages.is_empty(), Host::this()) {
        (true, _) => Ok(()),
        (false, Host::DebianRoot) => step::run_all(debian::steps(&packages).into()),
        (false, Host::DebianUser) => bail!(debian::by_hand(&packages)),
        (false, Host::Other) => bail!("this needs {}", packages.join(", ")),
    }
}

/// Who runs this, on what.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Host {
    /// Root on Debian, which may install packages.
    DebianRoot,
    DebianUser,
    Other,
}

/// What there is to do.
struct Plan {
    host: Host,
    missing: Missing,
    packages: debian::Packages,
}

impl Plan {
    fn make() -> Self {
        let missing = Toolchain::find(shell::workspace()).err();
        let missing = missing.unwrap_or(Missing { compiler: false, linker: false });
        let host = Host::this();
        let packages = match host {
            Host::DebianRoot | Host::DebianUser => debian::Packages::missing(&missing),
            Host::Other => debian::Packages::default(),
        };
        Self { host, missing, packages }
    }

    fn is_empty(&self) -> bool {
        // Who may not install the tools of the tests can build all the same; the tasks that miss
        // one say so themselves.
        let tools = self.host == Host::DebianRoot && !self.packages.tools.is_empty();
        !(tools || self.missing.linker || self.missing.compiler)
    }

    fn carry_out(&self) -> Result<()> {
        let packages = match self.host {
            Host::DebianRoot => self.packages.all(),
            Host::DebianUser if self.packages.build.is_empty() => Vec::new(),
            Host::DebianUser => bail!(debian::by_hand(&self.packages.all())),
            Host::Other => bail!(BY_HAND),
        };
        let mut steps = Vec::new();
        if !packages.is_empty() {
            steps.extend(debian::steps(&packages));
        }
        if self.missing.linker {
            steps.push(Step::new("build bpf-linker into .tools, about a minute", linker()));
        }
        let _no_service_starts = debian::NoServices::hold(&packages)?;
        step::run_all(steps)
    }
}

impl Host {
    fn this() -> Self {
        match (Path::new("/etc/debian_version").exists(), Uid::effective().is_root()) {
            (true, true) => Self::DebianRoot,
            (true, false) => Self::DebianUser,
            (false, _) => Self::Other,
        }
    }
}

/// What to do on a system whose packages this program does not know.
const BY_HAND: &str = "\
this is not Debian, so nothing was installed. The kernel programs need rustup's nightly with its
sources and a bpf-linker whose LLVM is not older than the nightly's:
    rustup toolchain install nightly --component rust-src
    cargo install bpf-linker
The tests and the demo also need nginx, curl, ethtool, ip, promtool and tcpdump.";

fn linker() -> Command {
    let mut command = shell::cargo(&BPF_LINKER);
    command.arg(shell::workspace().join(".tools"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::iter::once(LLVM_BIN.into()).chain(std::env::split_paths(&path));
    let path = std::env::join_paths(folders).expect("folders split from PATH hold no separator");
    command.env("PATH", path);
    command
}
