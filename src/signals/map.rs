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
    /// Whether what has not been given a meaning has its usual one.
    is_usual: bool,
    given: BTreeMap<Signal, SignalAction>,
}

/// What signals mean that were given no other meaning.
const USUAL: &[(Signal, SignalAction)] = &[
    (Signal::TERMINATE, SignalAction::Shutdown),
    (Signal::INTERRUPT, SignalAction::Shutdown),
    #[cfg(unix)]
    (Signal::QUIT, SignalAction::Shutdown),
    #[cfg(unix)]
    (Signal::HANGUP, SignalAction::Reload),
    #[cfg(unix)]
    (Signal::USER_1, SignalAction::Reopen),
];

impl Default for SignalMap {
    fn default() -> Self {
        Self {
            is_usual: true,
            given: BTreeMap::new(),
        }
    }
}

impl SignalMap {
    /// Makes a map in which no signal means anything.
    #[must_use]
    pub fn none() -> Self {
        Self {
            is_usual: false,
            given: BTreeMap::new(),
        }
    }

    /// Gives a signal a meaning, in place of the one that it had.
    pub fn set(&mut self, signal: Signal, action: SignalAction) {
        self.given.insert(signal, action);
    }

    /// Returns what a signal means.
    #[must_use]
    pub fn action(&self, signal: Signal) -> SignalAction {
        let usual = || {
            let found = self.usual().iter().find(|(usual, _)| *usual == signal);
            found.map(|(_, action)| action)
        };
        let action = self.given.get(&signal).or_else(usual);
        action.cloned().unwrap_or(SignalAction::Default)
    }

    /// Returns the signals to listen for.
    #[must_use]
    pub fn heard(&self) -> Vec<Signal> {
        let usual = self.usual().iter().map(|(signal, _)| signal);
        let known: BTreeSet<Signal> = usual.chain(self.given.keys()).copied().collect();
        let is_heard = |signal: &Signal| !matches!(self.action(*signal), SignalAction::Default);
        known.into_iter().filter(is_heard).collect()
    }

    fn usual(&self) -> &'static [(Signal, SignalAction)] {
        if self.is_usual { USUAL } else { &[] }
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
