//! Shapes as the octets that outlive a restart.
//!
//! All numbers are LEB128, seven bits an octet and the lowest first: most are small. A node is its
//! flags, its kinds, its numbers, its members with their names, and what stands in its list. It
//! must not know what is concluded from a shape, nor how a file keeps octets whole.

use super::shape::{Kinds, MAX_MEMBERS, MAX_NAME_BYTES, MAX_NODES, Node, Shape};

/// Levels that are read: as many as a document that was learnt from can have, and one that says so
/// of itself cannot make the reader overflow its stack.
const MAX_LEVELS: u32 = 128;

/// Octets of the longest number: 64 bits, seven at a time.
const MAX_NUMBER: u32 = u64::BITS.div_ceil(7);

// What a node has, one bit each.
const IS_TABLE: u8 = 1;
const HAS_ITEM: u8 = 2;

/// Octets of a node at most, without its name: its flags and kinds, four numbers of 32 bits, how
/// many members it has, and how long its name is.
const MAX_NODE_BYTES: usize = 2 + 4 * MAX_SMALL + 2 + 1;

/// Octets of the numbers of a whole shape at most.
const MAX_NUMBERS_BYTES: usize = MAX_SMALL + 2 * MAX_NUMBER as usize;

/// Octets of the longest number of 32 bits.
const MAX_SMALL: usize = u32::BITS.div_ceil(7) as usize;

/// Octets that [`write`] appends at most, whatever the counts in `shape` come to.
pub(super) fn most_octets(shape: &Shape) -> usize {
    MAX_NUMBERS_BYTES + most_octets_of_node(&shape.root)
}

fn most_octets_of_node(node: &Node) -> usize {
    let member = |(name, member): &(Box<str>, Node)| name.len() + most_octets_of_node(member);
    let members: usize = node.members.iter().map(member).sum();
    MAX_NODE_BYTES + members + node.item.as_deref().map_or(0, most_octets_of_node)
}

/// Appends `shape`.
pub(super) fn write(shape: &Shape, octets: &mut Vec<u8>) {
    for number in [shape.seen.into(), shape.smallest, shape.largest] {
        write_number(number, octets);
    }
    write_node(&shape.root, octets);
}

/// The shape at the start of `octets`, which are left behind it; `None` where there is none.
pub(super) fn read(octets: &mut &[u8]) -> Option<Shape> {
    let seen = read_small(octets)?;
    let (smallest, largest) = (read_number(octets)?, read_number(octets)?);
    let mut nodes = 0;
    let root = read_node(octets, &mut nodes, MAX_LEVELS)?;
    // The root is not counted: it is always there.
    Some(Shape { seen, nodes: nodes - 1, smallest, largest, root })
}

fn write_node(node: &Node, octets: &mut Vec<u8>) {
    let has_item = if node.item.is_some() { HAS_ITEM } else { 0 };
    let flags = if node.is_table { IS_TABLE } else { 0 };
    octets.extend([flags | has_item, node.kinds.0]);
    for number in [node.seen, node.deliveries, node.last, node.objects] {
        write_number(number.into(), octets);
    }
    write_number(node.members.len() as u64, octets);
    for (name, member) in &node.members {
        write_number(name.len() as u64, octets);
        octets.extend(name.as_bytes());
        write_node(member, octets);
    }
    if let Some(item) = &node.item {
        write_node(item, octets);
    }
}

fn read_node(octets: &mut &[u8], nodes: &mut u32, levels: u32) -> Option<Node> {
    *nodes += 1;
    let levels = levels.checked_sub(1).filter(|_| *nodes <= MAX_NODES + 1)?;
    let [flags, kinds] = *octets.split_off(..2)?.as_array()?;
    let [seen, deliveries, last, objects] = {
        let mut next = || read_small(octets);
        [next()?, next()?, next()?, next()?]
    };
    let members = read_number(octets)?;
    if members > MAX_MEMBERS as u64 {
        return None;
    }
    let member = |_| Some((read_name(octets)?, read_node(octets, nodes, levels)?));
    let members = (0..members).map(member).collect::<Option<_>>()?;
    let item = match flags & HAS_ITEM {
        0 => None,
        _ => Some(Box::new(read_node(octets, nodes, levels)?)),
    };
    let (kinds, is_table) = (Kinds(kinds), flags & IS_TABLE != 0);
    Some(Node { seen, deliveries, last, objects, kinds, is_table, members, item })
}

fn read_name(octets: &mut &[u8]) -> Option<Box<str>> {
    let length = usize::try_from(read_number(octets)?).ok()?;
    let name = octets.split_off(..length).filter(|_| length <= MAX_NAME_BYTES)?;
    std::str::from_utf8(name).ok().map(Box::from)
}

fn write_number(mut number: u64, octets: &mut Vec<u8>) {
    while number > 0x7f {
        octets.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    octets.push(number.to_le_bytes()[0]);
}

fn read_number(octets: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for place in 0..MAX_NUMBER {
        let octet = *octets.split_off_first()?;
        number |= u64::from(octet & 0x7f).checked_shl(7 * place)?;
        if octet < 0x80 {
            return Some(number);
        }
    }
    None
}

fn read_small(octets: &mut &[u8]) -> Option<u32> {
    u32::try_from(read_number(octets)?).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn learnt(payloads: &[Value]) -> Shape {
        let mut shape = Shape::default();
        payloads.iter().for_each(|payload| shape.learn(payload, payload.to_string().len() as u64));
        shape
    }

    fn written(shape: &Shape) -> Vec<u8> {
        let mut octets = Vec::new();
        write(shape, &mut octets);
        octets
    }

    /// Payloads of some depth and width.
    fn payloads() -> impl Strategy<Value = Vec<Value>> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            "\\PC{0,4}".prop_map(Value::from),
        ];
        let tree = leaf.prop_recursive(4, 40, 6, |inner| {
            let name = "[a-e]{1,2}|\\PC{0,3}";
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::hash_map(name, inner, 0..6)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        });
        prop::collection::vec(tree, 1..6)
    }

    proptest! {
        #[test]
        fn octets_hold_all_of_it(payloads in payloads()) {
            let shape = learnt(&payloads);
            let octets = written(&shape);
            let mut rest = &octets[..];
            prop_assert!(octets.len() <= most_octets(&shape));
            prop_assert_eq!(read(&mut rest), Some(shape));
            prop_assert!(rest.is_empty());
            for end in 0..octets.len() {
                prop_assert_eq!(read(&mut &octets[..end]), None);
            }
        }

        #[test]
        fn damaged_octets_are_bounded(payloads in payloads(), at: usize, octet: u8) {
            let mut octets = written(&learnt(&payloads));
            let at = at % octets.len();
            octets[at] = octet;
            if let Some(shape) = read(&mut &octets[..]) {
                prop_assert!(shape.nodes <= MAX_NODES);
                // What is no longer what was learnt can still be learnt from and asked.
                let mut shape = shape;
                payloads.iter().for_each(|payload| {
                    shape.drifts(payload, 7, 1);
                    shape.learn(payload, 7);
                });
            }
        }

        #[test]
        fn any_octets_are_no_panic(octets: Vec<u8>) {
            read(&mut &octets[..]);
        }
    }

    #[test]
    fn no_count_makes_a_shape_longer_than_is_said() {
        let name = "n".repeat(MAX_NAME_BYTES).into_boxed_str();
        let (seen, deliveries, last, objects) = (u32::MAX, u32::MAX, u32::MAX, u32::MAX);
        let node = Node { seen, deliveries, last, objects, ..Node::default() };
        let members = vec![(name, node.clone()); MAX_MEMBERS];
        let root = Node { members, item: Some(Box::new(node.clone())), ..node };
        let shape = Shape { seen, nodes: 0, smallest: u64::MAX, largest: u64::MAX, root };
        // What has no members and no name says so in an octet less.
        let less = MAX_MEMBERS + 1 + 2;
        assert_eq!(written(&shape).len(), most_octets(&shape) - less);
    }

    #[test]
    fn a_chain_of_lists_without_end_is_refused() {
        let node = [HAS_ITEM, 16, 1, 1, 1, 0, 0];
        let mut octets = vec![1, 1, 1];
        (0..100_000).for_each(|_| octets.extend(node));
        assert_eq!(read(&mut &octets[..]), None);
        let deep = (0..100).fold(json!(1), |inner, _| json!([inner]));
        let shape = learnt(&[deep]);
        assert_eq!(read(&mut &written(&shape)[..]), Some(shape));
    }
}
