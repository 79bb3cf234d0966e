//! A host that loses packets at random, on their way in and on their way out.
//!
//! It must not know what the packets carry.

use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::namespace::Namespace;

/// Drops this many of a hundred TCP packets in each direction.
///
/// What arrives is lost behind the interface, where a sensor has seen it, and what is sent before
/// the interface, where none has.
///
/// # Errors
/// Without `nft`, or where the kernel cannot do this.
pub fn lose(namespace: &Namespace, percent: u8) -> Result<()> {
    let path = namespace.folder().join("loss.nft");
    std::fs::write(&path, rules(percent)).context("cannot write loss.nft")?;
    let mut nft = Command::new("nft");
    let output = namespace.output(nft.arg("-f").arg(&path)).context("nft is in nftables")?;
    ensure!(output.status.success(), "nft: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

fn rules(percent: u8) -> String {
    let chain = |hook| {
        format!(
            "chain {hook} {{
                type filter hook {hook} priority -300
                meta l4proto tcp numgen random mod 100 < {percent} drop
            }}\n"
        )
    };
    format!("table inet loss {{\n{}{}}}\n", chain("prerouting"), chain("output"))
}
