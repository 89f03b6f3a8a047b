//! A signal as a task hears it.
//!
//! Beside the thread, not in its place: a task is heard of sooner, by the one thread that a runtime would
//! have had to be roused from another for, and is not heard of at all while its runtime stands still.

#[cfg(not(unix))]
pub(crate) use self::other::Hearing;
#[cfg(unix)]
pub(crate) use self::unix::Hearing;
use super::Signal;

#[cfg(unix)]
mod unix {
    use std::io::{self, PipeReader};
    use std::os::fd::OwnedFd;
    use std::task::{Context, Poll};

    use signal_hook::SigId;
    use signal_hook::low_level::{pipe, unregister};
    use tokio::net::unix::pipe::Receiver;

    use super::Signal;
    use crate::signals::listen::default_until_heard;

    /// Takes in a signal for a task that is not there yet.
    #[derive(Debug)]
    pub(crate) struct Hearing {
        handler: Handler,
        pipe: PipeReader,
    }

    /// Writes into the pipe until it is dropped.
    #[derive(Debug)]
    struct Handler(SigId);

    impl Drop for Handler {
        fn drop(&mut self) {
            unregister(self.0);
        }
    }

    impl Hearing {
        /// Begins to take it in.
        ///
        /// Before the thread listens, if a task is to be roused before that: handlers run in the order in which
        /// they came, and whoever one of them rouses takes the processor from the next. Until the thread
        /// listens the signal does what it does by default, also where the program has a handler of its own; so
        /// that is to follow at once.
        ///
        /// # Errors
        ///
        /// The operating system's, or `InvalidInput` for a signal that no program can hear.
        pub(crate) fn begin(signal: Signal) -> io::Result<Self> {
            // A handler of this one alone would swallow the signal where nobody listens.
            default_until_heard(signal)?;
            let (pipe, heard) = io::pipe()?;
            let handler = Handler(pipe::register(signal.number(), heard)?);
            Ok(Self { handler, pipe })
        }

        /// Leaves it to a task of the runtime on which this is called, which needs its driver of I/O.
        ///
        /// # Errors
        ///
        /// The operating system's.
        ///
        /// # Panics
        ///
        /// Outside a runtime with I/O.
        pub(crate) fn in_task(self) -> io::Result<InTask> {
            Ok(InTask {
                _handler: self.handler,
                pipe: Receiver::from_owned_fd(OwnedFd::from(self.pipe))?,
            })
        }
    }

    /// A signal for a task.
    #[derive(Debug)]
    pub(crate) struct InTask {
        // Goes first: nobody is to write into a pipe that nobody can read.
        _handler: Handler,
        pipe: Receiver,
    }

    impl InTask {
        /// Waits until it has come since [`Hearing::begin`]. Once it has, it always has.
        pub(crate) fn poll(&self, cx: &mut Context<'_>) -> Poll<()> {
            match self.pipe.poll_read_ready(cx) {
                Poll::Ready(Ok(())) => Poll::Ready(()),
                // The runtime ends.
                Poll::Ready(Err(_)) | Poll::Pending => Poll::Pending,
            }
        }
    }
}

#[cfg(not(unix))]
mod other {
    //! Nobody but the thread hears anything.

    use std::io;
    use std::task::{Context, Poll};

    use super::Signal;

    #[derive(Debug)]
    pub(crate) enum Hearing {}

    #[derive(Debug)]
    pub(crate) enum InTask {}

    impl Hearing {
        pub(crate) fn begin(_signal: Signal) -> io::Result<Self> {
            Err(io::ErrorKind::Unsupported.into())
        }

        pub(crate) fn in_task(self) -> io::Result<InTask> {
            match self {}
        }
    }

    impl InTask {
        pub(crate) fn poll(&self, _cx: &mut Context<'_>) -> Poll<()> {
            match *self {}
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::future::poll_fn;
    use std::os::unix::process::ExitStatusExt;
    use std::process::{Command, id};

    use super::{Hearing, Signal};
    use crate::signals::Listener;

    /// Says to a process of this test when it is to be sent the signal that ends it.
    const IS_BELOW: &str = "PERENNIAL_TEST_OF_HEARING";

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
            let hearing = Hearing::begin(Signal::USER_2).expect("it can be heard");
            if when == "before" {
                return send("-USR2");
            }
            let (told, heard) = std::sync::mpsc::channel();
            let tell = move |signal| told.send(signal).expect("the test waits");
            let listener = Listener::start(&[Signal::USER_2], tell);
            send("-USR2");
            assert_eq!(heard.recv(), Ok(Signal::USER_2));
            // It has come before the task was there.
            let hearing = hearing.in_task().expect("a runtime with I/O");
            poll_fn(|cx| hearing.poll(cx)).await;
            drop(hearing);
            send("-USR2");
            assert_eq!(heard.recv(), Ok(Signal::USER_2), "the thread hears on");
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
    async fn a_task_is_roused_by_a_signal_and_not_before() {
        let ready = Signal::new(signal_hook::consts::SIGIO);
        let listener = Listener::start(&[ready], |_| {});
        let hearing = Hearing::begin(ready).expect("it can be heard");
        let hearing = hearing.in_task().expect("a runtime with I/O");
        let mut is_heard = false;
        let mut sender = None;
        poll_fn(|cx| {
            let polled = hearing.poll(cx);
            is_heard = polled.is_ready();
            if sender.is_none() {
                assert!(!is_heard, "nobody has sent it");
                sender = Some(std::thread::spawn(|| send("-IO")));
            }
            polled
        })
        .await;
        assert!(sender.is_some_and(|sender| sender.join().is_ok()));
        drop(listener);
    }

    #[test]
    fn what_no_program_can_hear_is_refused() {
        assert!(Hearing::begin(Signal::new(9)).is_err());
    }
}
