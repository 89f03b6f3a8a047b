//! The identity of a node: where it stands in the tree.
//!
//! A path such as `/pipeline/ingest` names a child in metrics, events, logs and errors. It stays
//! the same over every restart, unlike an actor id or a task id, so it is the only identity that
//! leaves the process. The root of a tree is `/` followed by the name of its supervisor.

use std::fmt;
use std::sync::Arc;

use thiserror::Error;

/// The longest name of a child, in bytes.
///
/// A path is a metric label and a log field; Prometheus and most log stores stay comfortable well
/// above this, people reading a table do not.
pub const MAX_NAME_BYTES: usize = 128;

/// Names a node of the tree by the names that lead to it.
///
/// Cloning is one reference count. Two trees in one process may hold equal paths.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(transparent))]
pub struct Path(Arc<str>);

impl Path {
    /// Makes the path of a root from its name; the name has been validated.
    pub(crate) fn root(name: &str) -> Self {
        Self(Arc::from(format!("/{name}")))
    }

    /// Makes the path of a child below this node; the name has been validated.
    pub(crate) fn join(&self, name: &str) -> Self {
        Self(Arc::from([&*self.0, "/", name].concat()))
    }

    /// Returns the whole path, as `/pipeline/ingest`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the last part: the name of the child itself.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or(&self.0)
    }

    /// Tells whether this node is `ancestor` or stands below it.
    #[must_use]
    pub fn is_within(&self, ancestor: &Self) -> bool {
        self.is_at_or_below(ancestor.as_str())
    }

    /// The same for an ancestor that is a text: `/pipeline` is one of `/pipeline/ingest`, not of
    /// `/pipelines`.
    pub(crate) fn is_at_or_below(&self, ancestor: &str) -> bool {
        self.0
            .strip_prefix(ancestor)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl PartialEq<str> for Path {
    fn eq(&self, other: &str) -> bool {
        &*self.0 == other
    }
}

impl PartialEq<&str> for Path {
    fn eq(&self, other: &&str) -> bool {
        &*self.0 == *other
    }
}

/// Says why a name can't be part of a path.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum InvalidName {
    /// The name has no characters.
    #[error("a name can't be empty")]
    Empty,
    /// The name is longer than [`MAX_NAME_BYTES`].
    #[error("the name has {bytes} bytes, more than the {MAX_NAME_BYTES} allowed")]
    TooLong {
        /// How long the name is.
        bytes: usize,
    },
    /// The name holds a character that would not survive as part of a path, a label or a URL.
    #[error("the name {name:?} holds {character:?}; use letters, digits, '-', '_', '.' and ':'")]
    Character {
        /// The name as it was given.
        name: String,
        /// The first character that is not allowed.
        character: char,
    },
}

impl InvalidName {
    /// Returns the cause as a stable lower-case word.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Empty => "empty_name",
            Self::TooLong { .. } => "long_name",
            Self::Character { .. } => "invalid_character",
        }
    }
}

/// Checks that a name can be part of a path.
pub(crate) fn validate_name(name: &str) -> Result<(), InvalidName> {
    if name.is_empty() {
        return Err(InvalidName::Empty);
    }
    if name.len() > MAX_NAME_BYTES {
        return Err(InvalidName::TooLong { bytes: name.len() });
    }
    let foreign = |c: &char| !(c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | ':'));
    match name.chars().find(foreign) {
        Some(character) => Err(InvalidName::Character {
            name: name.to_owned(),
            character,
        }),
        // `.` and `..` would be eaten by every URL library before they reach `/tree/<path>`.
        None if matches!(name, "." | "..") => Err(InvalidName::Character {
            name: name.to_owned(),
            character: '.',
        }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::{InvalidName, MAX_NAME_BYTES, Path, validate_name};

    #[test]
    fn a_path_ends_in_its_own_name() {
        let path = Path::root("pipeline").join("ingest");
        assert_eq!(path, "/pipeline/ingest");
        assert_eq!(path.name(), "ingest");
    }

    #[test]
    fn a_longer_name_is_not_an_ancestor() {
        let root = Path::root("pipe");
        assert!(root.join("a").is_within(&root));
        assert!(root.is_within(&root));
        assert!(!Path::root("pipeline").is_within(&root));
    }

    #[test]
    fn names_that_would_break_a_path_are_refused() {
        for bad in ["a/b", "a b", "a\n", "..", "."] {
            assert!(
                matches!(validate_name(bad), Err(InvalidName::Character { .. })),
                "{bad:?}"
            );
        }
        assert_eq!(validate_name(""), Err(InvalidName::Empty));
        let long = "x".repeat(MAX_NAME_BYTES + 1);
        assert!(matches!(
            validate_name(&long),
            Err(InvalidName::TooLong { .. })
        ));
        for good in ["ingest", "conn-17", "127.0.0.1:514", "größe"] {
            assert_eq!(validate_name(good), Ok(()), "{good:?}");
        }
    }
}
