//! What a daemon is told to do while it lives, by signals and by others, from its first moment on.
//!
//! The thread that hears signals writes it down here; whoever conducts the daemon reads it when it gets
//! there. What must not wait for anybody happens here at once: the instant at which the process ends is
//! set with the first wish to end, and the third signal ends it. A SIGTERM that is lent to the tree's root comes
//! here when its children have been told, a moment later.
//!
//! # Invariants
//!
//! 1. Nothing here waits, logs or runs the program's code on the thread that hears signals.
//! 2. From the first wish to end on there is an instant at which the process is gone.

mod heard;

use std::fmt::Write;
use std::io::{self, IsTerminal};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use self::heard::{AT_ONCE, Heard};
use super::configuration::Configuration;
use super::ending::DaemonExit;
use super::{meanings, view};
use crate::config::SignalSettings;
use crate::kill::KillSwitch;
use crate::shutdown::ladder::Ladder;
use crate::shutdown::report::readable;
use crate::shutdown::{EarlyNotice, ShutdownReason};
use crate::signals::{Listener, Signal, SignalAction, SignalMap, exit_at_once};
use crate::supervisor::Asked;
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::{Mutex, lock};
use crate::time::later;
use crate::tree::Running;

/// A wish to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wish {
    pub(super) reason: ShutdownReason,
    pub(super) at: Instant,
    /// How long to go on serving.
    pub(super) drain: Duration,
    pub(super) ladder: Ladder,
}

/// What was told so far.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Told {
    pub(super) wish: Option<Wish>,
    /// The second signal to end.
    pub(super) forced_by: Option<Signal>,
    pub(super) reloads: u64,
    pub(super) reopens: u64,
}

/// Everything that a daemon is told.
pub(super) struct Orders {
    name: String,
    map: Mutex<SignalMap>,
    told: watch::Sender<Told>,
    heard: Mutex<Heard>,
    switch: KillSwitch,
    configuration: OnceLock<Arc<dyn Configuration>>,
    running: OnceLock<Running>,
    /// What the start is doing, while it does.
    stage: Mutex<&'static str>,
    /// Whether the manager was told so.
    is_up: AtomicBool,
    notice: EarlyNotice,
}

impl Orders {
    /// Makes them, for a daemon that has not been told anything yet.
    pub(super) fn new(name: &str, map: &SignalMap, notice: EarlyNotice) -> io::Result<Arc<Self>> {
        let orders = Arc::new(Self {
            name: name.to_owned(),
            map: Mutex::new(map.clone()),
            told: watch::Sender::new(Told::default()),
            heard: Mutex::default(),
            switch: KillSwitch::start(exit_at_once)?,
            configuration: OnceLock::new(),
            running: OnceLock::new(),
            stage: Mutex::new("it was about to start"),
            is_up: AtomicBool::new(false),
            notice,
        });
        let granter = Arc::downgrade(&orders);
        orders.notice.grant_with(move || {
            if let Some(orders) = granter.upgrade() {
                orders.end(ShutdownReason::Requested);
            }
        });
        let reporter = Arc::downgrade(&orders);
        orders.switch.set_report(Arc::new(move || {
            let orders = reporter.upgrade();
            orders.map(|orders| orders.last_words()).unwrap_or_default()
        }));
        Ok(orders)
    }

    /// Begins to hear signals.
    pub(super) fn listen(self: &Arc<Self>) -> io::Result<Listener> {
        let heard = lock(&self.map).heard();
        let orders = Arc::clone(self);
        let listening = Listener::start(&heard, move |signal| orders.hear(signal));
        if listening.is_err() {
            self.let_go();
        }
        listening
    }

    /// Follows a signal.
    fn hear(&self, signal: Signal) {
        let action = lock(&self.map).action(signal);
        match action {
            SignalAction::Shutdown => self.hear_end(signal),
            SignalAction::Reload => self.told.send_modify(|told| told.reloads += 1),
            SignalAction::Reopen => self.told.send_modify(|told| told.reopens += 1),
            SignalAction::Call(told) => {
                let named = std::thread::Builder::new().name("perennial-signal".to_owned());
                // Without a thread nobody is told: the process has other worries then.
                drop(named.spawn(move || told(signal)));
            }
            _ => {}
        }
    }

    fn hear_end(&self, signal: Signal) {
        let (number, untold) = lock(&self.heard).count(signal);
        match number {
            0 => return,
            1 => return self.end(ShutdownReason::Signal(signal.number())),
            AT_ONCE.. => self.switch.fire(forced_by(signal)),
            _ => {}
        }
        if let Some(first) = untold {
            self.end(ShutdownReason::Signal(first.number()));
        }
        let ladder = self.ladder_of_end();
        let (at, code) = (later(Instant::now(), ladder.patience()), forced_by(signal));
        self.switch.set_code(code);
        self.switch.arm(at, ladder.last_words(), code);
        self.told
            .send_modify(|told| told.forced_by = told.forced_by.or(Some(signal)));
    }

    /// Gives signals other meanings, and returns which ones are to be listened for.
    pub(super) fn set_meanings(&self, wanted: &SignalSettings) -> Vec<Signal> {
        let mut map = lock(&self.map);
        for (signal, meaning) in meanings::of(wanted) {
            map.set(signal, meaning);
        }
        map.heard()
    }

    /// Tells whether this signal ends the daemon.
    pub(super) fn ends(&self, signal: Signal) -> bool {
        matches!(lock(&self.map).action(signal), SignalAction::Shutdown)
    }

    /// Returns why a tree is to stop, and in how much time, after a signal that the thread that hears all
    /// signals may not have come to yet. That one wishes the end, arms the kill and counts, as always.
    ///
    /// A tree that goes on serving for a while is left to whoever waits for that.
    pub(super) fn hear_beside(&self, signal: Signal) -> Option<Asked> {
        let now = Instant::now();
        // The first wish says why, and since when the time counts: this thread may have stood still since.
        let wish = self
            .wish()
            .unwrap_or_else(|| self.wish_at(now, ShutdownReason::Signal(signal.number())));
        wish.drain.is_zero().then(|| {
            lock(&self.heard).note_uncounted(signal);
            let by = wish.ladder.from(wish.at).graceful;
            (wish.reason, by.saturating_duration_since(now))
        })
    }

    /// Makes the wish that a daemon ends: for how long it goes on serving, and its steps from then on.
    fn wish_at(&self, at: Instant, reason: ShutdownReason) -> Wish {
        let shutdown = self
            .configuration
            .get()
            .map(|configuration| configuration.shutdown());
        // Before it is up nobody was told to send anything here.
        let is_up = || self.running.get().is_some_and(Running::is_up);
        let drain = shutdown.as_ref().map(|shutdown| shutdown.drain_delay);
        let drain = drain.filter(|drain| !drain.is_zero() && is_up() && !is_impatient(reason));
        Wish {
            reason,
            at,
            drain: drain.unwrap_or_default(),
            ladder: shutdown.map_or_else(Ladder::default, |shutdown| shutdown.ladder()),
        }
    }

    /// Wishes that the daemon ends; only the first wish counts.
    pub(super) fn end(&self, reason: ShutdownReason) {
        let wish = self.wish_at(Instant::now(), reason);
        let ladder = wish.ladder;
        // Before there is a tree nobody could give up on it: whoever holds up the start is waited for so long.
        let patience = match self.configuration.get() {
            Some(_) => ladder.kill(),
            None => ladder.force(),
        };
        self.told.send_if_modified(|told| {
            let is_first = told.wish.is_none();
            if is_first {
                // Before anybody is told: who hears of it asks how much time there is.
                let at = later(later(wish.at, wish.drain), patience);
                let code = DaemonExit::Late.exit_code();
                self.switch.arm(at, ladder.last_words(), code);
                told.wish = Some(wish);
            }
            is_first
        });
    }

    /// Says that the tree has begun to stop without a wish, by when the process is to be gone, and how it
    /// has ended if it must be killed.
    pub(super) fn end_by(&self, kill: Instant, exit: DaemonExit) {
        let code = exit.exit_code();
        self.switch.set_code(code);
        self.switch
            .arm(kill, self.ladder_of_end().last_words(), code);
    }

    /// Tells whether anybody wishes the end.
    pub(super) fn wish(&self) -> Option<Wish> {
        self.told.borrow().wish
    }

    pub(super) fn watch(&self) -> watch::Receiver<Told> {
        let mut told = self.told.subscribe();
        // What was told before is read as well.
        told.mark_changed();
        told
    }

    /// Returns how long the steps of a shutdown are at this moment.
    pub(super) fn ladder(&self) -> Ladder {
        let configuration = self.configuration.get();
        configuration.map_or_else(Ladder::default, |configuration| {
            configuration.shutdown().ladder()
        })
    }

    /// Returns how long those of this shutdown are: a reload changes the next one.
    fn ladder_of_end(&self) -> Ladder {
        self.wish()
            .map_or_else(|| self.ladder(), |wish| wish.ladder)
    }

    pub(super) fn set_configuration(&self, configuration: &Arc<dyn Configuration>) {
        self.configuration.get_or_init(|| Arc::clone(configuration));
    }

    pub(super) fn set_running(&self, running: &Running) {
        self.running.get_or_init(|| running.observer());
    }

    pub(super) fn set_up(&self) {
        self.is_up.store(true, Ordering::SeqCst);
    }

    /// Tells whether the tree is up and nobody wishes its end.
    pub(super) fn is_serving(&self) -> bool {
        self.is_up.load(Ordering::SeqCst) && self.wish().is_none()
    }

    /// Returns what tells of the tree's shutdown.
    pub(super) fn notice(&self) -> &EarlyNotice {
        &self.notice
    }

    /// Says what the start is doing.
    pub(super) fn set_stage(&self, stage: &'static str) {
        *lock(&self.stage) = stage;
    }

    /// Returns how much time is left until the process ends; the whole ladder before that is known.
    pub(super) fn time_left(&self) -> Duration {
        let left = self.switch.time_left();
        left.unwrap_or_else(|| self.ladder().kill())
    }

    /// Returns how much of `patience` there is before the process ends.
    pub(super) fn at_most(&self, patience: Duration) -> Duration {
        // Half of it, so that something is left for what follows.
        let left = self.switch.time_left().map(|left| left / 2);
        left.map_or(patience, |left| left.min(patience))
    }

    /// Says that the daemon has ended with this code. A signal ends the process at once from now on, and
    /// so does the instant that was set, whatever the program still does.
    pub(super) fn ended(&self, code: u8) {
        lock(&self.heard).end();
        self.switch.set_code(code);
    }

    /// Gives the process back to a program that goes on.
    pub(super) fn let_go(&self) {
        self.switch.put_away();
    }

    /// Says who still runs.
    fn last_words(&self) -> String {
        let mut text = String::new();
        let since = self.wish().map(|wish| wish.at.elapsed());
        let after = since.map_or_else(String::new, |since| {
            format!(" {} after it was asked to end", readable(since))
        });
        let written = match self.running.get() {
            None => {
                let stage = *lock(&self.stage);
                writeln!(text, "{}: killed{after}; {stage}", self.name)
            }
            Some(running) => {
                let mut lines = view::still_running(&running.snapshot());
                for (name, held) in running.shutdown_handle().guards() {
                    lines.push_str(&format!("  guard {name:?}  held for {}\n", readable(held)));
                }
                writeln!(
                    text,
                    "{}: killed{after}; still running:\n{lines}",
                    self.name
                )
            }
        };
        // Writing to a text does not fail.
        written.map_or_else(|_failed| String::new(), |()| text)
    }
}

/// Returns the code of a process that a signal has ended.
fn forced_by(signal: Signal) -> u8 {
    DaemonExit::Forced(signal.number()).exit_code()
}

/// Tells whether somebody waits in front of a terminal.
fn is_impatient(reason: ShutdownReason) -> bool {
    let is_interrupt = reason == ShutdownReason::Signal(Signal::INTERRUPT.number());
    is_interrupt && (io::stdin().is_terminal() || io::stderr().is_terminal())
}

#[cfg(all(test, unix))]
mod tests;
