//! Checks for the capabilities the kernel will ask for, so that a refusal can be explained.
//!
//! It must not know which call asks for one.

use anyhow::{Context as _, Result, bail};

/// The capabilities that the agent needs, by number and name (capability.h). `CAP_SYS_ADMIN` holds
/// `CAP_BPF` and `CAP_PERFMON`, with which programs are loaded (`bpf_capable`, `perfmon_capable`),
/// and is asked for beyond them where programs and links are found by their identifiers: that is
/// how the agent knows what an earlier one left on an interface, and puts it back when a start
/// fails.
const NEEDED: [(u32, &str); 2] = [(12, "CAP_NET_ADMIN"), (21, "CAP_SYS_ADMIN")];

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
    let missing: Vec<_> =
        NEEDED.into_iter().filter(|(number, _)| !has(*number)).map(|(_, name)| name).collect();
    if missing.is_empty() {
        return Ok(());
    }
    bail!(
        "no permission to load kernel programs: this process lacks {}. Run it as root, and leave it \
         these where its capabilities are bounded (systemd: CapabilityBoundingSet=CAP_NET_ADMIN \
         CAP_SYS_ADMIN)",
        missing.join(", ")
    )
}
