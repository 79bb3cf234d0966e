//! The JSON Schema of the settings, for editors, for the sample and for unknown keys.
//!
//! It must not know defaults or values.

use schemars::generate::SchemaSettings;
use serde_json::Value;

use super::settings::Config;

/// The schema as a JSON document, for `config schema`.
#[must_use]
pub fn schema() -> String {
    format!("{:#}\n", schemars::schema_for!(Config).to_value())
}

/// The schema with every definition in the place where it is used.
pub(super) fn inlined() -> Value {
    let settings = SchemaSettings::default().with(|settings| settings.inline_subschemas = true);
    settings.into_generator().into_root_schema_for::<Config>().to_value()
}
