use std::collections::BTreeMap;

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use serde_json::Value;

use super::*;

fn line(record: &impl Serialize) -> String {
    let mut line = Vec::new();
    write_line(record, &mut line);
    String::from_utf8(line).unwrap()
}

/// Values of every kind that records have, within one another.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 64, 8, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..8).prop_map(Value::from),
            btree_map(any::<String>(), inner, 0..8)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// What has no form in JSON, or fails while it is written.
struct Refusing;

impl Serialize for Refusing {
    fn serialize<S: ser::Serializer>(&self, encoder: S) -> Result<S::Ok, S::Error> {
        let mut list = encoder.serialize_seq(None)?;
        ser::SerializeSeq::serialize_element(&mut list, "half of it")?;
        Err(ser::Error::custom("refused"))
    }
}

#[derive(Serialize)]
struct Unit;

#[derive(Serialize)]
struct Pair(u8, char);

#[derive(Serialize)]
enum Kind {
    Plain,
    One(u8),
    Two(u8, f64),
    Named { a: Pair },
}

#[test]
fn every_kind_of_value_has_a_form() {
    let check = |record: &dyn Fn() -> String, expected: &str| assert_eq!(record(), expected);
    check(&|| line(&1.5), "1.5");
    check(&|| line(&-0.25_f32), "-0.25");
    check(&|| line(&[f64::NAN, f64::INFINITY]), "[null,null]");
    check(&|| line(&['c', '"', '\n']), r#"["c","\"","\n"]"#);
    check(&|| line(&Unit), "null");
    check(&|| line(&Pair(1, 'x')), r#"[1,"x"]"#);
    check(&|| line(&Kind::Plain), r#""Plain""#);
    check(&|| line(&Kind::One(1)), r#"{"One":1}"#);
    check(&|| line(&Kind::Two(1, 2.5)), r#"{"Two":[1,2.5]}"#);
    check(&|| line(&Kind::Named { a: Pair(1, 'x') }), r#"{"Named":{"a":[1,"x"]}}"#);
    check(&|| line(&(1, Refusing, u128::MAX)), "[1,null,null]");
    check(&|| line(&Refusing), "null");
    let odd = [(Some(1), "a"), (None, "b")];
    check(&|| line(&BTreeMap::from(odd)), r#"{"null":"b","1":"a"}"#);
    check(&|| line(&BTreeMap::from([(("k",), Refusing)])), r#"{"[\"k\"]":null}"#);
}

#[test]
fn displayed_values_are_escaped() {
    assert_eq!(line(&format_args!("{}\n{}", '"', 1)), r#""\"\n1""#);
}

proptest! {
    #[test]
    fn finite_numbers_are_read_as_they_were(number in any::<f64>()) {
        let read: Value = serde_json::from_str(&line(&number)).unwrap();
        prop_assert_eq!(read.as_f64(), number.is_finite().then_some(number));
    }

    #[test]
    fn the_usual_encoder_writes_the_same(value in value()) {
        let usual: String = serde_json::to_string(&value).unwrap().chars().map(|c| {
            let is_odd = c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
            if is_odd { format!("\\u{:04x}", u32::from(c)) } else { c.to_string() }
        }).collect();
        prop_assert_eq!(line(&value), usual);
    }
}
