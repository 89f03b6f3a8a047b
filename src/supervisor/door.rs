//! A handle to a supervisor, and the door through which its commands reach the run of it that is
//! alive.
//!
//! Safe from anywhere, from inside a child too: a supervisor never waits for a child, and a child
//! that asks for its own end, or for that of a supervisor above it, is answered when the command is
//! accepted, because it can't wait for its own end.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use super::cell::Cell;
use super::status::{ChildCount, NodeStatus};
use super::{Node, validate};
use crate::command::{Ask, Command, CommandError, StartChildError};
use crate::context::Context;
use crate::exit::ErrorChain;
use crate::path::Path;
use crate::shutdown::EarlyNotice;
use crate::sync::{Mutex, lock};

/// Asks a running supervisor to do something. Clones speak of the same supervisor.
///
/// Valid before the supervisor's start and across its restarts. Commands that wait can be dropped:
/// what was asked for happens nevertheless.
#[derive(Debug, Clone)]
pub struct SupervisorHandle {
    door: Arc<Door>,
}

impl SupervisorHandle {
    pub(crate) fn new(door: &Arc<Door>) -> Self {
        Self {
            door: Arc::clone(door),
        }
    }

    /// Adds a child and starts it; returns its path once its start was acknowledged.
    ///
    /// The child becomes the last in the order. One without a name (`""`) is given a number.
    ///
    /// # Errors
    ///
    /// [`StartChildError`]; a child whose first start fails is removed again.
    ///
    /// # Cancel safety
    ///
    /// When the future is dropped after its first poll the child is started nevertheless.
    pub async fn start_child(&self, child: impl Into<Node>) -> Result<Path, StartChildError> {
        let node: Node = child.into();
        let (answer, answered) = oneshot::channel();
        let asked = || {
            let parent = self.door.path();
            let parent = parent.as_ref().map_or("its supervisor", Path::as_str);
            validate::validate_node(&node, parent).map_err(|invalid| StartChildError::Invalid {
                reason: ErrorChain::new(&invalid),
            })?;
            self.door.entrance().ok_or_else(|| self.start_refused())
        };
        let commands = match asked() {
            Ok(commands) => commands,
            Err(refused) => {
                node.retire();
                return Err(refused);
            }
        };
        let command = Command::StartChild { node, answer };
        if let Err(mpsc::error::SendError(command)) = commands.send(command).await {
            retire(&command);
            return Err(self.start_refused());
        }
        answered.await.unwrap_or(Err(StartChildError::ShuttingDown))
    }

    fn start_refused(&self) -> StartChildError {
        match self.door.is_shutting_down() {
            true => StartChildError::ShuttingDown,
            false => StartChildError::NotRunning,
        }
    }

    /// Stops a child and keeps it down; a temporary one is removed, and so is any child of a dynamic
    /// supervisor. A start or a restart that is under way is cancelled. Returns once its task has
    /// ended.
    ///
    /// # Errors
    ///
    /// [`CommandError`]; stopping what is down already is none.
    pub async fn stop_child(&self, name: &str) -> Result<(), CommandError> {
        self.ask(name, Ask::Stop).await
    }

    /// Stops a child if it runs, and starts it; returns once its start was acknowledged. Never
    /// counted by a limit.
    ///
    /// # Errors
    ///
    /// [`CommandError`]; a child whose start fails stays down.
    pub async fn restart_child(&self, name: &str) -> Result<(), CommandError> {
        self.ask(name, Ask::Restart).await
    }

    /// Removes a child that is down. A declared one is back after a restart of this supervisor.
    ///
    /// # Errors
    ///
    /// [`CommandError`].
    pub async fn delete_child(&self, name: &str) -> Result<(), CommandError> {
        self.ask(name, Ask::Delete).await
    }

    /// Starts a quarantined child, with its backoff and its own limit as if it had never failed.
    ///
    /// Its supervisor's intensity forgets nothing: one that put the child away does so again at its next
    /// failure within the period.
    ///
    /// # Errors
    ///
    /// [`CommandError`]; a child whose start fails stays down.
    pub async fn release(&self, name: &str) -> Result<(), CommandError> {
        self.ask(name, Ask::Release).await
    }

    /// Returns the children, in start order; `None` before the supervisor's first start.
    #[must_use]
    pub fn which_children(&self) -> Option<Vec<NodeStatus>> {
        Some(self.snapshot()?.children)
    }

    /// Counts the children; `None` before the supervisor's first start.
    #[must_use]
    pub fn count_children(&self) -> Option<ChildCount> {
        Some(self.snapshot()?.count_children())
    }

    /// Reads the supervisor and everything below it; `None` before its first start.
    ///
    /// Answers always, also while it starts and after it ended.
    #[must_use]
    pub fn snapshot(&self) -> Option<NodeStatus> {
        let cell = lock(&self.door.behind)
            .as_ref()
            .map(|behind| Arc::clone(&behind.cell));
        Some(cell?.read())
    }

    /// Waits for the loop to answer; `false` where no run of the supervisor takes commands.
    #[cfg(feature = "daemon")]
    pub(crate) async fn ping(&self) -> bool {
        let Some(commands) = self.door.entrance() else {
            return false;
        };
        let (answer, answered) = oneshot::channel();
        commands.send(Command::Ping(answer)).await.is_ok() && answered.await.is_ok()
    }

    async fn ask(&self, name: &str, ask: Ask) -> Result<(), CommandError> {
        let closed = || match self.door.is_shutting_down() {
            true => CommandError::ShuttingDown,
            false => CommandError::NotRunning,
        };
        let commands = self.door.entrance().ok_or_else(closed)?;
        let (answer, answered) = oneshot::channel();
        let command = Command::Child {
            name: name.to_owned(),
            ask,
            answer,
            only_accept: self.door.is_asked_from_inside(name),
        };
        let sent = commands.send(command).await;
        sent.map_err(|_refused| closed())?;
        answered.await.unwrap_or(Err(CommandError::ShuttingDown))
    }
}

/// Where a supervisor's handle finds the incarnation that runs now.
#[derive(Debug, Default)]
pub(crate) struct Door {
    behind: Mutex<Option<Behind>>,
}

#[derive(Debug)]
struct Behind {
    /// `None` while no run of the supervisor accepts commands.
    commands: Option<mpsc::Sender<Command<Node>>>,
    cell: Arc<Cell>,
    early_notice: EarlyNotice,
}

impl Door {
    /// Lets commands through to a loop.
    pub(super) fn open(
        &self,
        commands: mpsc::Sender<Command<Node>>,
        cell: &Arc<Cell>,
        early_notice: &EarlyNotice,
    ) {
        *lock(&self.behind) = Some(Behind {
            commands: Some(commands),
            cell: Arc::clone(cell),
            early_notice: early_notice.clone(),
        });
    }

    /// Refuses commands from now on.
    pub(crate) fn close(&self) {
        if let Some(behind) = &mut *lock(&self.behind) {
            behind.commands = None;
        }
    }

    fn entrance(&self) -> Option<mpsc::Sender<Command<Node>>> {
        lock(&self.behind).as_ref()?.commands.clone()
    }

    /// Tells whether the whole tree is being shut down: then that is why nothing comes through.
    fn is_shutting_down(&self) -> bool {
        let behind = lock(&self.behind);
        behind
            .as_ref()
            .is_some_and(|behind| behind.early_notice.is_under_way())
    }

    fn path(&self) -> Option<Path> {
        Some(lock(&self.behind).as_ref()?.cell.path().clone())
    }

    /// Tells whether the caller is the child of that name, or something below it.
    fn is_asked_from_inside(&self, name: &str) -> bool {
        let Some(caller) = Context::current() else {
            return false;
        };
        let behind = lock(&self.behind);
        let Some(behind) = behind.as_ref() else {
            return false;
        };
        let is_same_tree = caller
            .run()
            .early_notice()
            .is_of_same_tree(&behind.early_notice);
        is_same_tree && caller.path().is_within(&behind.cell.path().join(name))
    }
}

/// Says to the handles of a child that was never admitted that no run can follow.
pub(super) fn retire(command: &Command<Node>) {
    if let Command::StartChild { node, .. } = command {
        node.retire();
    }
}
