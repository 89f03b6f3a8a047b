//! Claims on a node's own status: what is noted of it, and who hears of that when.

use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use tokio::time::Instant;

use super::{Cell, Role};
use crate::child::Kind;
use crate::event::{EventKind, Events};
use crate::exit::Exit;
use crate::path::Path;
use crate::policy::restart::Restart;
use crate::shutdown::ShutdownReason;
use crate::shutdown::report::{Outcome, StopReport, Stopped};
use crate::supervisor::status::State;
use crate::sync::{Mutex, lock};

fn cell() -> Arc<Cell> {
    let role = Role {
        kind: Kind::Task,
        restart: Restart::Permanent,
        duty: None,
    };
    let cell = Cell::new(Path::root("app"), role, None);
    cell.begin(1);
    cell
}

/// Looks at a node when it is woken, as a subscriber may that runs where it is woken.
struct Looks(Arc<Cell>, Mutex<Vec<State>>);

impl Wake for Looks {
    fn wake(self: Arc<Self>) {
        let state = self.0.read().state;
        lock(&self.1).push(state);
    }
}

#[test]
fn who_is_woken_by_an_event_finds_the_node_as_the_event_says() {
    let (cell, events) = (cell(), Events::new(4));
    let mut subscriber = events.subscribe("test");
    let looks = Arc::new(Looks(Arc::clone(&cell), Mutex::default()));
    let waker = Waker::from(Arc::clone(&looks));
    let mut cx = Context::from_waker(&waker);
    let mut next = Box::pin(subscriber.recv());
    assert!(matches!(next.as_mut().poll(&mut cx), Poll::Pending));
    cell.note(&events, EventKind::Starting);
    assert_eq!(*lock(&looks.1), [State::Starting]);
}

#[test]
fn what_is_seen_of_a_run_is_not_told_once_that_has_ended() {
    let (cell, events) = (cell(), Events::new(4));
    let stuck = || EventKind::Stuck {
        hook: "handle",
        lasted: Duration::from_secs(1),
        is_blocking: false,
    };
    cell.note(&events, EventKind::Starting);
    assert!(cell.note_stuck((1, 5), &events, stuck()).is_some());
    assert!(
        cell.note_stuck((2, 5), &events, stuck()).is_none(),
        "that is another run"
    );
    let exit = Exit::Normal;
    let uptime = Duration::ZERO;
    cell.note(&events, EventKind::Exited { exit, uptime });
    assert!(cell.note_stuck((1, 5), &events, stuck()).is_none());
    assert_eq!(events.last_seq(), 3);
}

#[test]
fn nothing_follows_the_end_of_the_tree() {
    let (cell, events) = (cell(), Events::new(4));
    let report = StopReport {
        reason: ShutdownReason::Requested,
        exit: Exit::Shutdown,
        root: Stopped {
            path: cell.path().clone(),
            allotted: Duration::ZERO,
            spent: Duration::ZERO,
            outcome: Outcome::Stopped,
            children: Vec::new(),
        },
        guards: Vec::new(),
    };
    let report = Arc::new(report);
    cell.note(&events, EventKind::ShutdownEnded { report });
    let (reason, deadline) = (ShutdownReason::Error, Instant::now());
    cell.note(&events, EventKind::ShutdownBegan { reason, deadline });
    assert_eq!(events.last_seq(), 1);
}

#[test]
fn what_hung_and_ends_after_all_was_asked_to_or_not_when_it_began_to_hang() {
    let exited = |exit| EventKind::Exited {
        exit,
        uptime: Duration::ZERO,
    };
    let deadline = Instant::now();
    let hung = EventKind::Stopped {
        outcome: Outcome::Hung,
        spent: Duration::ZERO,
    };
    for (before, hangs, by_itself) in [
        (EventKind::Started, exited(Exit::Hung), true),
        (EventKind::StopRequested { deadline }, hung, false),
    ] {
        let (cell, events) = (cell(), Events::new(4));
        for kind in [EventKind::Starting, before, hangs, exited(Exit::Shutdown)] {
            cell.note(&events, kind);
        }
        let status = cell.read();
        assert_eq!(
            (status.state, status.ended_by_itself),
            (State::Down, by_itself)
        );
    }
}
