//! Checks for the capabilities the kernel will ask for, so that a refusal can be explained.

use anyhow::{Context as _, Result, bail};

/// The capabilities loading and attaching take, by number and name (capability.h), and whether
/// `CAP_SYS_ADMIN` stands in for them, as it did alone before Linux 5.8.
const NEEDED: [(u32, &str, bool); 3] =
    [(39, "CAP_BPF", true), (12, "CAP_NET_ADMIN", false), (38, "CAP_PERFMON", true)];

const SYS_ADMIN: u32 = 21;

/// Fails with the names of the capabilities the process lacks.
///
/// # Errors
///
/// When one is missing, or when `/proc` cannot be read.
pub fn check() -> Result<()> {
    let status = procfs::process::Process::myself()
        .and_then(|process| process.status())
        .context("cannot read this process's capabilities from /proc/self/status")?;
    let has = |number: u32| status.capeff >> number & 1 == 1;
    let missing: Vec<_> = NEEDED
        .into_iter()
        .filter(|(number, _, implied)| !has(*number) && (!implied || !has(SYS_ADMIN)))
        .map(|(_, name, _)| name)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    bail!(
        "no permission to load kernel programs: this process lacks {}. Run it as root, or give it \
         the capabilities (systemd: AmbientCapabilities=CAP_BPF CAP_NET_ADMIN CAP_PERFMON)",
        missing.join(", ")
    )
}
