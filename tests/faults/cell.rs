//! The words of the table: hooks, faults, phases, verdicts, and what follows from where a hook runs.

use std::fmt;

/// Where the fault is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hook {
    ActorFactory,
    TaskFactory,
    PreStart,
    PostStart,
    Handle,
    HandleSupervisorEvt,
    PostStop,
    WorkerBody,
    TaskBody,
    StepBody,
    BlockingBody,
    TaskSubtask,
    ActorSubtask,
    ActorState,
    TaskState,
}

/// What goes wrong there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    Panic,
    Error,
    /// Awaits for ever.
    Hang,
    /// Blocks its thread until the test is over.
    Block,
    /// Takes its time, but less than any limit. What can't await blocks its thread for a while.
    Slow,
}

impl Fault {
    pub(crate) const ALL: [Self; 5] = [
        Self::Panic,
        Self::Error,
        Self::Hang,
        Self::Block,
        Self::Slow,
    ];
}

/// When it goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// In the first run, before its start is acknowledged.
    Starting,
    /// After its start was acknowledged.
    Running,
    /// In the second run, before its start is acknowledged.
    Restarting,
    /// After the child was asked to stop.
    ShuttingDown,
}

impl Phase {
    pub(crate) const ALL: [Self; 4] = [
        Self::Starting,
        Self::Running,
        Self::Restarting,
        Self::ShuttingDown,
    ];
}

/// What that comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The cell can't exist, because of this.
    Never(&'static str),
    /// The run ends with this exit; what is permanent begins anew, but for a failed initial start.
    Ends(&'static str),
    /// Marked as hung before anybody asks it to stop, and never replaced while its task lives.
    Hangs,
    /// Nothing happens until the child is asked to stop, which has this outcome.
    Lives(&'static str),
}

/// One cell of the table.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cell {
    pub(crate) hook: Hook,
    pub(crate) fault: Fault,
    pub(crate) phase: Phase,
    pub(crate) verdict: Verdict,
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            hook,
            fault,
            phase,
            verdict,
        } = self;
        write!(f, "{hook:?} × {fault:?} × {phase:?} → {verdict:?}")
    }
}

impl Cell {
    /// Tells whether the hook runs before a start can be acknowledged in the ordinary way. While
    /// running such a cell says `ready()` first; and its fault is always in a second run, because
    /// the first must be up before the test can watch it.
    pub(crate) fn is_early(&self) -> bool {
        matches!(
            self.hook,
            Hook::ActorFactory | Hook::TaskFactory | Hook::PreStart | Hook::StepBody
        )
    }

    /// Tells whether the hook can't await.
    pub(crate) fn is_blocking_code(&self) -> bool {
        matches!(
            self.hook,
            Hook::ActorFactory
                | Hook::TaskFactory
                | Hook::BlockingBody
                | Hook::ActorState
                | Hook::TaskState
        )
    }

    /// Tells whether the hook runs beside the start.
    pub(crate) fn is_subtask(&self) -> bool {
        matches!(self.hook, Hook::TaskSubtask | Hook::ActorSubtask)
    }

    /// Tells whether the hook runs only at the end of a run.
    pub(crate) fn is_at_the_end(&self) -> bool {
        matches!(
            self.hook,
            Hook::PostStop | Hook::ActorState | Hook::TaskState
        )
    }

    /// Tells in which run the fault is.
    pub(crate) fn incarnation(&self) -> u64 {
        match self.phase {
            Phase::Starting => 1,
            Phase::Restarting => 2,
            Phase::Running | Phase::ShuttingDown if self.is_early() => 2,
            Phase::Running | Phase::ShuttingDown => 1,
        }
    }

    /// Tells whether the fault comes before the start is acknowledged.
    pub(crate) fn is_before_up(&self) -> bool {
        match self.phase {
            Phase::Starting | Phase::Restarting => true,
            Phase::Running => false,
            Phase::ShuttingDown => self.is_early(),
        }
    }

    /// Tells whether a run that is being started has to wait, with its thread, until the stop that
    /// cancels the start has been asked for: at an await it would be killed before its fault.
    pub(crate) fn waits_for_the_stop_on_its_thread(&self) -> bool {
        self.is_early() && self.phase == Phase::ShuttingDown
    }

    /// Tells whether the cell needs threads, and with them the real clock.
    pub(crate) fn needs_threads(&self) -> bool {
        self.fault == Fault::Block
            || self.hook == Hook::BlockingBody
            || (self.fault == Fault::Slow && self.is_blocking_code())
            || self.waits_for_the_stop_on_its_thread()
    }
}
