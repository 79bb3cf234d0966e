//! The secrets in use, and what this process owes them.
//!
//! It must not know where secrets are kept, nor what they check.

use anyhow::Result;

use crate::config::Config;
use crate::time::Timestamp;
use crate::webhook::Knowledge;
use crate::{schemas, secrets};

/// Reads the secrets and the schemas and puts them to use.
pub(super) fn know(config: &Config) -> Result<Knowledge> {
    let knowledge = secrets::knowledge(config)?.with_schemas(schemas::of_endpoints(config)?);
    for endpoint in knowledge.keyless_endpoints() {
        tracing::warn!(
            endpoint = endpoint.name,
            "none of its secrets can be a key of its provider; nothing will be checked"
        );
    }
    warn_of_old_networks(&knowledge);
    Ok(knowledge)
}

fn warn_of_old_networks(knowledge: &Knowledge) {
    let now = u64::try_from(jiff::Timestamp::now().as_nanosecond()).unwrap_or_default();
    for provider in knowledge.table().providers() {
        if let Some(days) = provider.days_stale(Timestamp(now)) {
            tracing::warn!(
                provider = provider.name,
                days,
                "its networks are old, and providers move; renew them, or deliveries from new \
                 ones are told as from outside"
            );
        }
    }
}
