//! The records of the output contract, in names of the Elastic Common Schema (ECS 9.4).
//!
//! Pure: no clock, no I/O. It must not know where records go.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::decide::Decision;
use crate::detect::Finding;

mod alert;
mod common;
mod community_id;
mod connection;
mod delivery;
mod escape;
mod fields;
mod headers;
mod http;
mod json;
mod memo;
mod moment;
mod names;
mod network;
mod payload;
mod recorder;
mod urls;

pub use json::write_line;
pub use recorder::Recorder;

/// Who observes: what is the same in every record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observer {
    /// The name of this host.
    pub hostname: String,
    /// The version of this program.
    pub version: &'static str,
    /// Names of interfaces by the index that segments carry. One without a name stays unnamed.
    pub interfaces: BTreeMap<u32, String>,
}

/// The record of a finding.
pub fn finding<'a>(finding: &'a Finding, observer: &'a Observer) -> impl Serialize + use<'a> {
    alert::FindingRecord::new(finding, observer)
}

/// The record of a decision. In simulation a ban is named as one that would have been.
pub fn decision<'a>(decision: &'a Decision, observer: &'a Observer) -> impl Serialize + use<'a> {
    alert::DecisionRecord::new(decision, observer)
}

#[cfg(test)]
mod tests;
