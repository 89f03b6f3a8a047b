//! The thread that hears signals.

use std::io;

use super::Signal;
#[cfg(not(unix))]
use super::other as system;
#[cfg(unix)]
use super::unix as system;

/// Hears signals on a thread of its own until it is dropped.
#[derive(Debug)]
pub struct Listener {
    inner: system::Inner,
}

impl Listener {
    /// Installs the handlers and calls `heard` for each signal as it comes. Two of one kind that come
    /// before the first is told are one.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for a signal that no program can hear (SIGKILL, SIGSTOP, and those that the
    /// processor raises) and for a number that none has; else the operating system's, when it refuses a handler or a thread.
    pub fn start(
        signals: &[Signal],
        heard: impl FnMut(Signal) + Send + 'static,
    ) -> io::Result<Self> {
        let inner = system::start(signals, heard)?;
        Ok(Self { inner })
    }

    /// Listens for these from now on, and for no others. What it goes on to listen for is not missed
    /// meanwhile.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start); then it listens for all that it did before, and for some of these.
    pub fn change(&mut self, signals: &[Signal]) -> io::Result<()> {
        self.inner.change(signals)
    }

    /// Returns what lends its signals to tasks.
    #[cfg(feature = "daemon")]
    pub(crate) fn lender(&self) -> system::Lender {
        self.inner.lender()
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::sync::mpsc::channel;

    use super::{Listener, Signal};

    fn send(name: &str) {
        let process = std::process::id().to_string();
        let sent = std::process::Command::new("kill")
            .args([name, &process])
            .status();
        assert!(sent.is_ok_and(|sent| sent.success()), "kill runs");
    }

    #[test]
    fn a_signal_is_heard_without_a_runtime_and_by_everybody_who_listens() {
        let (told, heard) = channel();
        let also_told = told.clone();
        let tell = move |signal| told.send(signal).expect("the test waits");
        let also_tell = move |signal| also_told.send(signal).expect("the test waits");
        let first = Listener::start(&[Signal::HANGUP, Signal::USER_2], tell);
        let second = Listener::start(&[Signal::HANGUP], also_tell);
        send("-HUP");
        assert_eq!(heard.recv(), Ok(Signal::HANGUP));
        assert_eq!(heard.recv(), Ok(Signal::HANGUP));
        drop(second);
        send("-USR2");
        assert_eq!(heard.recv(), Ok(Signal::USER_2));
        drop(first);
    }

    #[test]
    fn what_is_listened_for_can_be_changed_and_what_stays_is_heard() {
        let (told, heard) = channel();
        let tell = move |signal| told.send(signal).expect("the test waits");
        let window = Signal::new(signal_hook::consts::SIGWINCH);
        let urgent = Signal::new(signal_hook::consts::SIGURG);
        let mut listener = Listener::start(&[window], tell).expect("it can be heard");
        listener.change(&[window, urgent]).expect("both can be");
        send("-URG");
        assert_eq!(heard.recv(), Ok(urgent));
        send("-WINCH");
        assert_eq!(heard.recv(), Ok(window));
        let refused = listener.change(&[Signal::new(9)]);
        assert!(refused.is_err(), "nobody hears SIGKILL");
        send("-WINCH");
        assert_eq!(heard.recv(), Ok(window), "as before");
    }

    #[test]
    fn what_no_program_can_hear_is_refused_by_its_name() {
        let refused = Listener::start(&[Signal::new(9)], |_| {}).expect_err("it can't");
        assert_eq!(refused.to_string(), "no program can hear SIGKILL");
        for number in [-1, 0, 128, 200] {
            let refused = Listener::start(&[Signal::new(number)], |_| {});
            let refused = refused.expect_err("there is none").kind();
            assert_eq!(refused, std::io::ErrorKind::InvalidInput, "{number}");
        }
    }
}
