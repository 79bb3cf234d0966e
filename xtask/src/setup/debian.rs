//! Debian's packages: which are missing, and how to add them without side effects.
//!
//! It must not know anything but packages and the services they bring.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result};

use super::step::Step;
use crate::toolchain::Missing;

/// What a compiler for the kernel programs consists of.
const COMPILER: [&str; 2] = ["rustc-web", "libstd-rust-web-dev-bpf"];

/// Lints the kernel programs, beside the compiler of the same version.
const CLIPPY: [&str; 1] = ["rust-web-clippy"];

/// What building bpf-linker takes.
const LINKER: [&str; 6] =
    ["g++", "libpolly-22-dev", "libxml2-dev", "libzstd-dev", "llvm-22-dev", "zlib1g-dev"];

/// What the tests and the demo run.
const TOOLS: [&str; 7] =
    ["curl", "ethtool", "iproute2", "nftables", "nginx-light", "prometheus", "tcpdump"];

/// Services that packages of [`TOOLS`] would start now and at every boot.
const SERVICES: [(&str, &str); 2] =
    [("nginx-light", "nginx.service"), ("prometheus", "prometheus.service")];

/// The hook that Debian's package scripts ask before they start a service.
const POLICY: &str = "/usr/sbin/policy-rc.d";

/// Packages that are needed and not installed.
#[derive(Debug, Default)]
pub(crate) struct Packages {
    /// Without these nothing can be built.
    pub(crate) build: Vec<&'static str>,
    /// Without these the tests, the linter or the demo cannot run.
    pub(crate) tools: Vec<&'static str>,
}

impl Packages {
    /// Asks dpkg what of the `missing` pieces and of the tools is not installed.
    pub(crate) fn missing(missing: &Missing) -> Self {
        let compiler = COMPILER.iter().filter(|_| missing.compiler);
        let linker = LINKER.iter().filter(|_| missing.linker);
        let installed = installed();
        let absent = |package: &&&str| !installed.iter().any(|name| name == **package);
        // Beside rustup's nightly, Debian's clippy would be of no use.
        let clippy = missing.compiler || !absent(&&COMPILER[0]);
        let tools = TOOLS.iter().chain(CLIPPY.iter().filter(|_| clippy));
        Self {
            build: compiler.chain(linker).filter(absent).copied().collect(),
            tools: tools.filter(absent).copied().collect(),
        }
    }

    pub(crate) fn all(&self) -> Vec<&'static str> {
        [self.build.as_slice(), &self.tools].concat()
    }
}

/// The commands that install `packages`, for a person with other rights than this process.
pub(crate) fn by_hand(packages: &[&str]) -> String {
    format!(
        "only root may install packages; run\n    sudo apt-get update\n    \
         sudo apt-get install --no-install-recommends {}",
        packages.join(" ")
    )
}

/// Refreshing the package lists and installing `packages`.
pub(crate) fn steps(packages: &[&'static str]) -> [Step; 2] {
    let mut update = apt();
    update.arg("update");
    let mut install = apt();
    // rustc-web conflicts with Debian's own rustc and rustup: better to fail than to remove them.
    install.args(["install", "--yes", "--no-install-recommends", "--no-remove"]).args(packages);
    [Step::new("refresh the package lists", update), Step::new("install packages", install)]
}

/// While this lives, packages that are installed do not start their services; when it goes, they
/// do not start at the next boot either.
pub(crate) struct NoServices {
    policy: bool,
    services: Vec<&'static str>,
}

impl NoServices {
    /// Holds the services of `packages` back. A policy hook that the machine already has stays.
    pub(crate) fn hold(packages: &[&str]) -> Result<Self> {
        let brought = SERVICES.iter().filter(|(package, _)| packages.contains(package));
        let services: Vec<_> = brought.map(|(_, service)| *service).collect();
        let policy = !services.is_empty() && !Path::new(POLICY).exists();
        if policy {
            // Should this process be killed, the hook it leaves behind allows everything again.
            let pid = std::process::id();
            let script = format!("#!/bin/sh\nkill -0 {pid} 2>/dev/null && exit 101\nexit 0\n");
            fs::write(POLICY, script).with_context(|| format!("cannot write {POLICY}"))?;
            fs::set_permissions(POLICY, Permissions::from_mode(0o755))
                .with_context(|| format!("cannot make {POLICY} executable"))?;
        }
        Ok(Self { policy, services })
    }
}

impl Drop for NoServices {
    fn drop(&mut self) {
        if self.policy {
            fs::remove_file(POLICY).ok();
        }
        for service in &self.services {
            // Fails harmlessly where no systemd manages this machine.
            Command::new("systemctl").args(["--quiet", "disable", service]).output().ok();
        }
    }
}

fn apt() -> Command {
    let mut command = Command::new("apt-get");
    // The lock is often held for a minute by the daily update of a fresh machine.
    command.args(["-q", "-o", "DPkg::Lock::Timeout=120"]).env("DEBIAN_FRONTEND", "noninteractive");
    command
}

fn installed() -> Vec<String> {
    let query = Command::new("dpkg-query")
        .args(["--show", "--showformat", "${Package} ${db:Status-Status}\n"])
        .args([&COMPILER[..], &CLIPPY, &LINKER, &TOOLS].concat())
        // Names that dpkg has never heard of are the point of asking.
        .stderr(Stdio::null())
        .output();
    let listing = query.map(|output| output.stdout).unwrap_or_default();
    parse_installed(&String::from_utf8_lossy(&listing))
}

fn parse_installed(listing: &str) -> Vec<String> {
    listing.lines().filter_map(|line| line.strip_suffix(" installed")).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_installed_packages_count() {
        let listing = "curl installed\nnginx-light config-files\nlibxml2-dev installed\n";
        assert_eq!(parse_installed(listing), ["curl", "libxml2-dev"]);
        assert!(parse_installed("").is_empty());
    }
}
