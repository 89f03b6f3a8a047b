//! The queue behind a worker's inbox.
//!
//! Ours, and not a channel's: so that depth, bound and age of the oldest are exact, many messages
//! can be taken at once, and what is left at the end of a run is counted. A stop is a flag in the
//! same place as the messages, so that receiving takes one lock and registers nothing else.
//!
//! # Invariants
//!
//! 1. No message is dropped, and nobody woken, while the lock is held: both may run user code.
//! 2. A message is in the queue, or was taken out, or was counted as lost. Never two of these.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use tokio::task::coop;
use tokio::time::Instant;

use super::address::Refused;
use super::ledger::Ledger;
use crate::exit::catch_blocking;
use crate::sync::{Mutex, MutexGuard, lock};
use crate::time::coarse;

/// The messages that wait for one run of a worker.
#[derive(Debug)]
pub(crate) struct Queue<M> {
    state: Mutex<State<M>>,
    capacity: usize,
    ledger: Arc<Ledger>,
}

/// Messages with the instant at which they were sent, oldest first.
pub(crate) type Messages<M> = VecDeque<(Instant, M)>;

#[derive(Debug)]
struct State<M> {
    waiting: Messages<M>,
    receiver: Option<Waker>,
    /// When messages were taken that the receiver is at, by the coarse clock; 0 while it is at none.
    taken: u64,
    admission: Admission,
    is_stopped: bool,
    /// What was taken last and is timed, if it is, and how many messages that were.
    timed: Option<(Instant, u32)>,
}

/// Whether messages come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Admission {
    Open,
    /// The run finishes what it has accepted.
    Draining,
    /// The run has given up its inbox, or has ended.
    Ended,
}

impl<M> Queue<M> {
    pub(super) fn new(capacity: usize, ledger: &Arc<Ledger>) -> Self {
        let state = State {
            waiting: Messages::new(),
            receiver: None,
            taken: 0,
            admission: Admission::Open,
            is_stopped: false,
            timed: None,
        };
        Self {
            state: Mutex::new(state),
            capacity,
            ledger: Arc::clone(ledger),
        }
    }

    /// Queues a message, or gives it back.
    pub(super) fn push(&self, message: M) -> Result<(), Refused<M>> {
        let now = Instant::now();
        let mut state = lock(&self.state);
        match state.admission {
            Admission::Open if state.waiting.len() < self.capacity => {}
            Admission::Open => return Err(Refused::Full(message)),
            Admission::Draining => return Err(Refused::Draining(message)),
            Admission::Ended => return Err(Refused::Ended(message)),
        }
        state.waiting.push_back((now, message));
        wake(state);
        Ok(())
    }

    /// Takes over messages that were accepted before this run; leaves them if it is closed.
    ///
    /// Wakes nobody: call [`rouse`](Self::rouse) when no lock is held any more.
    pub(super) fn take_over(&self, held: &mut Messages<M>) {
        let mut state = lock(&self.state);
        if state.admission == Admission::Open {
            state.waiting.append(held);
        }
    }

    /// Wakes the receiver.
    pub(super) fn rouse(&self) {
        wake(lock(&self.state));
    }

    /// Waits for a message; ready with `None` when no more come, or a stop was asked for.
    pub(super) fn poll_one(&self, cx: &mut Context<'_>) -> Poll<Option<M>> {
        let take = |waiting: &mut Messages<M>| waiting.pop_front().map(|(_, message)| message);
        self.poll_taking(cx, 1, take).map(Option::flatten)
    }

    /// Waits for messages and appends at most `limit` of them.
    pub(super) fn poll_many(
        &self,
        cx: &mut Context<'_>,
        into: &mut Vec<M>,
        limit: usize,
    ) -> Poll<usize> {
        let take = |waiting: &mut Messages<M>| {
            let count = waiting.len().min(limit);
            into.extend(waiting.drain(..count).map(|(_, message)| message));
            count
        };
        self.poll_taking(cx, limit, take)
            .map(Option::unwrap_or_default)
    }

    fn poll_taking<T>(
        &self,
        cx: &mut Context<'_>,
        limit: usize,
        take: impl FnOnce(&mut Messages<M>) -> T,
    ) -> Poll<Option<T>> {
        // As tokio's own channels: a worker whose queue never empties still yields to its siblings.
        let budget = ready!(coop::poll_proceed(cx));
        let mut state = lock(&self.state);
        if state.timed.is_some() {
            self.record(&mut state);
        }
        let before = state.waiting.len();
        if state.is_stopped || (before == 0 && state.admission != Admission::Open) {
            budget.made_progress();
            return Poll::Ready(None);
        }
        if before == 0 {
            // Who is woken has not received anything yet, however long it takes until it runs.
            state.taken = 0;
            let is_known = |known: &Waker| known.will_wake(cx.waker());
            let stale = if state.receiver.as_ref().is_some_and(is_known) {
                None
            } else {
                state.receiver.replace(cx.waker().clone())
            };
            drop(state);
            drop(stale);
            return Poll::Pending;
        }
        state.taken = coarse();
        let taken = take(&mut state.waiting);
        let count = before.min(limit);
        if self.ledger.take(count) {
            begin_to_time(&mut state, count);
        }
        drop(state);
        self.ledger.make_room(count);
        budget.made_progress();
        Poll::Ready(Some(taken))
    }

    /// Records how long the messages took that were taken last: the receiver asks for the next.
    #[cold]
    fn record(&self, state: &mut State<M>) {
        if let Some((timed, messages)) = state.timed.take() {
            self.ledger.took(timed.elapsed() / messages);
        }
    }

    /// Takes a message if one waits, whatever was asked of the run.
    pub(super) fn try_one(&self) -> Option<M> {
        let mut state = lock(&self.state);
        let first = state.waiting.pop_front();
        // Who asks for more and finds none waits for it.
        state.taken = if first.is_some() { coarse() } else { 0 };
        let (_, message) = first?;
        self.ledger.take(1);
        drop(state);
        self.ledger.make_room(1);
        Some(message)
    }

    /// Lets nothing in any more; what waits can still be received.
    pub(crate) fn drain(&self) {
        self.close(Admission::Draining);
    }

    /// Says that the run can't be sent to any more; what waits can still be received.
    pub(crate) fn close_for_good(&self) {
        self.close(Admission::Ended);
    }

    fn close(&self, admission: Admission) {
        let mut state = lock(&self.state);
        if state.admission != Admission::Ended {
            state.admission = admission;
        }
        wake(state);
    }

    /// Makes the receiver end at once, ahead of what waits.
    pub(crate) fn stop(&self) {
        let mut state = lock(&self.state);
        state.is_stopped = true;
        wake(state);
    }

    /// Drops what waits and counts it as lost: nobody receives any more.
    pub(super) fn end(&self) {
        let mut state = lock(&self.state);
        state.admission = Admission::Ended;
        let left = std::mem::take(&mut state.waiting);
        let receiver = state.receiver.take();
        drop(state);
        self.ledger.lose(left.len());
        // Those who wait for room look again, and find the run ended.
        self.ledger.make_room(usize::MAX);
        drop(receiver);
        drop_each(left);
    }

    /// Returns since when the receiver has been at what it took, without asking for more; `None` while
    /// it waits for messages. In a drain or after a stop there are none to ask for.
    pub(super) fn busy_since(&self) -> Option<u64> {
        let state = lock(&self.state);
        let is_over = state.is_stopped || state.admission != Admission::Open;
        (state.taken > 0 && !is_over).then_some(state.taken)
    }

    /// Returns how many messages wait, and when the oldest was sent.
    pub(super) fn waiting(&self) -> (usize, Option<Instant>) {
        let state = lock(&self.state);
        (
            state.waiting.len(),
            state.waiting.front().map(|(at, _)| *at),
        )
    }
}

/// Drops messages that nobody receives, one by one: the drop of a whole queue goes on after a panic,
/// and a second one would end the process.
pub(super) fn drop_each<M>(messages: Messages<M>) {
    for message in messages {
        if let Err(panic) = catch_blocking(|| drop(message)) {
            tracing::error!(%panic, "a message that nobody received panicked when it was dropped");
        }
    }
}

/// Times the messages that were taken just now.
#[cold]
fn begin_to_time<M>(state: &mut State<M>, messages: usize) {
    let messages = u32::try_from(messages).unwrap_or(u32::MAX);
    state.timed = Some((Instant::now(), messages));
}

/// Releases the lock, then wakes the receiver (invariant 1).
fn wake<M>(mut state: MutexGuard<'_, State<M>>) {
    let receiver = state.receiver.take();
    drop(state);
    if let Some(receiver) = receiver {
        receiver.wake();
    }
}
