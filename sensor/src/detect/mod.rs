//! Finds what is wrong in deliveries and counters, and says so as [`Finding`]s with evidence.
//!
//! Pure: no clock, no I/O. It must not know what will be done about a finding.

use std::net::IpAddr;

use uuid::Uuid;

use crate::capture::Timestamp;

/// A rule by name and version, so that a decision can be traced to the code that caused it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// `rule.id`.
    pub id: &'static str,
    /// `rule.version`, raised when the rule's meaning changes.
    pub version: u32,
}

/// Something detected, with its evidence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// UUIDv7 from the time of the finding.
    pub id: Uuid,
    /// The rule that found it.
    pub rule: Rule,
    /// When the rule's condition became true, in packet time.
    pub time: Timestamp,
    /// The source it is about.
    pub source: IpAddr,
    /// The watched port it was seen on.
    pub port: u16,
    /// What was found, in a sentence.
    pub reason: String,
    /// `event.id` of each exchange that caused it; empty when packets, not exchanges, did.
    pub evidence: Vec<Uuid>,
}
