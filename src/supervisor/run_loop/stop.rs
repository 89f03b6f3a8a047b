//! How a supervisor hears that it is to stop: from above, or at the root by an ear of its own.

use std::future::poll_fn;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::Instant;

use super::RunLoop;
use crate::shutdown::ShutdownReason;
use crate::supervisor::decide::Happened;
use crate::supervisor::spawn;
use crate::time::later;

/// Why a whole tree is to stop, and in how much time.
pub(crate) type Asked = (ShutdownReason, Duration);

/// What else asks a whole tree to stop. The root itself polls it, so that no other task has to be roused
/// before, and drops it once the tree stops.
pub(crate) type Ear = Box<dyn FnMut(&mut Context<'_>) -> Poll<Asked> + Send>;

/// How long the children come first: they need some tens of microseconds, and a timer is no finer.
const SOON: Duration = Duration::from_millis(1);

/// Waits until somebody asks by an ear.
pub(super) async fn listen(ear: &mut Option<Ear>) -> Asked {
    poll_fn(|cx| match ear {
        Some(ear) => ear(cx),
        None => Poll::Pending,
    })
    .await
}

impl RunLoop {
    /// Begins the shutdown of the whole tree. The edges, the log and whoever lent the ear hear of it when the loop is
    /// roused next, at the latest after [`SOON`]: the children come first.
    pub(super) fn shut_down(&mut self, (reason, budget): Asked) {
        self.is_untold = true;
        self.tree.ask_to_stop(reason, budget);
        if let Some(deadline) = self.run.stop().deadline_before(self.told) {
            self.stop_ordered(deadline);
        }
    }

    /// Returns when the loop is to be roused although nothing happens, because somebody has to be told.
    pub(super) fn tells_by(&self) -> Option<Instant> {
        (self.asked.is_some() && self.ear.is_some()).then(|| later(Instant::now(), SOON))
    }

    pub(super) fn tell_the_rest(&mut self) {
        if self.asked.is_some() {
            // It has said all that it can.
            self.ear = None;
        }
        if std::mem::take(&mut self.is_untold) {
            self.tree.tell_outside();
            self.tree.say_what_is_unsaid();
        }
    }

    pub(super) fn stop_ordered(&mut self, deadline: Instant) {
        let now = Instant::now();
        self.told = Some(deadline);
        let first = self.asked.map_or(now, |(first, _)| first);
        self.asked = Some((first, deadline));
        let deadline = spawn::deadline_of_children(now, deadline);
        self.hear_who_is_up();
        self.happened(Happened::StopOrdered { deadline });
    }

    /// The shutdown has overtaken their word. What is up is asked to stop; what still starts is killed.
    fn hear_who_is_up(&mut self) {
        // Else what follows from it would be started first.
        if self.tree.early_notice().get().is_none() {
            return;
        }
        for (key, incarnation) in self.supervision.starting() {
            let run = self.lives.get(&key).and_then(|live| live.run.as_ref());
            if run.is_some_and(|run| run.is_acknowledged()) {
                self.happened(Happened::Started { key, incarnation });
            }
        }
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use std::future::pending;
    use std::time::Duration;

    use tokio::sync::mpsc::channel;
    use tokio::task::yield_now;

    use super::Ear;
    use crate::child::Child;
    use crate::exit::Exit;
    use crate::shutdown::{EarlyNotice, ShutdownReason};
    use crate::supervisor::Supervisor;

    const REASON: ShutdownReason = ShutdownReason::Signal(15);
    const BUDGET: Duration = Duration::from_secs(3);

    /// So long that no test gets there.
    const LONG: Duration = Duration::from_secs(3_600);

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_root_shuts_the_tree_down_when_its_ear_is_asked_and_everybody_hears_of_it() {
        let (ask, mut asked) = channel(1);
        let ear: Ear =
            Box::new(move |cx| asked.poll_recv(cx).map(|asked| asked.expect("it is open")));
        let below = Supervisor::one_for_one("below").child(Child::task("task", |cx| async move {
            cx.shutdown_began().await;
            cx.shutdown().await;
            Ok(())
        }));
        let tree = Supervisor::one_for_one("app").child(below);
        let notice = EarlyNotice::default();
        let begun = tree.begin_heard_by(notice.clone(), Some((ear, Box::new(|| {}))));
        let running = begun.expect("valid").wait_until_up().await.expect("up");
        let edges = tokio::spawn(async move { notice.begun_outside().await });
        yield_now().await;
        ask.try_send((REASON, BUDGET)).expect("the root has an ear");
        let report = running.wait().await;
        assert_eq!((report.reason, &report.exit), (REASON, &Exit::Shutdown));
        assert_eq!(report.lines().len(), 3);
        assert!(report.is_clean(), "{report}");
        let told = edges.await.expect("they are told");
        assert_eq!(told.reason, REASON);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn everybody_hears_of_it_also_while_no_child_ends() {
        let (ask, mut asked) = channel(1);
        let ear: Ear =
            Box::new(move |cx| asked.poll_recv(cx).map(|asked| asked.expect("it is open")));
        let deaf = Child::task("deaf", |_cx| pending()).stop_timeout(LONG);
        let tree = Supervisor::one_for_one("app").child(deaf);
        let notice = EarlyNotice::default();
        let begun = tree.begin_heard_by(notice.clone(), Some((ear, Box::new(|| {}))));
        let _running = begun.expect("valid").wait_until_up().await.expect("up");
        ask.try_send((REASON, LONG)).expect("the root has an ear");
        let told = notice.begun_outside().await;
        assert_eq!(told.reason, REASON);
        ask.closed().await;
    }
}
