//! Lays one document over another.

use std::sync::Arc;

use super::document::{Node, Table, Value};

/// Lays `over` on `base`: tables are merged key by key, anything else of `over` takes the place of what
/// was there. An array is one value: half of a list from one file and half from another is nobody's.
pub(crate) fn overlay(base: &mut Table, over: Table) {
    for (name, node) in over {
        match (base.get_mut(&name), node) {
            (
                Some(Node {
                    value: Value::Table(below),
                    ..
                }),
                Node {
                    value: Value::Table(above),
                    ..
                },
            ) => overlay(Arc::make_mut(below), Arc::unwrap_or_clone(above)),
            (_, node) => {
                base.insert(name, node);
            }
        }
    }
}

/// Lists the dotted keys whose values differ, in alphabetical order. A table that is only in one of the
/// two is listed key by key too.
pub(crate) fn differences(before: &Table, after: &Table) -> Vec<String> {
    let mut found = Vec::new();
    compare("", before, after, &mut found);
    found
}

fn compare(above: &str, before: &Table, after: &Table, found: &mut Vec<String>) {
    let empty = Table::new();
    let names: std::collections::BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    for name in names {
        let (old, new) = (before.get(name), after.get(name));
        if old == new {
            continue;
        }
        let key = super::reader::join(above, name);
        let tables = (
            old.map(|old| (old, old.table())),
            new.map(|new| (new, new.table())),
        );
        match tables {
            (Some((_, Some(old))), Some((_, Some(new)))) => compare(&key, old, new, found),
            (Some((_, Some(only))), None) if !only.is_empty() => compare(&key, only, &empty, found),
            (None, Some((_, Some(only)))) if !only.is_empty() => compare(&key, &empty, only, found),
            _ => found.push(key),
        }
    }
}

#[cfg(test)]
mod tests;
