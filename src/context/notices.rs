//! What runs tell their supervisor while it watches them.
//!
//! A queue of its own and not a channel, whose bound would have to be waited for: each run says a few
//! things once, and of several extensions in a row only the last is kept, so what waits is bounded by
//! what the supervisor itself began, by how often its children extend in turns, and by what is added
//! below a supervisor. Beside them stands at most one who waits for each run.
//!
//! # Invariants
//!
//! 1. A run that waits to be heard goes on when the supervisor asks for what comes after it.
//! 2. A supervisor that has spent its cooperative budget goes behind the others in the queue, where any
//!    worker may take it ([`give_way`]).

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
    /// Its task, with its state and its subtasks, is no more.
    Over,
    /// A supervisor is over, but for tasks that hang.
    LeftHung,
    /// What a supervisor has below it now needs another time to stop.
    StopNeed(StopNeed),
    /// It put its deadline off.
    Extended(Instant),
    /// How it is has changed; told once until it was read.
    Health,
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
    queue: VecDeque<Said>,
    supervisor: Option<Waker>,
}

#[derive(Debug)]
enum Said {
    Notice(Notice),
    /// Who waits until all that was said before has been heard.
    Heard(Waker),
}

impl Said {
    /// Returns the notice; wakes who only waits for its turn.
    fn into_notice(self) -> Option<Notice> {
        match self {
            Self::Notice(notice) => Some(notice),
            Self::Heard(waiting) => {
                waiting.wake();
                None
            }
        }
    }
}

impl Notices {
    pub(super) fn push(&self, notice: Notice) {
        let supervisor = {
            let mut waiting = lock(&self.0);
            match (waiting.queue.back_mut(), notice.news) {
                // Only the last of several extensions counts.
                (Some(Said::Notice(last)), News::Extended(_))
                    if matches!(last.news, News::Extended(_))
                        && (last.key, last.incarnation) == (notice.key, notice.incarnation) =>
                {
                    *last = notice;
                }
                _ => waiting.queue.push_back(Said::Notice(notice)),
            }
            waiting.supervisor.take()
        };
        if let Some(supervisor) = supervisor {
            supervisor.wake();
        }
    }

    /// Ends the caller's poll, as a rule until all that was said so far has been taken. When it has been
    /// already, the caller goes on at once: then the supervisor runs on another thread.
    pub(super) async fn heard(&self) {
        let mut has_waited = false;
        poll_fn(|cx| {
            if std::mem::replace(&mut has_waited, true) {
                return Poll::Ready(());
            }
            let waiting = &mut *lock(&self.0);
            if waiting.queue.is_empty() {
                return Poll::Ready(());
            }
            // Cloned under the lock: it is the waker of a task of tokio's, which counts a reference.
            let waker = cx.waker().clone();
            waiting.queue.push_back(Said::Heard(waker));
            Poll::Pending
        })
        .await;
    }

    /// Takes the next notice if there is one.
    #[cfg(all(test, shuttle))]
    pub(crate) fn try_next(&self) -> Option<Notice> {
        let said = |waiting: &mut Waiting| waiting.queue.pop_front();
        std::iter::from_fn(|| said(&mut lock(&self.0))).find_map(Said::into_notice)
    }

    /// Takes the next notice of one run, past all else that waits.
    pub(crate) fn take_of(&self, key: u64, incarnation: u64) -> Option<Notice> {
        let is_its = |said: &Said| match said {
            Said::Notice(notice) => (notice.key, notice.incarnation) == (key, incarnation),
            Said::Heard(_) => false,
        };
        let queue = &mut lock(&self.0).queue;
        let place = queue.iter().position(is_its)?;
        queue.remove(place)?.into_notice()
    }

    /// Waits for the next notice. There is one who waits: another one takes its place.
    pub(crate) async fn next(&self) -> Notice {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    fn poll_next(&self, cx: &mut Context<'_>) -> Poll<Notice> {
        // In a storm there is always a next one: the tasks that it concerns have to run too.
        ready!(poll_to_give_way(cx));
        let budget = ready!(coop::poll_proceed(cx));
        loop {
            let mut waiting = lock(&self.0);
            let Some(said) = waiting.queue.pop_front() else {
                let stale = waiting.supervisor.replace(cx.waker().clone());
                drop(waiting);
                drop(stale);
                return Poll::Pending;
            };
            drop(waiting);
            if let Some(notice) = said.into_notice() {
                budget.made_progress();
                return Poll::Ready(notice);
            }
        }
    }
}

/// Ends the poll when the cooperative budget is spent.
///
/// By itself, and not as tokio's own primitives do: what these put off waits in a list of that one worker,
/// which nobody can take from, and a child that was just woken or started from here may block that worker.
pub(crate) async fn give_way() {
    poll_fn(poll_to_give_way).await;
}

fn poll_to_give_way(cx: &mut Context<'_>) -> Poll<()> {
    if coop::has_budget_remaining() {
        return Poll::Ready(());
    }
    cx.waker().wake_by_ref();
    Poll::Pending
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use futures_util::FutureExt as _;
    use tokio::task::yield_now;

    use super::{News, Notice, Notices};

    fn notice(key: u64) -> Notice {
        Notice {
            key,
            incarnation: 1,
            news: News::Started,
        }
    }

    #[tokio::test]
    async fn who_waits_to_be_heard_goes_on_when_all_before_is_taken_and_the_next_is_asked_for() {
        let notices = Arc::new(Notices::default());
        assert!(notices.heard().now_or_never().is_some(), "nothing was said");
        notices.push(notice(1));
        notices.push(notice(2));
        let waiting = tokio::spawn({
            let notices = Arc::clone(&notices);
            async move { notices.heard().await }
        });
        for key in 1..=2 {
            yield_now().await;
            assert!(!waiting.is_finished());
            assert_eq!(notices.next().await, notice(key));
        }
        assert!(notices.next().now_or_never().is_none());
        waiting.await.expect("no panic");
    }

    #[tokio::test]
    async fn what_one_run_said_is_taken_past_those_who_wait() {
        let notices = Notices::default();
        notices.push(notice(1));
        assert!(notices.heard().now_or_never().is_none());
        notices.push(notice(2));
        assert_eq!(notices.take_of(2, 1), Some(notice(2)));
        assert_eq!(notices.take_of(2, 1), None);
        assert_eq!(notices.next().await, notice(1));
    }
}
