//! The watched interfaces while the agent runs: made anew, gone, or renamed.
//!
//! It must not know how a program is put on an interface.

use super::desk::Desk;
use crate::config::XdpMode;
use crate::kernel::{Attachment, Kernel};

impl Desk {
    /// Puts the programs back on an interface that was made anew, and notes one that is gone or has
    /// another name.
    pub(super) fn look_after_interfaces(&mut self) {
        let mode = self.first_config.kernel.xdp_mode;
        let mut changed = false;
        for one in &mut self.attachments {
            changed |= look_after(self.enforcer.kernel(), one, mode);
        }
        if changed && let Err(error) = self.tell_shards() {
            tracing::error!(%error, "the shards could not be told of an interface");
        }
    }
}

/// Looks after one interface; whether it was attached again.
fn look_after(kernel: &mut Kernel, one: &mut Attachment, mode: XdpMode) -> bool {
    match Kernel::find(&one.interface) {
        // Nothing is known of it now; what is attached stays.
        Err(error) => tracing::debug!(interface = one.interface, "{error:#}"),
        Ok(Some(index)) if index == one.index && one.lost.is_none() => one.rename(None),
        Ok(Some(_)) => match kernel.attach_to(&one.interface, mode) {
            Ok(attachment) => {
                tracing::info!(interface = one.interface, "attached again");
                *one = attachment;
                return true;
            }
            Err(error) => one.lose(&format!("{error:#}")),
        },
        Ok(None) => match kernel.name_now(one).filter(|_| one.lost.is_none()) {
            Some(name) => one.rename(Some(name)),
            None => one.lose("the interface is gone"),
        },
    }
    false
}
