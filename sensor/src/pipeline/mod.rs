//! Wires the stages: one thread per shard reads and understands, one desk decides, one thread
//! writes. Every queue between them is bounded, and what finds it full is counted.
//!
//! Alone in knowing every stage. It must not do any stage's work.

mod agent;
mod backlog;
mod common;
mod coverage;
mod desk;
mod figures;
mod grounds;
mod interfaces;
mod keys;
mod observer;
mod reload;
mod replay;
mod report;
mod sampling;
mod shard;
mod shards;
mod shares;
mod stages;
mod state;
mod target;
mod writer;

pub use agent::run;
pub use replay::{Replay, Summary};
pub use stages::{Basis, Output, Stages};
