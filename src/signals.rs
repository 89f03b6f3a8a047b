//! The signals of a process: what they are called, what they mean to a daemon, and a thread that hears
//! them.
//!
//! A thread and no task: it needs neither a runtime nor anybody's progress, so a signal is heard also
//! while a runtime is not there yet, or stands still. For a while it can lend a signal to a task, to whom it comes
//! sooner. What a signal means is a value, [`SignalMap`]; what follows from it is not decided here.
//!
//! # Invariants
//!
//! 1. From the moment a [`Listener`] is there until it is dropped somebody hears each of its signals.
//!    After that a signal does again what it does by default.
//! 2. A signal is counted once, whoever was roused by it: the thread alone takes note of it.

mod listen;
mod map;
#[cfg(not(unix))]
mod other;
#[cfg(unix)]
mod unix;

pub use self::listen::Listener;
pub use self::map::{SignalAction, SignalMap};
#[cfg(all(feature = "daemon", not(unix)))]
pub(crate) use self::other::Lender;
#[cfg(all(feature = "daemon", unix))]
pub(crate) use self::unix::Lender;

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// A signal, by its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Signal(i32);

impl Signal {
    /// SIGHUP.
    pub const HANGUP: Self = Self(1);
    /// SIGINT; Ctrl-C at a terminal.
    pub const INTERRUPT: Self = Self(2);
    /// SIGQUIT; Ctrl-\ at a terminal.
    pub const QUIT: Self = Self(3);
    /// SIGTERM: what `kill`, systemd and Kubernetes send.
    pub const TERMINATE: Self = Self(15);
    /// SIGUSR1.
    #[cfg(unix)]
    pub const USER_1: Self = Self(signal_hook::consts::SIGUSR1);
    /// SIGUSR2.
    #[cfg(unix)]
    pub const USER_2: Self = Self(signal_hook::consts::SIGUSR2);

    /// Returns the signal of this number, whether there is one or not.
    #[must_use]
    pub fn new(number: i32) -> Self {
        Self(number)
    }

    /// Returns its number.
    #[must_use]
    pub fn number(self) -> i32 {
        self.0
    }

    /// Tells whether any system has a signal of this number: 1 to 127 fit into the code of a process that
    /// one has ended (POSIX).
    pub(crate) fn is_possible(self) -> bool {
        (1..128).contains(&self.0)
    }

    /// Returns its name, such as `"SIGTERM"`; `None` for a number without one.
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        match self {
            Self::HANGUP => Some("SIGHUP"),
            Self::INTERRUPT => Some("SIGINT"),
            Self::QUIT => Some("SIGQUIT"),
            Self::TERMINATE => Some("SIGTERM"),
            other => signal_hook::low_level::signal_name(other.0),
        }
    }
}

/// The name, or the number where there is none.
impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "signal {}", self.0),
        }
    }
}

/// Says that a text names no signal.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{text}` is no signal; write a name such as SIGUSR2, or a number")]
pub struct UnknownSignal {
    text: String,
}

/// Reads `SIGTERM`, `TERM` or `15`.
impl FromStr for Signal {
    type Err = UnknownSignal;

    fn from_str(text: &str) -> Result<Self, UnknownSignal> {
        let unknown = || UnknownSignal {
            text: text.to_owned(),
        };
        if let Ok(number) = text.parse::<i32>() {
            let signal = Self(number);
            return signal.is_possible().then_some(signal).ok_or_else(unknown);
        }
        let upper = text.to_ascii_uppercase();
        let wanted = upper.strip_prefix("SIG").unwrap_or(&upper);
        let is_it = |signal: &Self| signal.name().is_some_and(|name| &name[3..] == wanted);
        // Names end where the real-time signals begin.
        (1..32).map(Self).find(is_it).ok_or_else(unknown)
    }
}

/// Ends the process at once: nothing of it is run any more, no destructor and no handler of its end.
///
/// Whatever threads do, whatever locks they hold.
pub fn exit_at_once(code: u8) -> ! {
    signal_hook::low_level::exit(i32::from(code))
}

#[cfg(test)]
mod tests {
    use super::Signal;

    #[test]
    fn a_signal_is_read_by_its_name_or_number_and_shown_by_its_name() {
        for text in ["SIGTERM", "term", "15"] {
            assert_eq!(text.parse(), Ok(Signal::TERMINATE));
        }
        assert_eq!(Signal::HANGUP.to_string(), "SIGHUP");
        assert_eq!(Signal::new(63).to_string(), "signal 63");
        for text in ["SIGNOTHING", "0", "-5", "128"] {
            let unknown = text.parse::<Signal>().expect_err("it is none");
            assert!(unknown.to_string().contains("is no signal"), "{unknown}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn every_signal_with_a_name_is_found_by_it() {
        for number in 1..32 {
            let signal = Signal::new(number);
            if let Some(name) = signal.name() {
                assert_eq!(name.parse(), Ok(signal), "{name}");
            }
        }
    }
}
