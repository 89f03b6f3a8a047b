//! Checks a declared tree as a whole before anything starts.

use std::collections::HashSet;

use thiserror::Error;

use super::{Node, NodeKind, Supervisor};
use crate::path::{InvalidName, Path, validate_name};
use crate::policy::restart::Strategy;

/// Says what is wrong with a declared tree, and at which path.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum InvalidTree {
    /// A name can't be part of a path.
    #[error("a child of {parent} can't be called that")]
    Name {
        /// The supervisor that has the child; `/` for the root itself.
        parent: String,
        /// What is wrong with the name.
        #[source]
        source: InvalidName,
    },
    /// Two children of one supervisor have the same name.
    #[error("{path} is declared twice; give one of the two another name")]
    DuplicateName {
        /// The path that both would have.
        path: Path,
    },
    /// A dynamic supervisor was declared with children.
    #[error("{path} is dynamic and can't be declared with children; start them while it runs")]
    ChildrenOfDynamic {
        /// The supervisor.
        path: Path,
    },
    /// Two children were given the same handle.
    #[error("{path} has a handle that another child has too; make one handle for each child")]
    SharedHandle {
        /// The child.
        path: Path,
    },
}

impl InvalidTree {
    /// Returns the cause as a stable lower-case word.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Name { .. } => "invalid_name",
            Self::DuplicateName { .. } => "duplicate_name",
            Self::ChildrenOfDynamic { .. } => "children_of_dynamic",
            Self::SharedHandle { .. } => "shared_handle",
        }
    }
}

/// Checks a whole tree.
pub(crate) fn validate(root: &Supervisor) -> Result<(), InvalidTree> {
    check_name("/", &root.name)?;
    supervisor_at(root, &Path::root(&root.name))
}

/// Checks a node that is added while its supervisor runs, which checks the node's own name.
pub(super) fn validate_node(node: &Node) -> Result<(), InvalidTree> {
    if node.name().is_empty() {
        // The supervisor will number it.
        return Ok(());
    }
    check_name("its supervisor", node.name())?;
    node_at(node, &Path::root(node.name()))
}

fn supervisor_at(supervisor: &Supervisor, path: &Path) -> Result<(), InvalidTree> {
    if supervisor.strategy == Strategy::Dynamic && !supervisor.children.is_empty() {
        return Err(InvalidTree::ChildrenOfDynamic { path: path.clone() });
    }
    let mut names = HashSet::new();
    for node in &supervisor.children {
        check_name(path.as_str(), node.name())?;
        let below = path.join(node.name());
        if !names.insert(node.name()) {
            return Err(InvalidTree::DuplicateName { path: below });
        }
        node_at(node, &below)?;
    }
    Ok(())
}

fn node_at(node: &Node, path: &Path) -> Result<(), InvalidTree> {
    match &node.0 {
        NodeKind::Leaf(_, launch) if launch.shares_its_handle() => {
            Err(InvalidTree::SharedHandle { path: path.clone() })
        }
        NodeKind::Leaf(..) => Ok(()),
        NodeKind::Supervisor(supervisor) => supervisor_at(supervisor, path),
    }
}

fn check_name(parent: &str, name: &str) -> Result<(), InvalidTree> {
    validate_name(name).map_err(|source| InvalidTree::Name {
        parent: parent.to_owned(),
        source,
    })
}
