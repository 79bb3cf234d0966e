//! The kernel side as the agent sees it: programs loaded, attached and pinned, maps with types,
//! samples as octets.
//!
//! The only importer of aya. It must not know what a sample holds or why an address is banned.

mod again;
mod attach;
mod bans;
mod batch;
mod bpffs;
mod call;
mod classifier;
mod clock;
mod counts;
mod detach;
mod features;
mod filter;
mod instructions;
mod interfaces;
mod journal;
mod large_receive;
mod link;
mod load;
mod maps;
mod netlink;
mod pins;
mod ports;
mod privileges;
mod prospect;
mod qdisc;
mod refusal;
mod renamed;
mod ring;
mod runs;
mod seated;
mod skips;
mod sources;
mod synchronised;
mod takeover;
mod xdp;

pub use attach::{Attachment, Mode};
pub use bans::Entry;
pub use bpffs::{FileSystem, file_system};
pub use clock::Clock;
pub use detach::{detach_all, pin_paths};
pub use features::Feature;
pub use load::Kernel;
pub use maps::Totals;
pub use privileges::check as check_privileges;
pub use prospect::{Prospect, prospect};
pub use refusal::BanError;
pub use ring::Ring;
pub use runs::Runs;
pub use skips::Skips;
pub use sources::Source;
pub use synchronised::clock_is_synchronised;

/// Name of the directory below the pin path that holds this layout's maps and links.
fn layout_directory() -> String {
    format!("v{}", hooksensor_ebpf::abi::VERSION)
}
