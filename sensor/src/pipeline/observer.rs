//! Who observes, as every record says it.
//!
//! It must not know records.

use crate::kernel::Attachment;
use crate::record::Observer;

/// This host, with the names of the interfaces it watches.
pub(super) fn observer(attachments: &[Attachment]) -> Observer {
    let hostname = nix::unistd::gethostname()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default();
    let interfaces = attachments.iter().map(|one| (one.index, one.interface.clone())).collect();
    Observer { hostname, version: env!("CARGO_PKG_VERSION"), interfaces }
}
