//! Checks a declared tree as a whole before anything starts.

use std::collections::HashSet;

use thiserror::Error;

use super::children::Policy;
use super::{Node, NodeKind, Supervisor};
use crate::child::Kind;
use crate::path::{InvalidName, Path, validate_name};
use crate::policy::auto_shutdown::AutoShutdown;
use crate::policy::intensity::Intensity;
use crate::policy::limit::OnLimit;
use crate::policy::restart::{Restart, Strategy};
use crate::policy::stop::Stop;

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
    /// Something was asked of a node that can't be had there.
    #[error("{path}: {what}")]
    Unsupported {
        /// The node.
        path: Path,
        /// What does not go together, and what to do.
        what: &'static str,
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
            Self::Unsupported { .. } => "unsupported",
            Self::SharedHandle { .. } => "shared_handle",
        }
    }
}

/// Checks a whole tree.
pub(crate) fn validate(root: &Supervisor) -> Result<(), InvalidTree> {
    check_name("/", &root.name)?;
    supervisor_at(root, &Path::root(&root.name))
}

/// Checks what a supervisor asks of itself and of one child.
fn check_policies(supervisor: &Supervisor, node: &Node, path: &Path) -> Result<(), InvalidTree> {
    let policy = Policy::of(node, supervisor);
    let what = match &policy {
        policy if policy.is_significant && policy.restart == Restart::Permanent => {
            "a permanent child never ends for good and can't be significant; make it transient"
        }
        policy if policy.is_significant && supervisor.auto_shutdown == AutoShutdown::Never => {
            "a significant child needs a supervisor with auto_shutdown"
        }
        policy if policy.on_limit == OnLimit::Quarantine && supervisor.strategy.is_group() => {
            "a child of a group can't be quarantined; choose Escalate or Throttle"
        }
        policy if policy.on_limit == OnLimit::Throttle && policy.backoff.is_limited() => {
            "Throttle never gives up; take the attempts out of the backoff, or choose Quarantine"
        }
        policy if has_no_period(policy.limit) => NO_PERIOD,
        policy if policy.on_limit == OnLimit::Throttle && admits_nothing(policy.limit) => {
            "a limit of 0 admits no restart, so that Throttle would wait for ever"
        }
        policy
            if policy.stop == Stop::Drain && !matches!(policy.kind, Kind::Actor | Kind::Worker) =>
        {
            "only actors and workers have something to drain"
        }
        policy if policy.stop == Stop::Brutal && policy.kind == Kind::Blocking => {
            "a thread can't be killed; choose Stop::Ask"
        }
        _ => return Ok(()),
    };
    let path = path.clone();
    Err(InvalidTree::Unsupported { path, what })
}

/// Source: OTP's `supervisor`, which refuses a period of 0 too.
const NO_PERIOD: &str =
    "a period of nothing holds no restart, so that the limit would never be reached";

fn has_no_period(limit: Option<Intensity>) -> bool {
    limit.is_some_and(|limit| limit.period.is_zero())
}

fn admits_nothing(limit: Option<Intensity>) -> bool {
    limit.is_some_and(|limit| limit.restarts == 0)
}

/// Checks a node that is added while its supervisor runs. A leaf without a name will be numbered.
pub(super) fn validate_node(node: &Node, parent: &str) -> Result<(), InvalidTree> {
    if !node.name().is_empty() {
        check_name(parent, node.name())?;
    }
    node_at(node, &path_of_added(node))
}

/// Checks what that node asks of the supervisor to which it is added.
pub(super) fn validate_under(supervisor: &Supervisor, node: &Node) -> Result<(), InvalidTree> {
    check_policies(supervisor, node, &path_of_added(node))
}

fn path_of_added(node: &Node) -> Path {
    match node.name() {
        "" => Path::root("(unnamed)"),
        name => Path::root(name),
    }
}

fn supervisor_at(supervisor: &Supervisor, path: &Path) -> Result<(), InvalidTree> {
    if supervisor.strategy == Strategy::Dynamic && !supervisor.children.is_empty() {
        return Err(InvalidTree::ChildrenOfDynamic { path: path.clone() });
    }
    let what = match supervisor.on_limit {
        _ if has_no_period(supervisor.intensity) => NO_PERIOD,
        OnLimit::Quarantine if supervisor.strategy.is_group() => {
            "the children of a group can't be quarantined; choose Escalate or Throttle"
        }
        OnLimit::Throttle if admits_nothing(supervisor.intensity) => {
            "an intensity of 0 admits no restart, so that Throttle would wait for ever"
        }
        _ => "",
    };
    if !what.is_empty() {
        let path = path.clone();
        return Err(InvalidTree::Unsupported { path, what });
    }
    let mut names = HashSet::new();
    for node in &supervisor.children {
        check_name(path.as_str(), node.name())?;
        let below = path.join(node.name());
        if !names.insert(node.name()) {
            return Err(InvalidTree::DuplicateName { path: below });
        }
        check_policies(supervisor, node, &below)?;
        node_at(node, &below)?;
    }
    Ok(())
}

fn node_at(node: &Node, path: &Path) -> Result<(), InvalidTree> {
    match &node.0 {
        NodeKind::Leaf(leaf) if leaf.treatment().explicit_ready && node.kind() == Kind::Step => {
            let what = "a step has started when it has finished; it can't say so earlier";
            let path = path.clone();
            Err(InvalidTree::Unsupported { path, what })
        }
        NodeKind::Leaf(leaf) if leaf.launch.shares_its_handle() => {
            Err(InvalidTree::SharedHandle { path: path.clone() })
        }
        NodeKind::Leaf(_) => Ok(()),
        NodeKind::Supervisor(supervisor) => supervisor_at(supervisor, path),
    }
}

fn check_name(parent: &str, name: &str) -> Result<(), InvalidTree> {
    validate_name(name).map_err(|source| InvalidTree::Name {
        parent: parent.to_owned(),
        source,
    })
}
