//! How a declaration becomes a running tree.

use std::sync::Arc;

use tokio::sync::watch;

use super::StartError;
use super::end::{conclude, retire, watch_until_over};
use super::pulse::{Look, Pulse};
use super::running::{Running, Shared};
use super::watchdog;
use crate::exit::install_panic_hook;
use crate::shutdown::{EarlyNotice, ShutdownReason};
use crate::supervisor::spawn;
use crate::supervisor::{self, Ear, Node, NodeKind, Supervisor, Tree};

impl Supervisor {
    /// Validates the tree, starts it in order, and returns once every child's start was
    /// acknowledged.
    ///
    /// For a program with a tokio runtime of its own: no signals, files or ports are touched.
    ///
    /// # Errors
    ///
    /// [`StartError`]; what had started by then has been stopped in reverse order.
    ///
    /// # Panics
    ///
    /// When called outside a tokio runtime with timers.
    pub async fn start(self) -> Result<Running, StartError> {
        self.begin()?.wait_until_up().await
    }

    /// Validates the tree and begins to start it. The start goes on in the background.
    pub(crate) fn begin(self) -> Result<Begun, StartError> {
        self.begin_heard_by(EarlyNotice::default(), None)
    }

    /// The same, with what tells of its shutdown made before, and with what asks the root for one, also where the
    /// root does not come to it.
    pub(crate) fn begin_heard_by(
        self,
        notice: EarlyNotice,
        ear: Option<(Ear, Box<Look>)>,
    ) -> Result<Begun, StartError> {
        let declared = Arc::new(self);
        if let Err(refused) = check(&declared) {
            Node(NodeKind::Supervisor(declared)).retire();
            return Err(refused);
        }
        install_panic_hook();
        if cfg!(panic = "abort") {
            tracing::warn!(
                "built with panic = \"abort\": a panic ends the process and can't be supervised"
            );
        }
        let tree = Tree::new(&declared, notice);
        let wished = Arc::downgrade(&tree);
        tree.early_notice().grant_with(move || {
            if let Some(tree) = wished.upgrade() {
                tree.shut_down(ShutdownReason::Requested, tree.budget());
            }
        });
        let budget = declared.shutdown_budget;
        let (ear, look) = ear.unzip();
        let pulse = Pulse::begin(&tree, look);
        // Without a pulse nobody would look where the root does not.
        let ear = ear.filter(|_| pulse.is_some());
        let mut root = spawn::root(&tree, &declared, ear);
        let (is_up, up) = watch::channel(false);
        let (published, report) = watch::channel(None);
        let (nothing_is_left, settled) = watch::channel(false);
        let shared = Shared {
            tree: Arc::clone(&tree),
            root: Arc::clone(&root.cell),
            door: Arc::clone(&declared.door),
            run: Arc::clone(&root.run),
            up,
            report,
            settled,
            budget,
        };
        watchdog::watch(&tree);
        let watched = async move {
            let has_ended = watch_until_over(&tree, &mut root, &is_up).await;
            root.run.reaped().await;
            retire(&tree, declared, &root.run).await;
            let report = conclude(&tree, &root.cell, &root.run).await;
            drop(pulse);
            published.send_replace(Some(Arc::new(report)));
            if !has_ended {
                // It waits for what hangs below it.
                drop(root.task.await);
            }
            nothing_is_left.send_replace(true);
        };
        tokio::spawn(watched);
        Ok(Begun {
            running: Running {
                shared: Arc::new(shared),
                stops_on_drop: true,
            },
        })
    }
}

/// Checks a declaration as a whole before anything starts.
fn check(declared: &Supervisor) -> Result<(), StartError> {
    supervisor::validate(declared)?;
    // Nothing else can make a plan impossible.
    if !declared.reserve_by_hand().is_zero() {
        declared.stop_plan(declared.shutdown_budget)?;
    }
    Ok(())
}

/// A tree whose start has begun.
#[derive(Debug)]
pub(crate) struct Begun {
    running: Running,
}

impl Begun {
    #[cfg(feature = "daemon")]
    pub(crate) fn running(&self) -> &Running {
        &self.running
    }

    /// Waits until the tree is up or its start has failed.
    pub(crate) async fn wait_until_up(self) -> Result<Running, StartError> {
        let running = self.running;
        let shared = Arc::clone(&running.shared);
        let mut up = shared.up.clone();
        tokio::select! {
            biased;
            // First: a tree that was up and is over already did start.
            Ok(_up) = up.wait_for(|is_up| *is_up) => Ok(running),
            _report = running.wait() => Err(shared.start_error()),
        }
    }
}

impl Shared {
    fn start_error(&self) -> StartError {
        match self.run.take_start_failure() {
            Some(failure) => StartError::Failed {
                path: failure.path,
                exit: failure.exit,
            },
            None => StartError::ShutDown,
        }
    }
}
