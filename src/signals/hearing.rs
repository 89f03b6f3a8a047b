//! A signal as a task hears it.
//!
//! Beside the thread, not in its place: a task is heard of sooner, by the one thread that a runtime would
//! have had to be roused from another for, and is not heard of at all while its runtime stands still.

use std::io;
use std::task::{Context, Poll};

use tokio::runtime::Builder;
use tokio::signal::unix::{Signal as Stream, SignalKind, signal};

use super::Signal;
use super::listen::default_until_heard;

/// Hears a signal on the runtime that it is made on, which needs its driver of I/O.
#[derive(Debug)]
pub(crate) struct Hearing(Stream);

impl Hearing {
    /// Lets tasks be roused before the thread for this signal, if this is called before the thread listens:
    /// handlers run in the order in which they came, and whoever one of them rouses takes the processor from
    /// the next. Until the thread listens the signal does what it does by default, also where the program has a
    /// handler of its own; so that is to follow at once.
    ///
    /// # Errors
    ///
    /// As [`begin`](Self::begin).
    pub(crate) fn come_first(signal: Signal) -> io::Result<()> {
        let driver = Builder::new_current_thread().enable_io().build()?;
        // tokio's handler can't be taken away again, and would swallow a signal that nobody listens for.
        let begun = default_until_heard(signal).and_then(|()| {
            let _inside = driver.enter();
            Self::begin(signal)
        });
        // Inside another runtime it must not be waited for.
        driver.shutdown_background();
        begun.map(drop)
    }

    /// Begins to hear it.
    ///
    /// # Errors
    ///
    /// The operating system's, or `InvalidInput` for a signal that no program can hear.
    ///
    /// # Panics
    ///
    /// Outside a runtime with I/O.
    pub(crate) fn begin(heard: Signal) -> io::Result<Self> {
        signal(SignalKind::from_raw(heard.number())).map(Self)
    }

    /// Waits until it comes once more.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        // It has no end.
        self.0.poll_recv(cx).map(|_one_more| ())
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::os::unix::process::ExitStatusExt;
    use std::process::{Command, id};

    use super::{Hearing, Signal};
    use crate::signals::Listener;

    /// Says to a process of this test when it is to be sent the signal that ends it.
    const IS_BELOW: &str = "PERENNIAL_TEST_OF_COMING_FIRST";

    /// What such a process says when task and thread have heard one.
    const BOTH: &str = "both have heard it";

    fn send(name: &str) {
        let sent = Command::new("kill")
            .args([name, &id().to_string()])
            .status();
        assert!(sent.is_ok_and(|sent| sent.success()), "kill runs");
    }

    #[tokio::test]
    async fn a_signal_is_heard_by_task_and_thread_and_ends_the_process_before_and_after() {
        let alone = std::env::var(IS_BELOW);
        let number = Signal::USER_2.number();
        if let Ok(when) = alone {
            Hearing::come_first(Signal::USER_2).expect("it can be heard");
            if when == "before" {
                return send("-USR2");
            }
            let (told, heard) = std::sync::mpsc::channel();
            let tell = move |signal| told.send(signal).expect("the test waits");
            let listener = Listener::start(&[Signal::USER_2], tell);
            let mut hearing = Hearing::begin(Signal::USER_2).expect("it can be heard");
            send("-USR2");
            poll_fn(|cx| hearing.poll(cx)).await;
            assert_eq!(heard.recv(), Ok(Signal::USER_2));
            drop(listener);
            eprintln!("{BOTH}");
            return send("-USR2");
        }
        let name = "signals::hearing::tests::a_signal_is_heard_by_task_and_thread_and_ends_the_process_before_and_after";
        for when in ["before", "after"] {
            let program = std::env::current_exe().expect("this program");
            let mut below = Command::new(program);
            below.args([name, "--exact", "--nocapture"]);
            let ended = below.env(IS_BELOW, when).output().expect("it runs");
            let said = String::from_utf8_lossy(&ended.stderr);
            assert_eq!(ended.status.signal(), Some(number), "{when}: {said}");
            assert_eq!(said.contains(BOTH), when == "after", "{when}: {said}");
        }
    }

    #[tokio::test]
    async fn what_no_program_can_hear_is_refused() {
        assert!(Hearing::begin(Signal::new(9)).is_err());
        assert!(Hearing::come_first(Signal::new(9)).is_err());
    }
}
