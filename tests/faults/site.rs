//! Where a fault happens: the one place that panics, fails, hangs, blocks or dawdles.

use std::sync::Arc;

use perennial::{BoxError, Context};

use crate::cell::{Cell, Fault, Hook, Phase};
use crate::expected::SLOW;
use crate::gate::Gate;

/// The fault of one cell, as its child carries it.
#[derive(Clone)]
pub(crate) struct Site {
    pub(crate) cell: Cell,
    pub(crate) gate: Arc<Gate>,
}

impl Site {
    pub(crate) fn new(cell: Cell, gate: &Arc<Gate>) -> Self {
        Self {
            cell,
            gate: Arc::clone(gate),
        }
    }

    /// Tells whether the fault is in this hook of this run.
    pub(crate) fn is_at(&self, hook: Hook, cx: &Context) -> bool {
        self.cell.hook == hook && self.cell.incarnation() == cx.incarnation()
    }

    /// A hook that may have the fault.
    pub(crate) async fn at(&self, hook: Hook, cx: &Context) -> Result<(), BoxError> {
        match self.is_at(hook, cx) {
            true => self.act(cx).await,
            false => Ok(()),
        }
    }

    /// A factory that may have the fault.
    pub(crate) fn at_factory(&self, hook: Hook, cx: &Context) {
        if self.is_at(hook, cx) {
            self.enter_early(cx);
            // A factory returns no result, so that there are no cells with an error.
            drop(self.act_on_this_thread());
        }
    }

    fn enter_early(&self, cx: &Context) {
        self.gate.entered.set();
        match self.cell.phase {
            Phase::Running => cx.ready(),
            Phase::ShuttingDown if self.cell.fault != Fault::Block => self.gate.block(),
            Phase::ShuttingDown | Phase::Starting | Phase::Restarting => {}
        }
    }

    async fn act(&self, cx: &Context) -> Result<(), BoxError> {
        match self.cell.phase {
            _ if self.cell.is_early() => {
                self.enter_early(cx);
                if self.cell.phase == Phase::Running {
                    // What a run says in a poll is heard when that poll is over.
                    tokio::task::yield_now().await;
                }
            }
            _ if self.cell.is_at_the_end() => {}
            Phase::Starting | Phase::Restarting => {}
            Phase::Running => self.gate.go.wait().await,
            Phase::ShuttingDown => {
                self.gate.entered.set();
                cx.shutdown().await;
            }
        }
        match self.cell.fault {
            Fault::Hang => {
                self.gate.on.set();
                std::future::pending().await
            }
            Fault::Slow => {
                self.gate.on.set();
                tokio::time::sleep(SLOW).await;
                self.gate.over.set();
                Ok(())
            }
            Fault::Panic | Fault::Error | Fault::Block => self.act_on_this_thread(),
        }
    }

    /// The fault of code that does not await.
    pub(crate) fn act_on_this_thread(&self) -> Result<(), BoxError> {
        self.gate.on.set();
        match self.cell.fault {
            Fault::Panic => panic!("on purpose"),
            Fault::Error => return Err("on purpose".into()),
            Fault::Hang | Fault::Block | Fault::Slow => self.gate.block(),
        }
        self.gate.over.set();
        Ok(())
    }
}

/// Counts something that lives.
pub(crate) struct Alive(Arc<Gate>);

impl Alive {
    pub(crate) fn new(gate: &Arc<Gate>) -> Self {
        gate.alive.send_modify(|count| *count += 1);
        Self(Arc::clone(gate))
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.alive.send_modify(|count| *count -= 1);
    }
}

/// The state of a run; its drop may have the fault.
pub(crate) struct Held {
    site: Option<Site>,
    _alive: Alive,
}

impl Held {
    pub(crate) fn new(site: &Site, hook: Hook, cx: &Context) -> Self {
        Self {
            site: site.is_at(hook, cx).then(|| site.clone()),
            _alive: Alive::new(&site.gate),
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(site) = &self.site {
            // A drop returns nothing, so that there are no cells with an error.
            drop(site.act_on_this_thread());
        }
    }
}
