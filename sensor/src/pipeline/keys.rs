//! The secrets in use, and what this process owes them.
//!
//! It must not know where secrets are kept, nor what they check.

use anyhow::{Context as _, Result};

use crate::config::Config;
use crate::webhook::Knowledge;
use crate::{schemas, secrets};

/// Reads the secrets and the schemas and puts them to use. From then on no core dump of this process can be made,
/// which would hold them.
pub(super) fn know(config: &Config) -> Result<Knowledge> {
    let knowledge = secrets::knowledge(config)?.with_schemas(schemas::of_endpoints(config)?);
    if config.endpoints.iter().any(|endpoint| !endpoint.secrets.is_empty()) {
        nix::sys::prctl::set_dumpable(false).context("cannot forbid core dumps")?;
    }
    for endpoint in knowledge.keyless_endpoints() {
        tracing::warn!(
            endpoint = endpoint.name,
            "none of its secrets can be a key of its provider; nothing will be checked"
        );
    }
    Ok(knowledge)
}
