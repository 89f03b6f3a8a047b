//! Merging, held against an obvious merge that is too slow to use.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::{Just, Strategy, prop_oneof, proptest};

use super::{differences, overlay};
use crate::config::document::{Node, Table, Value};
use crate::config::origin::Origin;

fn node(value: Value) -> Node {
    Node::new(value, Origin::Default)
}

fn tables() -> impl Strategy<Value = Table> {
    let leaf = prop_oneof![
        (0_i64..3).prop_map(|value| node(Value::Integer(value))),
        Just(node(Value::String("x".to_owned()))),
        Just(node(Value::Array(vec![node(Value::Integer(1))].into()))),
        Just(node(Value::Table(Table::new().into()))),
    ];
    let nested = leaf.prop_recursive(4, 32, 4, |inside| {
        proptest::collection::btree_map("[a-d]", inside, 0..4)
            .prop_map(|table| node(Value::Table(table.into())))
    });
    proptest::collection::btree_map("[a-d]", nested, 0..4)
}

/// Lists what a table holds as a path and a leaf each; an empty table is a leaf.
fn leaves(table: &Table) -> BTreeMap<Vec<String>, Node> {
    let mut found = BTreeMap::new();
    for (name, node) in table {
        match node.table().filter(|table| !table.is_empty()) {
            Some(inside) => {
                for (path, leaf) in leaves(inside) {
                    found.insert([vec![name.clone()], path].concat(), leaf);
                }
            }
            None => {
                found.insert(vec![name.clone()], node.clone());
            }
        }
    }
    found
}

/// Looks up what stands at a path.
fn at<'a>(table: &'a Table, path: &[String]) -> Option<&'a Node> {
    let (first, rest) = path.split_first()?;
    let node = table.get(first)?;
    if rest.is_empty() {
        Some(node)
    } else {
        at(node.table()?, rest)
    }
}

/// A leaf of the lower document stays unless the upper one has something at its path, or something that
/// is no table around it. All leaves of the upper one stay but an empty table over a table.
fn obvious(base: &Table, over: &Table) -> BTreeMap<Vec<String>, Node> {
    let mut merged = BTreeMap::new();
    for (path, leaf) in leaves(base) {
        let around = (1..path.len())
            .any(|end| at(over, &path[..end]).is_some_and(|node| node.table().is_none()));
        let is_empty_table = leaf.table().is_some();
        let replaced = match at(over, &path) {
            Some(node) => !(is_empty_table && node.table().is_some_and(Table::is_empty)),
            None => false,
        };
        if !around && !replaced {
            merged.insert(path, leaf);
        }
    }
    for (path, leaf) in leaves(over) {
        let is_empty_table = leaf.table().is_some();
        let over_a_table = at(base, &path).is_some_and(|node| node.table().is_some());
        if !(is_empty_table && over_a_table) {
            merged.insert(path, leaf);
        }
    }
    merged
}

proptest! {
    #[test]
    fn a_merged_document_equals_a_slow_obvious_merge(base in tables(), over in tables()) {
        let expected = obvious(&base, &over);
        let mut merged = base;
        overlay(&mut merged, over);
        assert_eq!(leaves(&merged), expected);
    }

    #[test]
    fn what_differs_is_what_a_comparison_of_all_leaves_finds(before in tables(), after in tables()) {
        let (old, new) = (leaves(&before), leaves(&after));
        let paths: BTreeSet<_> = old.keys().chain(new.keys()).collect();
        let differ = paths.into_iter().filter(|path| old.get(*path) != new.get(*path));
        // Where one has a value and the other a table, it is the value's path that is named; an empty
        // table and a full one differ in what the full one holds.
        let found = differences(&before, &after);
        for path in differ {
            let path = path.join(".");
            let is_inside = |one: &str, other: &str| one == other || one.starts_with(&format!("{other}."));
            let named = found.iter().any(|key| is_inside(&path, key) || is_inside(key, &path));
            assert!(named, "{path} in {found:?}");
        }
        assert_eq!(found.is_empty(), before == after);
    }

    #[test]
    fn the_same_document_twice_is_itself(table in tables()) {
        let mut merged = table.clone();
        overlay(&mut merged, table.clone());
        assert_eq!(merged, table);
    }
}
