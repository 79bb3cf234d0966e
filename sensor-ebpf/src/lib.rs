//! The contract between the kernel programs and the agent, and the arithmetic both rely on.
//!
//! It builds for the kernel and for the host, where its tests run. It must not know maps, program
//! contexts or the agent.
#![cfg_attr(not(test), no_std)]

pub mod abi;
pub mod head;
pub mod limit;
pub mod packet;
