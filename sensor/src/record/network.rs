//! What every record says of the connection it is about.
//!
//! It must not know what was said on it.

use serde::Serialize;

use super::community_id::CommunityId;
use super::fields::{Shown, Word};
use crate::http::Flow;

/// `network.*`.
#[derive(Serialize)]
pub(super) struct Network {
    transport: Word,
    #[serde(skip_serializing_if = "Option::is_none")]
    protocol: Option<&'static str>,
    direction: Word,
    community_id: CommunityId,
    #[serde(skip_serializing_if = "Option::is_none")]
    vlan: Option<Vlan>,
}

/// `network.vlan.*`.
#[derive(Serialize)]
struct Vlan {
    id: Shown<u16>,
}

impl Network {
    /// Of the connection `flow`, which speaks `protocol`.
    pub(super) fn new(flow: &Flow, protocol: Option<&'static str>) -> Self {
        Self {
            transport: Word("tcp"),
            protocol,
            direction: Word("inbound"),
            community_id: CommunityId::new(flow.source, flow.destination),
            vlan: flow.vlan.map(|id| Vlan { id: Shown(id) }),
        }
    }
}
