//! The table: which fault in which hook, in which phase of the child's life, has which end.
//!
//! It is read as data: one row for each fault in each hook, one column for each phase. What a word
//! means in a column, as events and as time, is said once, in `expected.rs`. A cell that can't exist
//! stands in the table with the reason.

use crate::cell::{Fault, Hook, Verdict};
use Fault::{Block, Error, Hang, Panic, Slow};
use Hook::{
    ActorFactory, ActorState, ActorSubtask, BlockingBody, Handle, HandleSupervisorEvt, PostStart,
    PostStop, PreStart, StepBody, TaskBody, TaskFactory, TaskState, TaskSubtask, WorkerBody,
};
use Verdict::{Ends, Hangs, Lives, Never};

/// What one fault in one hook comes to, in the order of `Phase::ALL`: while starting, running,
/// restarting, shutting down.
pub(crate) struct Row(pub(crate) Hook, pub(crate) Fault, pub(crate) [Verdict; 4]);

const NO_RESULT: Verdict = Never("a factory returns no result");
const NO_AWAIT: Verdict = Never("it is not asynchronous: to hang is to block its thread");
const NO_OUTPUT: Verdict = Never("a subtask returns nothing");
const DROP_RETURNS_NOTHING: Verdict = Never("a drop returns nothing");
const NOT_HEARD: Verdict =
    Never("what a run says in a poll is heard when the poll is over: to its supervisor it starts");
const NEVER_RUNS_ON: Verdict = Never("a step has started when it has finished");

const PANICKED: Verdict = Ends("panicked");
const FAILED: Verdict = Ends("failed");
const TIMED_OUT: Verdict = Ends("start_timed_out");
/// It ended well, but unasked.
const NORMAL: Verdict = Ends("normal");

const STOPPED: Verdict = Lives("stopped");
const KILLED: Verdict = Lives("killed");
const HUNG: Verdict = Lives("hung");
const DOWN: Verdict = Lives("already_down");
const CLEANUP_PANICKED: Verdict = Lives("cleanup_failed: panicked");
const CLEANUP_FAILED: Verdict = Lives("cleanup_failed: failed");

/// Every cell: 15 hooks × 5 faults × 4 phases.
#[rustfmt::skip]
pub(crate) const TABLE: [Row; 75] = [
    //                           starting       running        restarting     shutting down
    Row(ActorFactory, Panic,     [PANICKED,      PANICKED,      PANICKED,      CLEANUP_PANICKED]),
    Row(ActorFactory, Error,     [NO_RESULT,     NO_RESULT,     NO_RESULT,     NO_RESULT]),
    Row(ActorFactory, Hang,      [NO_AWAIT,      NO_AWAIT,      NO_AWAIT,      NO_AWAIT]),
    Row(ActorFactory, Block,     [Hangs,         NOT_HEARD,     Hangs,         HUNG]),
    Row(ActorFactory, Slow,      [STOPPED,       STOPPED,       STOPPED,       KILLED]),

    Row(TaskFactory,  Panic,     [PANICKED,      PANICKED,      PANICKED,      CLEANUP_PANICKED]),
    Row(TaskFactory,  Error,     [NO_RESULT,     NO_RESULT,     NO_RESULT,     NO_RESULT]),
    Row(TaskFactory,  Hang,      [NO_AWAIT,      NO_AWAIT,      NO_AWAIT,      NO_AWAIT]),
    Row(TaskFactory,  Block,     [Hangs,         NOT_HEARD,     Hangs,         HUNG]),
    // Its future sees at once that it is to stop, and does so before the kill finds it at an await.
    Row(TaskFactory,  Slow,      [STOPPED,       STOPPED,       STOPPED,       STOPPED]),

    Row(PreStart,     Panic,     [PANICKED,      PANICKED,      PANICKED,      CLEANUP_PANICKED]),
    Row(PreStart,     Error,     [FAILED,        FAILED,        FAILED,        CLEANUP_FAILED]),
    Row(PreStart,     Hang,      [TIMED_OUT,     KILLED,        TIMED_OUT,     KILLED]),
    Row(PreStart,     Block,     [Hangs,         HUNG,          Hangs,         HUNG]),
    Row(PreStart,     Slow,      [STOPPED,       STOPPED,       STOPPED,       KILLED]),

    Row(PostStart,    Panic,     [PANICKED,      PANICKED,      PANICKED,      CLEANUP_PANICKED]),
    Row(PostStart,    Error,     [FAILED,        FAILED,        FAILED,        CLEANUP_FAILED]),
    Row(PostStart,    Hang,      [TIMED_OUT,     KILLED,        TIMED_OUT,     KILLED]),
    Row(PostStart,    Block,     [Hangs,         HUNG,          Hangs,         HUNG]),
    Row(PostStart,    Slow,      [STOPPED,       STOPPED,       STOPPED,       STOPPED]),

    Row(Handle,       Panic,     [PANICKED,      PANICKED,      PANICKED,      CLEANUP_PANICKED]),
    Row(Handle,       Error,     [FAILED,        FAILED,        FAILED,        CLEANUP_FAILED]),
    Row(Handle,       Hang,      [TIMED_OUT,     KILLED,        TIMED_OUT,     KILLED]),
    Row(Handle,       Block,     [Hangs,         HUNG,          Hangs,         HUNG]),
    Row(Handle,       Slow,      [STOPPED,       STOPPED,       STOPPED,       STOPPED]),

    Row(HandleSupervisorEvt, Panic, [PANICKED,   PANICKED,      PANICKED,      CLEANUP_PANICKED]),
    Row(HandleSupervisorEvt, Error, [FAILED,     FAILED,        FAILED,        CLEANUP_FAILED]),
    Row(HandleSupervisorEvt, Hang,  [TIMED_OUT,  KILLED,        TIMED_OUT,     KILLED]),
    Row(HandleSupervisorEvt, Block, [Hangs,      HUNG,          Hangs,         HUNG]),
    Row(HandleSupervisorEvt, Slow,  [STOPPED,    STOPPED,       STOPPED,       STOPPED]),

    // Before the shutdown: of an actor that stops itself.
    Row(PostStop,     Panic,     [PANICKED,      PANICKED,      PANICKED,      CLEANUP_PANICKED]),
    Row(PostStop,     Error,     [FAILED,        FAILED,        FAILED,        CLEANUP_FAILED]),
    Row(PostStop,     Hang,      [TIMED_OUT,     KILLED,        TIMED_OUT,     KILLED]),
    Row(PostStop,     Block,     [Hangs,         HUNG,          Hangs,         HUNG]),
    Row(PostStop,     Slow,      [NORMAL,        NORMAL,        NORMAL,        STOPPED]),

    Row(WorkerBody,   Panic,     [PANICKED,      PANICKED,      PANICKED,      CLEANUP_PANICKED]),
    Row(WorkerBody,   Error,     [FAILED,        FAILED,        FAILED,        CLEANUP_FAILED]),
    Row(WorkerBody,   Hang,      [TIMED_OUT,     KILLED,        TIMED_OUT,     KILLED]),
    Row(WorkerBody,   Block,     [Hangs,         HUNG,          Hangs,         HUNG]),
    Row(WorkerBody,   Slow,      [STOPPED,       STOPPED,       STOPPED,       STOPPED]),

    Row(TaskBody,     Panic,     [PANICKED,      PANICKED,      PANICKED,      CLEANUP_PANICKED]),
    Row(TaskBody,     Error,     [FAILED,        FAILED,        FAILED,        CLEANUP_FAILED]),
    Row(TaskBody,     Hang,      [TIMED_OUT,     KILLED,        TIMED_OUT,     KILLED]),
    Row(TaskBody,     Block,     [Hangs,         HUNG,          Hangs,         HUNG]),
    Row(TaskBody,     Slow,      [STOPPED,       STOPPED,       STOPPED,       STOPPED]),

    // A second run of a step is asked for by hand, and a failed one is not tried again.
    Row(StepBody,     Panic,     [PANICKED,      NEVER_RUNS_ON, PANICKED,      CLEANUP_PANICKED]),
    Row(StepBody,     Error,     [FAILED,        NEVER_RUNS_ON, FAILED,        CLEANUP_FAILED]),
    Row(StepBody,     Hang,      [TIMED_OUT,     NEVER_RUNS_ON, TIMED_OUT,     KILLED]),
    Row(StepBody,     Block,     [Hangs,         NEVER_RUNS_ON, Hangs,         HUNG]),
    Row(StepBody,     Slow,      [DOWN,          NEVER_RUNS_ON, DOWN,          KILLED]),

    Row(BlockingBody, Panic,     [PANICKED,      PANICKED,      PANICKED,      CLEANUP_PANICKED]),
    Row(BlockingBody, Error,     [FAILED,        FAILED,        FAILED,        CLEANUP_FAILED]),
    Row(BlockingBody, Hang,      [NO_AWAIT,      NO_AWAIT,      NO_AWAIT,      NO_AWAIT]),
    Row(BlockingBody, Block,     [Hangs,         HUNG,          Hangs,         HUNG]),
    Row(BlockingBody, Slow,      [STOPPED,       STOPPED,       STOPPED,       STOPPED]),

    // A subtask holds up neither the start nor the life of its child, but its end it does.
    Row(TaskSubtask,  Panic,     [PANICKED,      PANICKED,      PANICKED,      CLEANUP_PANICKED]),
    Row(TaskSubtask,  Error,     [NO_OUTPUT,     NO_OUTPUT,     NO_OUTPUT,     NO_OUTPUT]),
    Row(TaskSubtask,  Hang,      [STOPPED,       STOPPED,       STOPPED,       STOPPED]),
    Row(TaskSubtask,  Block,     [HUNG,          HUNG,          HUNG,          HUNG]),
    Row(TaskSubtask,  Slow,      [STOPPED,       STOPPED,       STOPPED,       STOPPED]),

    Row(ActorSubtask, Panic,     [PANICKED,      PANICKED,      PANICKED,      CLEANUP_PANICKED]),
    Row(ActorSubtask, Error,     [NO_OUTPUT,     NO_OUTPUT,     NO_OUTPUT,     NO_OUTPUT]),
    Row(ActorSubtask, Hang,      [STOPPED,       STOPPED,       STOPPED,       STOPPED]),
    Row(ActorSubtask, Block,     [HUNG,          HUNG,          HUNG,          HUNG]),
    Row(ActorSubtask, Slow,      [STOPPED,       STOPPED,       STOPPED,       STOPPED]),

    // Before the shutdown: of an actor that stops itself. One that blocks in a drop reads as running:
    // nothing tells that from a long computation.
    Row(ActorState,   Panic,     [PANICKED,      PANICKED,      PANICKED,      CLEANUP_PANICKED]),
    Row(ActorState,   Error,     [DROP_RETURNS_NOTHING; 4]),
    Row(ActorState,   Hang,      [NO_AWAIT; 4]),
    Row(ActorState,   Block,     [Hangs,         HUNG,          Hangs,         HUNG]),
    Row(ActorState,   Slow,      [NORMAL,        NORMAL,        NORMAL,        STOPPED]),

    // Before the shutdown: of a body that returns, which drops what it holds itself.
    Row(TaskState,    Panic,     [PANICKED,      PANICKED,      PANICKED,      CLEANUP_PANICKED]),
    Row(TaskState,    Error,     [DROP_RETURNS_NOTHING; 4]),
    Row(TaskState,    Hang,      [NO_AWAIT; 4]),
    Row(TaskState,    Block,     [Hangs,         HUNG,          Hangs,         HUNG]),
    Row(TaskState,    Slow,      [NORMAL,        NORMAL,        NORMAL,        STOPPED]),
];
