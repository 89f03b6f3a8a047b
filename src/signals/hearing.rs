//! Signals as a task hears them.
//!
//! Beside the thread, not in its place: a task is heard of sooner, by the one thread that a runtime would
//! have had to be roused from another for, and is not heard of at all while its runtime stands still.

use std::io;
use std::task::{Context, Poll};

use tokio::runtime::Builder;
use tokio::signal::unix::{Signal as Stream, SignalKind, signal};

use super::Signal;
use super::listen::meet;

/// Hears signals on the runtime that it is made on, which needs its driver of I/O.
#[derive(Debug)]
pub(crate) struct Hearing(Vec<(Signal, Stream)>);

impl Hearing {
    /// Lets tasks be roused before the thread for these signals, if it is there before the thread listens:
    /// handlers run in the order in which they came, and whoever one of them rouses takes the processor from
    /// the next.
    ///
    /// # Errors
    ///
    /// As [`begin`](Self::begin).
    pub(crate) fn come_first(signals: &[Signal]) -> io::Result<()> {
        // tokio's handlers can't be taken away again: whoever is not heard is to do what it does by default.
        meet(signals)?;
        let driver = Builder::new_current_thread().enable_io().build()?;
        let _inside = driver.enter();
        Self::begin(signals).map(drop)
    }

    /// Begins to hear these.
    ///
    /// # Errors
    ///
    /// The operating system's, or `InvalidInput` for a signal that no program can hear.
    ///
    /// # Panics
    ///
    /// Outside a runtime with I/O.
    pub(crate) fn begin(signals: &[Signal]) -> io::Result<Self> {
        let stream = |heard: &Signal| {
            let kind = SignalKind::from_raw(heard.number());
            Ok((*heard, signal(kind)?))
        };
        let streams: io::Result<Vec<_>> = signals.iter().map(stream).collect();
        Ok(Self(streams?))
    }

    /// Waits for the next of them.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when the future is dropped.
    pub(crate) async fn next(&mut self) -> Signal {
        std::future::poll_fn(|cx| self.poll_next(cx)).await
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Signal> {
        for (heard, stream) in &mut self.0 {
            if let Poll::Ready(Some(())) = stream.poll_recv(cx) {
                return Poll::Ready(*heard);
            }
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::process::{Command, id};

    use super::{Hearing, Signal};

    /// Says to a process of this test that it is one.
    const IS_BELOW: &str = "PERENNIAL_TEST_OF_COMING_FIRST";

    fn send(name: &str) {
        let sent = Command::new("kill")
            .args([name, &id().to_string()])
            .status();
        assert!(sent.is_ok_and(|sent| sent.success()), "kill runs");
    }

    #[test]
    fn until_somebody_listens_a_signal_does_what_it_does_by_default() {
        if std::env::var_os(IS_BELOW).is_some() {
            Hearing::come_first(&[Signal::USER_2]).expect("it can be heard");
            send("-USR2");
            return;
        }
        let name =
            "signals::hearing::tests::until_somebody_listens_a_signal_does_what_it_does_by_default";
        let program = std::env::current_exe().expect("this program");
        let mut below = Command::new(program);
        below.args([name, "--exact"]).env(IS_BELOW, "1");
        let ended = below.output().expect("it runs").status;
        assert_eq!(ended.signal(), Some(Signal::USER_2.number()));
    }

    #[tokio::test]
    async fn a_signal_is_heard_by_its_name_among_others() {
        let mut hearing = Hearing::begin(&[Signal::new(28), Signal::new(23)]).expect("both can be");
        send("-URG");
        assert_eq!(hearing.next().await.name(), Some("SIGURG"));
    }

    #[tokio::test]
    async fn what_no_program_can_hear_is_refused() {
        assert!(Hearing::begin(&[Signal::new(9)]).is_err());
        assert!(Hearing::come_first(&[Signal::new(9)]).is_err());
    }
}
