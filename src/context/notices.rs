//! What runs tell their supervisor while it watches them.
//!
//! A queue of its own and not a channel, whose bound would have to be waited for: each run says a few
//! things once, and of several extensions in a row only the last is kept, so what waits is bounded by
//! what the supervisor itself began, by how often its children extend in turns, and by what is added
//! below a supervisor.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::task::{Context, Poll, Waker, ready};

use tokio::task::coop;
use tokio::time::Instant;

use crate::shutdown::plan::StopNeed;
use crate::sync::{Mutex, lock};

/// What a run tells its supervisor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum News {
    /// Its start is acknowledged.
    Started,
    /// Its own task has ended; subtasks of it still run.
    Ending,
    /// Its task, with its state and its subtasks, is no more. Not told by all kinds of children.
    Over,
    /// A supervisor is over, but for tasks that hang.
    LeftHung,
    /// What a supervisor has below it now needs another time to stop.
    StopNeed(StopNeed),
    /// It put its deadline off.
    Extended(Instant),
}

/// The news of one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Notice {
    pub(crate) key: u64,
    pub(crate) incarnation: u64,
    pub(crate) news: News,
}

/// Notices on their way to the supervisor, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Notices(Mutex<Waiting>);

#[derive(Debug, Default)]
struct Waiting {
    queue: VecDeque<Notice>,
    supervisor: Option<Waker>,
}

impl Notices {
    pub(super) fn push(&self, notice: Notice) {
        let supervisor = {
            let mut waiting = lock(&self.0);
            match (waiting.queue.back_mut(), notice.news) {
                // Only the last of several extensions counts.
                (Some(last), News::Extended(_))
                    if matches!(last.news, News::Extended(_))
                        && (last.key, last.incarnation) == (notice.key, notice.incarnation) =>
                {
                    *last = notice;
                }
                _ => waiting.queue.push_back(notice),
            }
            waiting.supervisor.take()
        };
        if let Some(supervisor) = supervisor {
            supervisor.wake();
        }
    }

    /// Takes the next notice if there is one.
    #[cfg(all(test, shuttle))]
    pub(crate) fn try_next(&self) -> Option<Notice> {
        lock(&self.0).queue.pop_front()
    }

    /// Takes the next notice of one run, past all else that waits.
    pub(crate) fn take_of(&self, key: u64, incarnation: u64) -> Option<Notice> {
        let is_its = |notice: &Notice| (notice.key, notice.incarnation) == (key, incarnation);
        let queue = &mut lock(&self.0).queue;
        let place = queue.iter().position(is_its)?;
        queue.remove(place)
    }

    /// Waits for the next notice. There is one who waits: another one takes its place.
    pub(crate) async fn next(&self) -> Notice {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    fn poll_next(&self, cx: &mut Context<'_>) -> Poll<Notice> {
        // In a storm there is always a next one: the tasks that it concerns have to run too.
        let budget = ready!(coop::poll_proceed(cx));
        let mut waiting = lock(&self.0);
        if let Some(notice) = waiting.queue.pop_front() {
            budget.made_progress();
            return Poll::Ready(notice);
        }
        let stale = waiting.supervisor.replace(cx.waker().clone());
        drop(waiting);
        drop(stale);
        Poll::Pending
    }
}
