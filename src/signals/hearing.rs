//! Signals as a task hears them.
//!
//! Beside the thread, not in its place: a task is heard of sooner, by the one thread that a runtime would
//! have had to be roused from another for, and is not heard of at all while its runtime stands still.

use std::io;
use std::task::{Context, Poll};

use tokio::signal::unix::{Signal as Stream, SignalKind, signal};

use super::Signal;

/// Hears signals on the runtime that it is made on, which needs its driver of I/O.
#[derive(Debug)]
pub(crate) struct Hearing(Vec<(Signal, Stream)>);

impl Hearing {
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
    use super::{Hearing, Signal};

    #[tokio::test]
    async fn a_signal_is_heard_by_its_name_among_others() {
        let mut hearing = Hearing::begin(&[Signal::new(28), Signal::new(23)]).expect("both can be");
        let process = std::process::id().to_string();
        let sent = std::process::Command::new("kill")
            .args(["-URG", &process])
            .status();
        assert!(sent.is_ok_and(|sent| sent.success()), "kill runs");
        assert_eq!(hearing.next().await.name(), Some("SIGURG"));
    }

    #[tokio::test]
    async fn what_no_program_can_hear_is_refused() {
        assert!(Hearing::begin(&[Signal::new(9)]).is_err());
    }
}
