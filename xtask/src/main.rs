//! Dispatches `cargo xtask <task>`; each task is one file.
//!
//! Nothing here knows how a task works.

fn main() {}
