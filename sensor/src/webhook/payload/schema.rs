//! JSON Schemas of payloads: which one a delivery is held against, and where it fails it.
//!
//! It must not know where schemas are read from. References beyond a schema's own file are refused
//! when it is read, so nothing is ever fetched.

use std::collections::HashMap;
use std::fmt;
use std::num::NonZeroUsize;
use std::sync::Arc;

use jsonschema::error::ValidationErrorKind;
use jsonschema::{Draft, Registry, RegistryBuilder, ValidationError, Validator};
use lru::LruCache;
use serde_json::{Value, json};

use super::open::open;
use super::pointer::Pointer;
use crate::config::UnknownMembers;
use crate::time::Timestamp;

/// Definitions of a shard that are compiled at once. One of GitHub's takes some 350 KiB, and a
/// receiver subscribes to some ten events.
const COMPILED: NonZeroUsize = NonZeroUsize::new(64).expect("not zero");

/// Definitions that are compiled within a second: a sender whom somebody vouches for and who names
/// another event with each delivery would otherwise make each cost some milliseconds.
const COMPILED_PER_SECOND: u32 = 10;

const SECOND: u64 = 1_000_000_000;

/// The name by which a file is known to itself.
const BASE: &str = "urn:hooksensor:schema";

/// What every event type is held against that has no schema of its own.
const ANY: &str = "*";

/// One file of schemas.
pub struct Schema {
    registry: Registry<'static>,
    draft: Draft,
    /// The reference to each definition, by its name.
    definitions: HashMap<Box<str>, Box<str>>,
}

/// Why a file holds no schema that can be used.
#[derive(Debug)]
pub enum SchemaError {
    /// It is no JSON.
    Json(serde_json::Error),
    /// It, or a definition in it, is no schema: what is wrong, in words.
    Unsound(String),
}

impl fmt::Display for SchemaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Json(error) => write!(f, "it is no JSON: {error}"),
            Self::Unsound(why) => write!(
                f,
                "it is no schema that can be used: {why}; what it refers to has to stand in the \
                 same file, because nothing is fetched"
            ),
        }
    }
}

impl std::error::Error for SchemaError {}

impl fmt::Debug for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let definitions = self.definitions.len();
        f.debug_struct("Schema").field("definitions", &definitions).finish_non_exhaustive()
    }
}

impl Schema {
    /// Reads the text of a file, and compiles everything in it once to see that it can be. Where
    /// members that it does not name are allowed, what refuses them is dropped first.
    ///
    /// # Errors
    ///
    /// When it is no JSON, no schema, or refers to another file.
    pub fn parse(text: &[u8], unknown: UnknownMembers) -> Result<Self, SchemaError> {
        let mut document: Value = serde_json::from_slice(text).map_err(SchemaError::Json)?;
        let unsound = |error: &dyn fmt::Display| SchemaError::Unsound(error.to_string());
        jsonschema::meta::validate(&document).map_err(|error| unsound(&error))?;
        if unknown == UnknownMembers::Allow {
            open(&mut document);
        }
        let definitions = definitions(&document);
        let draft = Draft::Draft202012.detect(&document);
        let registry = Registry::new().draft(draft).add(BASE, document);
        let registry = registry.and_then(RegistryBuilder::prepare);
        let registry = registry.map_err(|error| unsound(&error))?;
        let schema = Self { registry, draft, definitions };
        for reference in schema.definitions.values().map(|reference| &**reference).chain([""]) {
            schema.compile(reference).map_err(|error| unsound(&error))?;
        }
        Ok(schema)
    }

    /// The reference to what an event is held against: the definition that is named for it and its
    /// action, or for it alone, as GitHub's and others' schemas name them; or else the whole.
    fn reference(&self, event_type: &str, action: Option<&str>) -> &str {
        let with_action = action.map(|action| format!("{event_type}${action}"));
        let alone = ["$event", "_event", ""].map(|ending| format!("{event_type}{ending}"));
        let mut names = with_action.into_iter().chain(alone);
        names.find_map(|name| self.definitions.get(&*name)).map_or("", |reference| reference)
    }

    fn compile(&self, reference: &str) -> Result<Validator, ValidationError<'static>> {
        let options = jsonschema::options().with_draft(self.draft).with_registry(&self.registry);
        options.build(&json!({ "$ref": format!("{BASE}#{reference}") }))
    }
}

/// The reference to each definition of `document`, by name: in the members where the drafts keep
/// them.
fn definitions(document: &Value) -> HashMap<Box<str>, Box<str>> {
    let mut references = HashMap::new();
    for member in ["definitions", "$defs"] {
        for name in document[member].as_object().into_iter().flat_map(|object| object.keys()) {
            let mut pointer = Pointer::new(member);
            pointer.push(name);
            references.insert(name.as_str().into(), pointer.fragment().into());
        }
    }
    references
}

/// The schemas of an endpoint, by event type.
#[derive(Debug, Clone, Default)]
pub struct Schemas(Vec<(String, Arc<Schema>)>);

impl Schemas {
    /// Schemas with the event type of each; "*" is every other one.
    #[must_use]
    pub fn new(by_event: Vec<(String, Arc<Schema>)>) -> Self {
        Self(by_event)
    }

    fn of(&self, event_type: &str) -> Option<&Arc<Schema>> {
        let named = |name: &str| self.0.iter().find(|(event, _)| event == name);
        named(event_type).or_else(|| named(ANY)).map(|(_, schema)| schema)
    }
}

/// Where a payload fails its schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mismatch {
    /// The place in the payload, as a JSON Pointer; where a member is missing or
    /// should be, that of the member.
    pub pointer: String,
    /// The keyword that does not hold there.
    pub keyword: String,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = if self.pointer.is_empty() { "the whole" } else { &self.pointer };
        write!(f, "{place} fails the keyword {:?} of its schema", self.keyword)
    }
}

/// What became of a check.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Held {
    /// There is no schema for this event.
    Unasked,
    /// Too many other events came in this second.
    Busy,
    /// It is not compiled, and would not be for what nobody vouches for.
    NotCompiled,
    /// It was held against its schema.
    Checked(Result<(), Mismatch>),
}

/// The schemas that were needed lately, compiled.
#[derive(Debug)]
pub(super) struct Validators {
    compiled: LruCache<(usize, Box<str>), Validator>,
    second: u64,
    spent: u32,
}

impl Default for Validators {
    fn default() -> Self {
        Self { compiled: LruCache::new(COMPILED), second: 0, spent: 0 }
    }
}

impl Validators {
    /// Holds `payload`, an event of this type, against its schema. Only what `teaches` has one
    /// compiled: whoever pleases can name events, and would take the place of those that come.
    pub(super) fn hold(
        &mut self,
        schemas: &Schemas,
        event_type: &str,
        payload: &Value,
        (teaches, now): (bool, Timestamp),
    ) -> Held {
        let Some(schema) = schemas.of(event_type) else { return Held::Unasked };
        let reference = schema.reference(event_type, payload["action"].as_str());
        let key = (Arc::as_ptr(schema).addr(), Box::from(reference));
        if !self.compiled.contains(&key) {
            if !teaches {
                return Held::NotCompiled;
            }
            // What did compile when it was read compiles again.
            let Some(validator) =
                self.may_compile(now).then(|| schema.compile(reference).ok()).flatten()
            else {
                return Held::Busy;
            };
            self.compiled.put(key.clone(), validator);
        }
        let Some(validator) = self.compiled.get(&key) else { return Held::Busy };
        // Whether it is sound is known twice as fast as where it is not.
        Held::Checked(if validator.is_valid(payload) {
            Ok(())
        } else {
            validator.validate(payload).map_err(|error| mismatch(&error))
        })
    }

    /// Lets go of everything, because schemas were read again.
    pub(super) fn forget(&mut self) {
        self.compiled.clear();
    }

    fn may_compile(&mut self, now: Timestamp) -> bool {
        let second = now.0 / SECOND;
        if self.second != second {
            (self.second, self.spent) = (second, 0);
        }
        self.spent += 1;
        self.spent <= COMPILED_PER_SECOND
    }
}

fn mismatch(error: &ValidationError<'_>) -> Mismatch {
    let mut pointer = Pointer::new_from(error.instance_path().as_str());
    if let Some(member) = member(error.kind()) {
        pointer.push(member);
    }
    Mismatch { pointer: pointer.into_text(), keyword: error.kind().keyword().to_owned() }
}

/// The member that is missing, or is there and should not be.
fn member(kind: &ValidationErrorKind) -> Option<&str> {
    match kind {
        ValidationErrorKind::Required { property } => property.as_str(),
        ValidationErrorKind::AdditionalProperties { unexpected }
        | ValidationErrorKind::UnevaluatedProperties { unexpected } => {
            unexpected.first().map(String::as_str)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = r##"{
        "$schema": "http://json-schema.org/draft-07/schema#",
        "definitions": {
            "user": { "type": "object", "required": ["login"] },
            "issues$opened": {
                "required": ["issue"],
                "properties": { "sender": { "$ref": "#/definitions/user" } }
            },
            "issues_event": { "properties": { "action": { "enum": ["opened", "closed"] } } },
            "push$event": { "properties": { "ref": { "type": "string" } } },
            "odd/name~$event": { "type": "array" }
        },
        "type": "object"
    }"##;

    fn check(event_type: &str, payload: &str, expected: Result<(), (&str, &str)>) {
        let schema = Arc::new(Schema::parse(FILE.as_bytes(), UnknownMembers::Allow).unwrap());
        let schemas = Schemas::new(vec![("*".to_owned(), schema)]);
        let payload = serde_json::from_str(payload).unwrap();
        let when = (true, Timestamp(0));
        let held = Validators::default().hold(&schemas, event_type, &payload, when);
        let Held::Checked(found) = held else { panic!("{held:?}") };
        let found = found.as_ref().map_err(|found| (&*found.pointer, &*found.keyword));
        assert_eq!(found, expected.as_ref().map_err(|expected| *expected), "{payload}");
    }

    #[test]
    fn the_definition_of_an_event_is_found_by_its_name() {
        check("issues", r#"{"action":"opened","issue":1}"#, Ok(()));
        check("issues", r#"{"action":"opened"}"#, Err(("/issue", "required")));
        check(
            "issues",
            r#"{"action":"opened","issue":1,"sender":{}}"#,
            Err(("/sender/login", "required")),
        );
        check("issues", r#"{"action":"closed"}"#, Ok(()));
        check("issues", r#"{"action":"other"}"#, Err(("/action", "enum")));
        check("push", r#"{"ref":7}"#, Err(("/ref", "type")));
        check("odd/name~", "[]", Ok(()));
        check("unknown", "{}", Ok(()));
        check("unknown", "[]", Err(("", "type")));
    }

    #[test]
    fn unknown_members_are_a_fault_where_they_are_to_be_reported() {
        let text = br#"{"properties":{"a":{"properties":{"b":{}},"additionalProperties":false}}}"#;
        let held = |unknown| {
            let schema = Arc::new(Schema::parse(text, unknown).unwrap());
            let schemas = Schemas::new(vec![("*".to_owned(), schema)]);
            let payload = json!({ "a": { "b": 1, "c": 2 } });
            Validators::default().hold(&schemas, "push", &payload, (true, Timestamp(0)))
        };
        let (pointer, keyword) = ("/a/c".to_owned(), "additionalProperties".to_owned());
        assert_eq!(held(UnknownMembers::Allow), Held::Checked(Ok(())));
        let fault = Mismatch { pointer, keyword };
        assert_eq!(held(UnknownMembers::Report), Held::Checked(Err(fault)));
    }

    #[test]
    fn what_is_no_schema_is_refused() {
        let refused = |text: &str| {
            Schema::parse(text.as_bytes(), UnknownMembers::Report).unwrap_err().to_string()
        };
        assert!(refused("{").contains("no JSON"));
        assert!(refused(r#"{"type":"strin"}"#).contains("strin"));
        let remote = refused(r#"{"$ref":"https://example.com/a.json"}"#);
        assert!(remote.contains("https://example.com/a.json"), "{remote}");
        assert!(remote.contains("nothing is fetched"), "{remote}");
        assert!(
            refused(r#"{"$defs":{"a":{"$ref":"file:///etc/passwd"}}}"#).contains("/etc/passwd")
        );
        assert!(refused(r##"{"$ref":"#/$defs/missing"}"##).contains("missing"));
    }

    /// A schema with a definition for each of fifty events, and their names.
    fn fifty_events() -> (Vec<String>, Schemas) {
        let names: Vec<_> = (0..50).map(|number| format!("e{number}")).collect();
        let definitions: serde_json::Map<_, _> =
            names.iter().map(|name| (name.clone(), json!({ "type": "object" }))).collect();
        let text = json!({ "$defs": definitions }).to_string();
        let schema = Arc::new(Schema::parse(text.as_bytes(), UnknownMembers::Allow).unwrap());
        (names, Schemas::new(vec![("*".to_owned(), schema)]))
    }

    #[test]
    fn a_flood_of_event_types_is_not_compiled() {
        let (names, schemas) = fifty_events();
        let mut validators = Validators::default();
        let mut hold =
            |name: &str, now| validators.hold(&schemas, name, &json!({}), (true, Timestamp(now)));
        let busy = names.iter().filter(|name| hold(name, 0) == Held::Busy).count();
        assert_eq!(busy, 40);
        assert_eq!(hold("e0", 0), Held::Checked(Ok(())));
        assert_eq!(hold("e49", SECOND), Held::Checked(Ok(())));
    }

    #[test]
    fn what_nobody_vouches_for_has_nothing_compiled() {
        let (names, schemas) = fifty_events();
        let mut validators = Validators::default();
        let mut hold = |name: &str, teaches| {
            validators.hold(&schemas, name, &json!({}), (teaches, Timestamp(0)))
        };
        assert!(names.iter().all(|name| hold(name, false) == Held::NotCompiled));
        // Nothing of the second is spent, and what is compiled serves all.
        assert_eq!(hold("e7", true), Held::Checked(Ok(())));
        assert_eq!(hold("e7", false), Held::Checked(Ok(())));
    }
}
