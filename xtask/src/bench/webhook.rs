//! Recognising, verifying and checking deliveries, beside the bare hash of their bodies.
//!
//! It must not know how that is timed; the benchmark of the agent's crate does.

use anyhow::Result;

use crate::npm;
use crate::shell::{self, cargo};

pub(super) fn run() -> Result<()> {
    npm::ensure()?;
    shell::run(&mut cargo(&["bench", "--quiet", "--package", "hooksensor", "--bench", "webhook"]))
}
