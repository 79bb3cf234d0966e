//! The shape that deliveries of one kind have had so far: names, types and sizes, and no values.
//!
//! It must not know which deliveries are fit to learn from.

use std::fmt;

use serde_json::Value;

use super::pointer::Pointer;

/// Nodes of one shape. GitHub's largest events have some 600; at some 100 octets each a shape
/// takes 200 KiB at most.
pub(super) const MAX_NODES: u32 = 2_048;

/// Members of one object that are told apart. An object of more is a table whose names are data.
pub(super) const MAX_MEMBERS: usize = 128;

/// Octets of a name that is told apart. What is longer is no name that a program was written for.
pub(super) const MAX_NAME_BYTES: usize = 64;

/// How many times larger than the largest, or smaller than the smallest, a payload may be: lists
/// in it have one entry today and many tomorrow.
const SIZE_SLACK: u64 = 8;

/// Differences that are named of one delivery; the first ones say what happened.
const MAX_DRIFTS: usize = 4;

/// What deliveries of one kind have had in common.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Shape {
    /// Deliveries that it was learnt from.
    pub(super) seen: u32,
    pub(super) nodes: u32,
    pub(super) smallest: u64,
    pub(super) largest: u64,
    pub(super) root: Node,
}

/// What has stood at one place.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Node {
    /// Times a value stood here, and deliveries in which one did.
    pub(super) seen: u32,
    pub(super) deliveries: u32,
    /// The number of the delivery that was counted last.
    pub(super) last: u32,
    /// Times that value was an object.
    pub(super) objects: u32,
    pub(super) kinds: Kinds,
    /// Whether the names of its members are not told apart.
    pub(super) is_table: bool,
    pub(super) members: Vec<(Box<str>, Node)>,
    /// What has stood in a list here, at whichever index.
    pub(super) item: Option<Box<Node>>,
}

/// Types of JSON, as a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Kinds(pub(super) u8);

/// How a delivery differs from those before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Drift {
    /// A member where the members have always been the same.
    New(String),
    /// A member that was always there is not.
    Missing(String),
    /// A value of another type.
    Type(String, Kinds, Kinds),
    /// So many octets, far from what they were: the smallest and the largest.
    Size(u64, u64, u64),
}

impl Kinds {
    const NULL: Self = Self(1);
    const NAMES: [&'static str; 6] = ["null", "boolean", "number", "string", "list", "object"];

    fn of(value: &Value) -> Self {
        Self(match value {
            Value::Null => 1,
            Value::Bool(_) => 2,
            Value::Number(_) => 4,
            Value::String(_) => 8,
            Value::Array(_) => 16,
            Value::Object(_) => 32,
        })
    }

    /// The set without null, which stands for what is left out.
    fn known(self) -> Self {
        Self(self.0 & !Self::NULL.0)
    }

    fn fits(self, other: Self) -> bool {
        other == Self::NULL || self.known().0 == 0 || self.0 & other.0 != 0
    }
}

impl fmt::Display for Kinds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = Self::NAMES.iter().enumerate().filter(|(bit, _)| self.0 >> bit & 1 == 1);
        let names: Vec<_> = names.map(|(_, name)| *name).collect();
        f.write_str(&names.join(" or "))
    }
}

impl fmt::Display for Drift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::New(place) => write!(f, "{place} was never there"),
            Self::Missing(place) => write!(f, "{place} was always there and is missing"),
            Self::Type(place, before, now) => {
                write!(f, "{place} is of type {now} and was of type {before}")
            }
            Self::Size(octets, smallest, largest) => {
                write!(f, "it has {octets} octets, and others had {smallest} to {largest}")
            }
        }
    }
}

impl Shape {
    /// How `payload`, of so many octets, differs, once `enough` deliveries were learnt from.
    pub(super) fn drifts(&self, payload: &Value, octets: u64, enough: u32) -> Vec<Drift> {
        let mut drifts = Vec::new();
        if self.seen < enough {
            return drifts;
        }
        let too_small = octets.saturating_mul(SIZE_SLACK) < self.smallest;
        if too_small || octets / SIZE_SLACK > self.largest {
            drifts.push(Drift::Size(octets, self.smallest, self.largest));
        }
        let mut search = Search { enough, pointer: Pointer::default(), drifts };
        search.look(&self.root, payload);
        search.drifts
    }

    /// Learns from `payload`, of so many octets.
    pub(super) fn learn(&mut self, payload: &Value, octets: u64) {
        self.smallest = if self.seen == 0 { octets } else { self.smallest.min(octets) };
        self.largest = self.largest.max(octets);
        self.seen = self.seen.saturating_add(1);
        self.root.learn(payload, self.seen, &mut self.nodes);
    }
}

impl Node {
    fn learn(&mut self, value: &Value, delivery: u32, nodes: &mut u32) {
        self.seen = self.seen.saturating_add(1);
        if self.last != delivery {
            self.last = delivery;
            self.deliveries = self.deliveries.saturating_add(1);
        }
        self.kinds = Kinds(self.kinds.0 | Kinds::of(value).0);
        match value {
            Value::Object(members) => {
                self.objects = self.objects.saturating_add(1);
                for (index, (name, value)) in members.iter().enumerate() {
                    if let Some(member) = self.member_to_learn(index, name, nodes) {
                        member.learn(value, delivery, nodes);
                    }
                }
            }
            Value::Array(items) if !items.is_empty() && *nodes < MAX_NODES => {
                *nodes += u32::from(self.item.is_none());
                let node = self.item.get_or_insert_default();
                items.iter().for_each(|item| node.learn(item, delivery, nodes));
            }
            _ => {}
        }
    }

    /// The member of this name, made when it is new; `None` when names are not told apart here.
    fn member_to_learn(&mut self, hint: usize, name: &str, nodes: &mut u32) -> Option<&mut Self> {
        if self.is_table {
            return None;
        }
        if let Some(place) = self.position(hint, name) {
            return Some(&mut self.members[place].1);
        }
        let has_room = self.members.len() < MAX_MEMBERS && *nodes < MAX_NODES;
        if !has_room || name.len() > MAX_NAME_BYTES {
            self.is_table = true;
            self.members = Vec::new();
            return None;
        }
        *nodes += 1;
        self.members.push((name.into(), Self::default()));
        self.members.last_mut().map(|(_, node)| node)
    }

    /// Where the member of this name is; most stand in the same order every time.
    fn position(&self, hint: usize, name: &str) -> Option<usize> {
        let is_it = |(known, _): &(Box<str>, Self)| **known == *name;
        if self.members.get(hint).is_some_and(is_it) {
            return Some(hint);
        }
        self.members.iter().position(is_it)
    }

    /// Whether every object here had this member.
    fn always_has(&self, member: &Self) -> bool {
        member.seen == self.objects
    }
}

/// The look for differences, at one place.
struct Search {
    enough: u32,
    pointer: Pointer,
    drifts: Vec<Drift>,
}

impl Search {
    fn look(&mut self, node: &Node, value: &Value) {
        if node.deliveries < self.enough || self.drifts.len() >= MAX_DRIFTS {
            return;
        }
        let kind = Kinds::of(value);
        if !node.kinds.fits(kind) {
            return self.drifts.push(Drift::Type(self.place(), node.kinds.known(), kind));
        }
        match value {
            Value::Object(members) if !node.is_table => self.look_at_members(node, members),
            Value::Array(items) => {
                let Some(item) = &node.item else { return };
                for (index, value) in items.iter().enumerate() {
                    self.at(&index.to_string(), |search| search.look(item, value));
                }
            }
            _ => {}
        }
    }

    fn look_at_members(&mut self, node: &Node, members: &serde_json::Map<String, Value>) {
        if node.objects == 0 {
            return;
        }
        // Where members come and go, another one that comes is no news.
        let is_fixed = node.members.iter().all(|(_, member)| node.always_has(member));
        let mut always = node.members.iter().filter(|(_, member)| node.always_has(member)).count();
        for (index, (name, value)) in members.iter().enumerate() {
            match node.position(index, name) {
                Some(place) => {
                    let known = &node.members[place].1;
                    always -= usize::from(node.always_has(known));
                    self.at(name, |search| search.look(known, value));
                }
                None if is_fixed => self.at(name, |search| search.say(Drift::New)),
                None => {}
            }
        }
        if always > 0 {
            let missing = node
                .members
                .iter()
                .filter(|(name, member)| node.always_has(member) && !members.contains_key(&**name));
            for (name, _) in missing {
                self.at(name, |search| search.say(Drift::Missing));
            }
        }
    }

    fn at(&mut self, step: &str, look: impl FnOnce(&mut Self)) {
        let mark = self.pointer.push(step);
        look(self);
        self.pointer.back(mark);
    }

    fn say(&mut self, drift: fn(String) -> Drift) {
        if self.drifts.len() < MAX_DRIFTS {
            self.drifts.push(drift(self.place()));
        }
    }

    fn place(&self) -> String {
        self.pointer.clone().into_text()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::webhook::payload::kept;

    /// What is said of the last of these payloads, after each of the others ten times.
    fn check(before: &[&str], last: &str, expected: &[&str]) {
        let mut shape = Shape::default();
        let mut learn = |text: &str| {
            let payload = serde_json::from_str(text).unwrap();
            // What outlives a restart is enough to go on with.
            let mut octets = Vec::new();
            kept::write(&shape, &mut octets);
            shape = kept::read(&mut &octets[..]).unwrap();
            shape.learn(&payload, text.len() as u64);
        };
        (0..10).for_each(|_| before.iter().for_each(|text| learn(text)));
        let payload = serde_json::from_str(last).unwrap();
        let drifts = shape.drifts(&payload, last.len() as u64, 10);
        let said: Vec<_> = drifts.iter().map(ToString::to_string).collect();
        assert_eq!(said, expected, "{last}");
        shape.learn(&payload, last.len() as u64);
        assert_eq!(shape.drifts(&payload, last.len() as u64, 10), [], "{last} is news again");
    }

    #[test]
    fn differences() {
        let usual = r#"{"id":1,"user":{"login":"a"},"tags":["x"]}"#;
        check(&[usual], usual, &[]);
        check(&[usual], r#"{"tags":[],"id":2.5,"user":{"login":""}}"#, &[]);
        check(
            &[usual],
            r#"{"id":1,"user":{"login":"a","admin":true},"tags":["x"]}"#,
            &["/user/admin was never there"],
        );
        check(
            &[usual],
            r#"{"id":1,"user":{},"tags":["x"]}"#,
            &["/user/login was always there and is missing"],
        );
        check(
            &[usual],
            r#"{"id":"1","user":{"login":"a"},"tags":["x",{}]}"#,
            &[
                "/id is of type string and was of type number",
                "/tags/1 is of type object and was of type string",
            ],
        );
        let long = format!(r#"{{"id":1,"user":{{"login":"{}"}},"tags":[]}}"#, "a".repeat(400));
        check(&[usual], &long, &["it has 438 octets, and others had 42 to 42"]);
        check(&[&long], usual, &["it has 42 octets, and others had 438 to 438"]);
    }

    #[test]
    fn what_comes_and_goes_is_no_news() {
        let both = [r#"{"a":1,"b":{"c":null}}"#, r#"{"a":1}"#];
        check(&both, r#"{"a":1,"d":1}"#, &[]);
        check(&both, r#"{"a":null,"b":{"c":"x"}}"#, &[]);
        check(&both, r#"{"a":1,"b":null}"#, &[]);
        check(&both, r#"{"b":{"c":1}}"#, &["/a was always there and is missing"]);
        check(&[r#"{"l":[{"a":1},{"a":1,"b":2}]}"#], r#"{"l":[{"a":1}]}"#, &[]);
    }

    #[test]
    fn too_few_say_nothing() {
        let mut shape = Shape::default();
        // Many items of one delivery are one delivery.
        let payload = serde_json::json!({ "list": vec![serde_json::json!({ "a": 1 }); 50] });
        (0..9).for_each(|_| shape.learn(&payload, 10));
        let other = serde_json::json!({ "list": [{ "b": 1 }] });
        assert_eq!(shape.drifts(&other, 10, 10), []);
        shape.learn(&payload, 10);
        assert_eq!(shape.drifts(&other, 10, 10).len(), 2);
    }

    #[test]
    fn bounds() {
        let object = |count: usize| {
            let members = (0..count).map(|number| (format!("k{number}"), Value::Null));
            Value::Object(members.collect())
        };
        let mut shape = Shape::default();
        (0..10).for_each(|_| shape.learn(&object(MAX_MEMBERS + 1), 10));
        assert!(shape.root.is_table && shape.root.members.is_empty());
        assert_eq!(shape.drifts(&object(5), 10, 10), []);
        let mut shape = Shape::default();
        let wide = Value::Array(vec![object(MAX_MEMBERS); 3]);
        let deep = (0..40).fold(Value::Null, |inner, number| {
            let mut outer = object(MAX_MEMBERS - 1);
            outer[format!("d{number}")] = inner;
            outer
        });
        shape.learn(&wide, 10);
        shape.learn(&deep, 10);
        assert!(shape.nodes <= MAX_NODES, "{}", shape.nodes);
    }
}
