//! One node of a declared tree: a leaf with what it runs, or a supervisor.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::Supervisor;
use crate::child::{Child, Declared, Kind, Launch};
use crate::exit::catch_blocking;
use crate::handle::AnyAddress;
use crate::health::{Duty, HealthCheck};
use crate::policy::stop::DEFAULT_STOP_RESERVE;
use crate::shutdown::plan::Floors;

/// One node of a declared tree. Made from a [`Child`] or a [`Supervisor`] by
/// [`Supervisor::child`].
#[derive(Debug)]
pub struct Node(pub(crate) NodeKind);

#[derive(Clone)]
pub(crate) enum NodeKind {
    Leaf(Arc<Declared<dyn Launch>>),
    Supervisor(Arc<Supervisor>),
}

impl Node {
    /// Returns the name that ends the node's path.
    #[must_use]
    pub fn name(&self) -> &str {
        match &self.0 {
            NodeKind::Leaf(leaf) => &leaf.specification.name,
            NodeKind::Supervisor(supervisor) => &supervisor.name,
        }
    }

    pub(crate) fn kind(&self) -> Kind {
        match &self.0 {
            NodeKind::Leaf(leaf) => leaf.specification.kind,
            NodeKind::Supervisor(_) => Kind::Supervisor,
        }
    }

    /// Returns what was declared of it beside how it is run.
    pub(crate) fn duty(&self) -> Option<Arc<Duty>> {
        match &self.0 {
            NodeKind::Leaf(leaf) => leaf.treatment().duty.clone(),
            NodeKind::Supervisor(supervisor) => supervisor.duty.clone(),
        }
    }

    /// Returns the check that runs beside it, if it has one.
    pub(crate) fn health_check(&self) -> Option<&HealthCheck> {
        match &self.0 {
            // A step is over when it is up.
            NodeKind::Leaf(leaf) if leaf.specification.kind != Kind::Step => {
                leaf.treatment().health_check.as_ref()
            }
            _ => None,
        }
    }

    /// Returns where its messages go, if it is of a kind that receives any.
    pub(super) fn mailbox(&self) -> Option<Arc<dyn AnyAddress>> {
        match &self.0 {
            NodeKind::Leaf(leaf) if matches!(self.kind(), Kind::Actor | Kind::Worker) => {
                leaf.launch.address()
            }
            _ => None,
        }
    }

    pub(super) fn worst_case_stop(&self) -> Duration {
        match &self.0 {
            NodeKind::Leaf(leaf) => leaf.treatment().stop_timeout,
            NodeKind::Supervisor(supervisor) => supervisor.worst_case_stop(),
        }
    }

    /// Returns what is kept back for this node and all below it while its siblings stop.
    pub(crate) fn floors(&self) -> Floors {
        match &self.0 {
            NodeKind::Leaf(leaf) => match leaf.treatment().stop_reserve {
                Some(by_hand) => Floors {
                    by_hand,
                    ..Floors::default()
                },
                None => Floors {
                    by_default: self.worst_case_stop().min(DEFAULT_STOP_RESERVE),
                    ..Floors::default()
                },
            },
            NodeKind::Supervisor(supervisor) => supervisor.floors(),
        }
    }

    /// Says to every handle below this node that no run can follow.
    pub(crate) fn retire(&self) {
        match &self.0 {
            NodeKind::Leaf(leaf) => {
                if let Some(address) = leaf.launch.address() {
                    address.retire();
                }
            }
            NodeKind::Supervisor(supervisor) => {
                supervisor.door.close();
                supervisor.children.iter().for_each(|node| node.retire());
            }
        }
    }

    /// Drops what this node and all below it hold, one by one: it is the user's, and a second drop
    /// that panics while the first one unwinds would end the process.
    pub(crate) fn bury(self) {
        match self.0 {
            NodeKind::Leaf(mut leaf) => {
                // Another holder may let go first; then this is the last drop.
                let name = match Arc::get_mut(&mut leaf) {
                    Some(last) => std::mem::take(&mut last.specification.name),
                    None => leaf.specification.name.clone(),
                };
                let treatment = Arc::clone(&leaf.specification.treatment);
                let drops = [
                    catch_blocking(move || drop(leaf)),
                    // Its health check is the user's, too.
                    catch_blocking(move || drop(treatment)),
                ];
                for panic in drops.into_iter().filter_map(Result::err) {
                    tracing::error!(name, %panic, "what a child's declaration held panicked when it was dropped");
                }
            }
            NodeKind::Supervisor(supervisor) => {
                let children = Arc::into_inner(supervisor).map(|supervisor| supervisor.children);
                children.into_iter().flatten().for_each(Self::bury);
            }
        }
    }

    /// Returns the same node once more.
    pub(crate) fn share(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<M: Send + 'static> From<Child<M>> for Node {
    fn from(child: Child<M>) -> Self {
        Self(NodeKind::Leaf(Arc::new(child.into_declared())))
    }
}

impl From<Supervisor> for Node {
    fn from(supervisor: Supervisor) -> Self {
        Self(NodeKind::Supervisor(Arc::new(supervisor)))
    }
}

impl fmt::Debug for NodeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Leaf(leaf) => fmt::Debug::fmt(&leaf.specification, f),
            Self::Supervisor(supervisor) => fmt::Debug::fmt(supervisor, f),
        }
    }
}
