//! Opens a JSON Schema to members that it does not name: senders add members without notice, and
//! say so (<https://docs.stripe.com/api/versioning>,
//! <https://docs.github.com/rest/about-the-rest-api/breaking-changes>).
//!
//! It must not know what is held against it. What a schema accepts, it accepts when it is opened.

use serde_json::{Map, Value, json};

/// What refuses members that are not named (JSON Schema 2020-12: Core, sections 10.3.2.3 and 11.3).
const CLOSING: [&str; 2] = ["additionalProperties", "unevaluatedProperties"];

/// What refers to another schema.
const REFERRING: [&str; 3] = ["$ref", "$dynamicRef", "$recursiveRef"];

/// Keywords whose value is a schema, or a list of them, that has to accept for the whole to accept.
const SCHEMAS: [&str; 11] = [
    "additionalItems",
    "additionalProperties",
    "allOf",
    "anyOf",
    "else",
    "items",
    "oneOf",
    "prefixItems",
    "then",
    "unevaluatedItems",
    "unevaluatedProperties",
];

/// Keywords whose value has such schemas by name.
const NAMED: [&str; 6] =
    ["$defs", "definitions", "dependencies", "dependentSchemas", "patternProperties", "properties"];

/// Keywords whose schema decides which others count. One that accepts more would make the whole
/// accept less, so that they are left as they are.
const DECIDING: [&str; 3] = ["contains", "if", "not"];

/// A schema of which no part can be opened without another that has to stay as it is.
struct Entangled;

/// Drops what closes `document` to members that it does not name, at every level. One whose parts
/// cannot be told apart is left as it is.
pub(super) fn open(document: &mut Value) {
    let mut opened = document.clone();
    if open_schema(&mut opened).is_ok() {
        *document = opened;
    }
}

fn open_schema(schema: &mut Value) -> Result<(), Entangled> {
    let Value::Object(keywords) = schema else { return Ok(()) };
    if is_entangled(keywords) {
        return Err(Entangled);
    }
    for keyword in CLOSING {
        if keywords.get(keyword) == Some(&Value::Bool(false)) {
            keywords.remove(keyword);
        }
    }
    if keywords.get("oneOf").is_some_and(may_change) {
        accept_several(keywords);
    }
    for (keyword, value) in keywords {
        let keyword = keyword.as_str();
        match value {
            Value::Array(items) if SCHEMAS.contains(&keyword) => {
                items.iter_mut().try_for_each(open_schema)?;
            }
            Value::Object(named) if NAMED.contains(&keyword) => {
                named.values_mut().try_for_each(open_schema)?;
            }
            other if SCHEMAS.contains(&keyword) => open_schema(other)?,
            _ => {}
        }
    }
    Ok(())
}

/// Whether a reference leads from what is left as it is to what may be opened, or into a `oneOf`,
/// which may no longer stand there.
fn is_entangled(keywords: &Map<String, Value>) -> bool {
    keywords.iter().any(|(keyword, value)| {
        let is_deciding = DECIDING.contains(&keyword.as_str()) && refers(value);
        let is_reference = REFERRING.contains(&keyword.as_str());
        let leads_into = |to: &str| to.contains("/oneOf/");
        is_deciding || (is_reference && value.as_str().is_some_and(leads_into))
    })
}

/// Whether anything below `value` may be a reference.
fn refers(value: &Value) -> bool {
    any_member(value, &|name, _| REFERRING.contains(&name))
}

/// Whether anything below `value` may be opened, here or where it refers to.
fn may_change(value: &Value) -> bool {
    any_member(value, &|name, value| {
        let closes = CLOSING.contains(&name) && *value == Value::Bool(false);
        closes || REFERRING.contains(&name)
    })
}

fn any_member(value: &Value, is_it: &impl Fn(&str, &Value) -> bool) -> bool {
    match value {
        Value::Object(members) => {
            members.iter().any(|(name, value)| is_it(name, value) || any_member(value, is_it))
        }
        Value::Array(items) => items.iter().any(|item| any_member(item, is_it)),
        _ => false,
    }
}

/// Lets more than one alternative of `oneOf` accept: those that only members they do not name told
/// apart both do once they are opened.
fn accept_several(keywords: &mut Map<String, Value>) {
    let Some(alternatives) = keywords.remove("oneOf") else { return };
    let all = keywords.entry("allOf").or_insert_with(|| json!([]));
    if let Value::Array(all) = all {
        all.push(json!({ "anyOf": alternatives }));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn opened(mut schema: Value) -> Value {
        open(&mut schema);
        schema
    }

    #[test]
    fn what_closes_is_dropped_wherever_it_closes() {
        let check = |schema: Value, expected: Value| assert_eq!(opened(schema), expected);
        check(json!({ "additionalProperties": false }), json!({}));
        check(json!({ "unevaluatedProperties": false }), json!({}));
        check(
            json!({ "properties": { "not": { "items": { "additionalProperties": false } } } }),
            json!({ "properties": { "not": { "items": {} } } }),
        );
        // Values of any name, and of a type: that says something of what is there.
        let typed = json!({ "additionalProperties": { "type": "string" } });
        check(typed.clone(), typed);
        let data = json!({ "const": { "additionalProperties": false } });
        check(data.clone(), data);
        let named = json!({ "properties": { "additionalProperties": false } });
        check(named.clone(), named);
    }

    #[test]
    fn alternatives_stay_exclusive_where_nothing_of_them_is_opened() {
        let check = |schema: Value, expected: Value| assert_eq!(opened(schema), expected);
        let exclusive = json!({ "oneOf": [{ "required": ["a"] }, { "required": ["b"] }] });
        check(exclusive.clone(), exclusive);
        check(
            json!({ "oneOf": [{ "additionalProperties": false }, { "type": "null" }] }),
            json!({ "allOf": [{ "anyOf": [{}, { "type": "null" }] }] }),
        );
        check(
            json!({ "allOf": [{}], "oneOf": [{ "$ref": "#/$defs/a" }] }),
            json!({ "allOf": [{}, { "anyOf": [{ "$ref": "#/$defs/a" }] }] }),
        );
    }

    #[test]
    fn what_decides_is_left_as_it_is() {
        let check = |schema: Value| assert_eq!(opened(schema.clone()), schema);
        check(json!({ "not": { "additionalProperties": false } }));
        check(json!({ "if": { "additionalProperties": false }, "then": {} }));
        // What it refers to would be opened with everything else.
        check(json!({
            "not": { "$ref": "#/definitions/a" },
            "definitions": { "a": { "additionalProperties": false } }
        }));
        check(json!({
            "oneOf": [{ "additionalProperties": false }],
            "properties": { "a": { "$ref": "#/oneOf/0" } }
        }));
    }

    /// Schemas over members of few names, so that payloads meet them.
    fn schemas(reference: Value) -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(reference),
            Just(json!({ "type": "object" })),
            Just(json!({ "type": "integer" })),
            Just(json!({ "required": ["b"] })),
            Just(json!({ "additionalProperties": false, "properties": { "a": {} } })),
            Just(json!({ "additionalProperties": false, "properties": { "a": {}, "b": {} } })),
            Just(json!({ "unevaluatedProperties": false, "properties": { "b": {} } })),
        ];
        leaf.prop_recursive(4, 24, 3, |inner| {
            let list = prop::collection::vec(inner.clone(), 1..4);
            prop_oneof![
                (list, prop::sample::select(vec!["oneOf", "anyOf", "allOf"]))
                    .prop_map(|(list, keyword)| json!({ keyword: list })),
                (inner.clone(), prop::sample::select(vec!["not", "items", "contains"]))
                    .prop_map(|(schema, keyword)| json!({ keyword: schema })),
                (inner.clone(), inner.clone(), inner.clone())
                    .prop_map(|(a, b, c)| json!({ "if": a, "then": b, "else": c })),
                (inner.clone(), inner, any::<bool>(), any::<bool>()).prop_map(
                    |(a, b, is_closed, evaluated)| {
                        let mut schema = json!({ "properties": { "a": a, "b": b } });
                        if is_closed {
                            schema[CLOSING[usize::from(evaluated)]] = json!(false);
                        }
                        schema
                    }
                ),
            ]
        })
    }

    fn payloads() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![Just(json!(1)), Just(json!({})), Just(json!("x"))];
        leaf.prop_recursive(3, 12, 3, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
                prop::collection::hash_map("[a-c]", inner, 0..3).prop_map(|members| json!(members)),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_was_accepted_still_is(
            schema in schemas(json!({ "$ref": "#/definitions/a" })),
            definition in schemas(json!({})),
            payloads in prop::collection::vec(payloads(), 16),
        ) {
            let closed = json!({ "allOf": [schema], "definitions": { "a": definition } });
            let compiled = |schema: &Value| jsonschema::draft202012::new(schema).unwrap();
            let (before, after) = (compiled(&closed), compiled(&opened(closed.clone())));
            for payload in payloads {
                prop_assert!(!before.is_valid(&payload) || after.is_valid(&payload), "{}", payload);
            }
        }
    }
}
