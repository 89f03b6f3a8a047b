//! The child with the fault: one for each kind, well-behaved but for one hook of one run.

use std::sync::Arc;

use perennial::supervisor::Node;
use perennial::{
    Actor, ActorProcessingErr, ActorRef, Backoff, BoxError, Child, Context, Inbox, SupervisionEvent,
};

use crate::cell::{Cell, Fault, Hook, Phase};
use crate::expected::RESTART_DELAY;
use crate::gate::Gate;
use crate::site::{Alive, Held, Site};

/// What an actor with a fault can be told.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Msg {
    /// Fail, so that a second run begins.
    Crash,
    /// Bring about what has the fault.
    Go,
}

/// Declares the child of a cell.
pub(crate) fn declare(cell: Cell, gate: &Arc<Gate>) -> Node {
    let site = Site::new(cell, gate);
    match cell.hook {
        Hook::TaskFactory | Hook::TaskBody | Hook::TaskSubtask | Hook::TaskState => {
            let task = Child::task("subject", move |cx| {
                site.at_factory(Hook::TaskFactory, &cx);
                body(site.clone(), cx)
            });
            with_limits(task, cell)
        }
        Hook::WorkerBody => {
            let worker = Child::worker("subject", move |cx, inbox: Inbox<Msg>| {
                let site = site.clone();
                async move {
                    let _inbox = inbox;
                    body(site, cx).await
                }
            });
            with_limits(worker, cell)
        }
        Hook::StepBody => {
            let step = Child::step("subject", move |cx| {
                let site = site.clone();
                async move {
                    let _alive = Alive::new(&site.gate);
                    site.at(Hook::StepBody, &cx).await
                }
            });
            with_limits(step, cell)
        }
        Hook::BlockingBody => with_limits(
            Child::blocking("subject", move |cx| blocking(&site, &cx)),
            cell,
        ),
        _ => {
            let address = gate.address.clone();
            let actor = Child::actor("subject", move |cx| {
                site.at_factory(Hook::ActorFactory, &cx);
                (Subject { site: site.clone() }, cx)
            });
            with_limits(actor.address(&address), cell)
        }
    }
}

fn with_limits<M: Send + 'static>(child: Child<M>, cell: Cell) -> Node {
    let limits = cell.limits();
    let child = child
        .backoff(Backoff::fixed(RESTART_DELAY))
        .start_timeout(limits.start)
        .stop_timeout(limits.stop);
    // Explicit only where the fault would come on the other side of the ordinary acknowledgement.
    let is_early_and_up = cell.is_early() && cell.phase == Phase::Running;
    let is_late_and_not_up = !cell.is_early() && cell.is_before_up();
    match is_early_and_up || is_late_and_not_up {
        true => child.explicit_ready().into(),
        false => child.into(),
    }
}

/// The body of a task or a worker.
async fn body(site: Site, cx: Context) -> Result<(), BoxError> {
    let _held = Held::new(&site, Hook::TaskState, &cx);
    site.spawn_subtask(Hook::TaskSubtask, &cx);
    site.at(Hook::TaskBody, &cx).await?;
    site.at(Hook::WorkerBody, &cx).await?;
    if site.is_at(Hook::TaskState, &cx) {
        match site.cell.phase {
            Phase::Starting | Phase::Restarting => return Ok(()),
            Phase::Running => {
                site.gate.go.wait().await;
                return Ok(());
            }
            Phase::ShuttingDown => {}
        }
    }
    site.await_subtask_before_up(Hook::TaskSubtask, &cx).await;
    cx.ready();
    tokio::select! {
        _deadline = cx.shutdown() => {}
        () = site.gate.crash.wait(), if site.has_to_crash(&cx) => return Err("the first run".into()),
    }
    site.await_subtask_at_the_end(Hook::TaskSubtask, &cx).await;
    Ok(())
}

/// The body of a thread.
fn blocking(site: &Site, cx: &Context) -> Result<(), BoxError> {
    let _alive = Alive::new(&site.gate);
    if site.is_at(Hook::BlockingBody, cx) {
        let runtime = tokio::runtime::Handle::current();
        match site.cell.phase {
            Phase::Running => runtime.block_on(site.gate.go.wait()),
            Phase::ShuttingDown => {
                site.gate.entered.set();
                runtime.block_on(cx.shutdown());
            }
            Phase::Starting | Phase::Restarting => {}
        }
        site.act_on_this_thread()?;
    }
    cx.ready();
    while !cx.wait_for_shutdown(std::time::Duration::from_millis(5)) {
        if site.has_to_crash(cx) && site.gate.crash.is_set() {
            return Err("the first run".into());
        }
    }
    Ok(())
}

/// An actor.
struct Subject {
    site: Site,
}

/// What the actor holds, and whom it supervises in ractor's own way.
struct State {
    cx: Context,
    below: ActorRef<()>,
    _held: Held,
}

/// Somebody whose end an actor hears of by `handle_supervisor_evt`.
struct Below;

impl Actor for Below {
    type Msg = ();
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<()>, (): ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }
}

impl Actor for Subject {
    type Msg = Msg;
    type State = State;
    type Arguments = Context;

    async fn pre_start(
        &self,
        myself: ActorRef<Msg>,
        cx: Context,
    ) -> Result<State, ActorProcessingErr> {
        // Whoever was asked to stop while its factory ran is killed here.
        tokio::task::yield_now().await;
        let held = Held::new(&self.site, Hook::ActorState, &cx);
        self.site.at(Hook::PreStart, &cx).await?;
        self.site.spawn_subtask(Hook::ActorSubtask, &cx);
        let (below, _task) = Below::spawn_linked(None, Below, (), myself.get_cell()).await?;
        let is_here = cx.incarnation() == self.site.cell.incarnation();
        if is_here && self.site.cell.is_before_up() {
            myself.cast(Msg::Go)?;
        }
        Ok(State {
            cx,
            below,
            _held: held,
        })
    }

    async fn post_start(
        &self,
        _: ActorRef<Msg>,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        let (site, cx) = (&self.site, &state.cx);
        site.at(Hook::PostStart, cx).await?;
        site.await_subtask_before_up(Hook::ActorSubtask, cx).await;
        let is_to_come = [
            Hook::Handle,
            Hook::HandleSupervisorEvt,
            Hook::PostStop,
            Hook::ActorState,
        ];
        let waits = is_to_come.iter().any(|hook| site.is_at(*hook, cx));
        if !(waits && site.cell.is_before_up()) {
            cx.ready();
        }
        Ok(())
    }

    async fn handle(
        &self,
        myself: ActorRef<Msg>,
        message: Msg,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        let (site, cx) = (&self.site, &state.cx);
        match (message, site.cell.hook) {
            (Msg::Crash, _) if site.has_to_crash(cx) => return Err("the first run".into()),
            (Msg::Crash, _) => {}
            (Msg::Go, Hook::Handle) => {
                site.at(Hook::Handle, cx).await?;
                cx.ready();
            }
            (Msg::Go, Hook::HandleSupervisorEvt) => state.below.stop(None),
            (Msg::Go, Hook::PostStop | Hook::ActorState) => myself.stop(None),
            (Msg::Go, _) => {}
        }
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        _: ActorRef<Msg>,
        event: SupervisionEvent,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        if matches!(event, SupervisionEvent::ActorTerminated(..)) {
            let cx = &state.cx;
            self.site.at(Hook::HandleSupervisorEvt, cx).await?;
            cx.ready();
        }
        Ok(())
    }

    async fn post_stop(
        &self,
        _: ActorRef<Msg>,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        let (site, cx) = (&self.site, &state.cx);
        site.await_subtask_at_the_end(Hook::ActorSubtask, cx).await;
        site.at(Hook::PostStop, cx).await?;
        Ok(())
    }
}

impl Site {
    /// Tells whether this run is the first of two.
    fn has_to_crash(&self, cx: &Context) -> bool {
        cx.incarnation() < self.cell.incarnation()
    }

    fn spawn_subtask(&self, hook: Hook, cx: &Context) {
        if !self.is_at(hook, cx) {
            return;
        }
        let (site, own) = (self.clone(), cx.clone());
        cx.spawn(async move {
            let _alive = Alive::new(&site.gate);
            // A subtask returns nothing, so that there are no cells with an error.
            drop(site.at(hook, &own).await);
        });
    }

    /// A subtask that fails before its child is up must be first.
    async fn await_subtask_before_up(&self, hook: Hook, cx: &Context) {
        let is_panic = self.cell.fault == Fault::Panic;
        if self.is_at(hook, cx) && self.cell.is_before_up() && is_panic {
            std::future::pending::<()>().await;
        }
    }

    /// A child that stops at once would end its subtask before that comes to its fault.
    async fn await_subtask_at_the_end(&self, hook: Hook, cx: &Context) {
        if self.is_at(hook, cx) && self.cell.phase == Phase::ShuttingDown {
            self.gate.on.wait().await;
            if self.cell.fault == Fault::Panic {
                std::future::pending::<()>().await;
            }
        }
    }
}
