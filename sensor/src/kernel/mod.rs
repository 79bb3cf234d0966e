//! The kernel side as the agent sees it: programs loaded, attached and pinned, maps with types,
//! samples as octets.
//!
//! The only importer of aya. It must not know what a sample holds or why an address is banned.

mod attach;
mod bans;
mod bpffs;
mod clock;
mod load;
mod maps;
mod ports;
mod privileges;
mod ring;

pub use attach::{Attachment, Mode};
pub use bans::{BanError, Entry};
pub use clock::Clock;
pub use load::Kernel;
pub use maps::Totals;
pub use privileges::check as check_privileges;
pub use ring::Ring;

/// Name of the directory below the pin path that holds this layout's maps and links.
fn layout_directory() -> String {
    format!("v{}", hooksensor_ebpf::abi::VERSION)
}
