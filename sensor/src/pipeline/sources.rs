//! The sources the kernel knows, for an operator who asks.
//!
//! It must not know how they are shown.

use anyhow::Result;

use super::desk::Desk;
use crate::control::SourceView;

impl Desk {
    /// The `top` sources by packets. The whole of both maps is read for it, which takes the desk a
    /// tenth of a second when they are full; nothing waits for the desk but operators and bans.
    pub(super) fn sources(&mut self, top: u32) -> Result<Vec<SourceView>> {
        let kernel = self.enforcer.kernel();
        let (sources, slots) = (kernel.sources()?, kernel.slots()?);
        Ok(SourceView::busiest(&sources, &slots, usize::try_from(top)?))
    }
}
