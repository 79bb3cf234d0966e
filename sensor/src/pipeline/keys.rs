//! The secrets in use, and what this process owes them.
//!
//! It must not know where secrets are kept, nor what they check.

use anyhow::Result;

use crate::config::Config;
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
    Ok(knowledge)
}
