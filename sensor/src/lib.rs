#![doc = include_str!("../ARCHITECTURE.md")]

pub mod capture;
pub mod cli;
pub mod config;
pub mod control;
pub mod decide;
pub mod detect;
pub mod enforce;
pub mod export;
pub mod http;
pub mod id;
pub mod kernel;
pub mod net;
pub mod pipeline;
pub mod record;
mod regular;
pub mod schemas;
pub mod secrets;
mod sole;
pub mod store;
pub mod tcp;
pub mod time;
pub mod webhook;

#[cfg(test)]
mod golden;
