//! What the demo needs of this machine.
//!
//! It must not know how to go on without it.

use std::fs;

use crate::shell::find_program;

/// The capabilities that loading programs and making namespaces takes, by their bit
/// (`linux/capability.h`).
const CAPABILITIES: [(u32, &str); 3] =
    [(12, "CAP_NET_ADMIN"), (21, "CAP_SYS_ADMIN"), (39, "CAP_BPF")];

/// The programs the hosts of the demo run.
const PROGRAMS: [&str; 3] = ["curl", "ip", "nginx"];

/// A line for everything that is missing.
pub(super) fn missing() -> Vec<String> {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let held = effective_capabilities(&status);
    let capabilities = CAPABILITIES.iter().filter(|(bit, _)| held >> bit & 1 == 0);
    let programs = PROGRAMS.iter().filter(|program| find_program(program).is_none());
    capabilities
        .map(|(_, name)| format!("  - the right {name}, which root has outside a container"))
        .chain(programs.map(|name| format!("  - the program {name}")))
        .collect()
}

fn effective_capabilities(status: &str) -> u64 {
    let field = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    field.and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_effective_set() {
        for (status, expected) in [
            ("Name:\tx\nCapPrm:\t01\nCapEff:\t000001ffffffffff\n", 0x1ff_ffff_ffff),
            ("CapEff:\t0000000000000000\n", 0),
            ("", 0),
        ] {
            assert_eq!(effective_capabilities(status), expected, "{status}");
        }
    }
}
