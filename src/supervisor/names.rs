//! Which child of a supervisor has which name.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::{Hash, Hasher};

use super::children::Key;
use crate::path::Path;

/// For look-ups only; nothing iterates over it.
#[derive(Debug, Default)]
pub(super) struct Names(HashMap<LastPart, Key>);

/// A path as the name that it ends in: the text is the path's own.
#[derive(Debug)]
struct LastPart(Path);

impl Names {
    pub(super) fn insert(&mut self, path: Path, key: Key) {
        self.0.insert(LastPart(path), key);
    }

    pub(super) fn remove(&mut self, name: &str) {
        self.0.remove(name);
    }

    pub(super) fn get(&self, name: &str) -> Option<Key> {
        self.0.get(name).copied()
    }
}

impl Borrow<str> for LastPart {
    fn borrow(&self) -> &str {
        self.0.name()
    }
}

impl Hash for LastPart {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.name().hash(state);
    }
}

impl PartialEq for LastPart {
    fn eq(&self, other: &Self) -> bool {
        self.0.name() == other.0.name()
    }
}

impl Eq for LastPart {}
