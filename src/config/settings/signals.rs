//! `[signals]`: what the signals of the process mean.

use serde::{Deserialize, Serialize};

/// `[signals]`. It needs a restart.
///
/// A signal that is not named means what the program says, and by default what stands here. Whoever names one
/// has the last word, over the program too.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct SignalSettings {
    /// SIGHUP. By default it reads the configuration anew.
    pub hup: Option<SignalMeaning>,
    /// SIGINT, which is Ctrl-C at a terminal. By default it shuts the daemon down.
    pub int: Option<SignalMeaning>,
    /// SIGQUIT, which is Ctrl-\ at a terminal. By default it shuts the daemon down.
    pub quit: Option<SignalMeaning>,
    /// SIGTERM: what `kill`, systemd and Kubernetes send. By default it shuts the daemon down.
    pub term: Option<SignalMeaning>,
    /// SIGUSR1. By default it opens the log files anew.
    pub usr1: Option<SignalMeaning>,
    /// SIGUSR2. By default the daemon does not listen for it.
    pub usr2: Option<SignalMeaning>,
}

/// What a signal means to a daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum SignalMeaning {
    /// The daemon ends in order; the second such signal forces the end, the third ends the process at once.
    Shutdown,
    /// The configuration is read anew.
    Reload,
    /// The log files are opened anew.
    Reopen,
    /// Nothing follows.
    Ignore,
    /// The daemon does not listen for it: the system does what it does with it, which mostly is to end the
    /// process at once.
    Default,
}
