//! What the test and the child with the fault share: when to begin, that it is on, when to let go.

use std::sync::{Condvar, Mutex};

use perennial::Handle;
use tokio::sync::watch;

use crate::subject::Msg;

/// A switch that is thrown once.
#[derive(Debug)]
pub(crate) struct Switch(watch::Sender<bool>);

impl Switch {
    fn new() -> Self {
        Self(watch::Sender::new(false))
    }

    pub(crate) fn set(&self) {
        self.0.send_replace(true);
    }

    pub(crate) fn is_set(&self) -> bool {
        *self.0.borrow()
    }

    pub(crate) async fn wait(&self) {
        let mut seen = self.0.subscribe();
        seen.wait_for(|is_set| *is_set)
            .await
            .expect("the switch lives as long as its test");
    }
}

/// One test's gate.
pub(crate) struct Gate {
    /// The first run may fail, so that a second one begins.
    pub(crate) crash: Switch,
    /// The fault may begin.
    pub(crate) go: Switch,
    /// The hook with the fault has been entered; it may wait for the stop yet.
    pub(crate) entered: Switch,
    /// The fault is on.
    pub(crate) on: Switch,
    /// A slow hook is done.
    pub(crate) over: Switch,
    /// How many runs, and what they hold, live.
    pub(crate) alive: watch::Sender<usize>,
    /// The child's address, where it is an actor.
    pub(crate) address: Handle<Msg>,
    released: Mutex<bool>,
    release: Condvar,
}

impl Gate {
    pub(crate) fn new() -> Self {
        Self {
            crash: Switch::new(),
            go: Switch::new(),
            entered: Switch::new(),
            on: Switch::new(),
            over: Switch::new(),
            alive: watch::Sender::new(0),
            address: Handle::unbound(),
            released: Mutex::new(false),
            release: Condvar::new(),
        }
    }

    /// Lets every blocked thread go on.
    pub(crate) fn release(&self) {
        *self.released.lock().expect("no panic holds it") = true;
        self.release.notify_all();
    }

    /// Blocks this thread until the test lets go.
    pub(crate) fn block(&self) {
        let released = self.released.lock().expect("no panic holds it");
        drop(
            self.release
                .wait_while(released, |is_released| !*is_released),
        );
    }

    /// Waits until nothing of the tree is left.
    pub(crate) async fn nothing_left(&self) {
        let mut alive = self.alive.subscribe();
        alive
            .wait_for(|count| *count == 0)
            .await
            .expect("the gate lives as long as its test");
    }
}
