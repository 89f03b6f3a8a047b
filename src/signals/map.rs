//! What each signal means: a value that a program changes before its daemon runs.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use super::Signal;

/// What a signal does to a daemon.
#[derive(Clone)]
#[non_exhaustive]
pub enum SignalAction {
    /// It ends the daemon in order; the second one forces the end, the third ends the process at once.
    Shutdown,
    /// The configuration is read anew.
    Reload,
    /// The log files are opened anew.
    Reopen,
    /// It is heard, and nothing follows.
    Ignore,
    /// The daemon does not listen for it: it does what the system or the program makes of it.
    Default,
    /// The program is told, on a thread of its own, where it may block.
    Call(Arc<dyn Fn(Signal) + Send + Sync>),
}

impl SignalAction {
    /// Makes an action that calls the program.
    pub fn call(told: impl Fn(Signal) + Send + Sync + 'static) -> Self {
        Self::Call(Arc::new(told))
    }

    /// Returns the action as a stable lower-case word.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Shutdown => "shutdown",
            Self::Reload => "reload",
            Self::Reopen => "reopen",
            Self::Ignore => "ignore",
            Self::Default => "default",
            Self::Call(_) => "call",
        }
    }
}

impl fmt::Debug for SignalAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// Which signal does what.
///
/// Default: SIGTERM, SIGINT and SIGQUIT shut down, SIGHUP reads the configuration, SIGUSR1 opens the log
/// files. On Windows: Ctrl-C is SIGINT; Ctrl-Break, the closing of the console, log-off and shutdown are
/// SIGTERM.
#[derive(Debug, Clone)]
pub struct SignalMap {
    /// Whether what is not set means what it does by default.
    has_defaults: bool,
    /// What was set.
    set: BTreeMap<Signal, SignalAction>,
}

/// The signals that mean something by default.
#[cfg(unix)]
const BY_DEFAULT: &[Signal] = &[
    Signal::HANGUP,
    Signal::INTERRUPT,
    Signal::QUIT,
    Signal::USER_1,
    Signal::TERMINATE,
];

/// The signals that mean something by default.
#[cfg(not(unix))]
const BY_DEFAULT: &[Signal] = &[Signal::INTERRUPT, Signal::TERMINATE];

fn by_default(signal: Signal) -> SignalAction {
    match signal {
        Signal::TERMINATE | Signal::INTERRUPT => SignalAction::Shutdown,
        #[cfg(unix)]
        Signal::QUIT => SignalAction::Shutdown,
        #[cfg(unix)]
        Signal::HANGUP => SignalAction::Reload,
        #[cfg(unix)]
        Signal::USER_1 => SignalAction::Reopen,
        _ => SignalAction::Default,
    }
}

impl Default for SignalMap {
    fn default() -> Self {
        Self {
            has_defaults: true,
            set: BTreeMap::new(),
        }
    }
}

impl SignalMap {
    /// Makes a map in which no signal means anything.
    #[must_use]
    pub fn none() -> Self {
        Self {
            has_defaults: false,
            set: BTreeMap::new(),
        }
    }

    /// Gives a signal a meaning, in place of the one that it had.
    pub fn set(&mut self, signal: Signal, action: SignalAction) {
        self.set.insert(signal, action);
    }

    /// Returns what a signal means.
    #[must_use]
    pub fn action(&self, signal: Signal) -> SignalAction {
        match self.set.get(&signal) {
            Some(action) => action.clone(),
            None if self.has_defaults => by_default(signal),
            None => SignalAction::Default,
        }
    }

    /// Returns the signals to listen for, in the order of their numbers.
    #[must_use]
    pub fn heard(&self) -> Vec<Signal> {
        let named: BTreeSet<Signal> = BY_DEFAULT.iter().chain(self.set.keys()).copied().collect();
        let is_heard = |signal: &Signal| !matches!(self.action(*signal), SignalAction::Default);
        named.into_iter().filter(is_heard).collect()
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::{Signal, SignalAction, SignalMap};

    #[test]
    fn each_signal_can_be_switched_off_given_another_meaning_or_added() {
        let mut map = SignalMap::default();
        assert_eq!(map.action(Signal::HANGUP).code(), "reload");
        map.set(Signal::HANGUP, SignalAction::Shutdown);
        map.set(Signal::QUIT, SignalAction::Default);
        map.set(Signal::USER_2, SignalAction::call(|_| {}));
        let meanings: Vec<_> = map
            .heard()
            .into_iter()
            .map(|signal| format!("{signal} {:?}", map.action(signal)))
            .collect();
        assert_eq!(
            meanings,
            [
                "SIGHUP shutdown",
                "SIGINT shutdown",
                "SIGUSR1 reopen",
                "SIGUSR2 call",
                "SIGTERM shutdown"
            ]
        );
        assert!(SignalMap::none().heard().is_empty());
    }
}
