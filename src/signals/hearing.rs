//! A signal as a task hears it.
//!
//! Beside the thread, not in its place: a task hears of it sooner, because the thread would first have to rouse
//! the one that the task runs on, and does not hear of it at all while its runtime stands still.

#[cfg(not(unix))]
pub(crate) use self::other::Hearing;
#[cfg(unix)]
pub(crate) use self::unix::Hearing;
use super::Signal;

#[cfg(unix)]
mod unix {
    use std::io::{self, PipeReader, PipeWriter};
    use std::os::fd::OwnedFd;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::task::{Context, Poll, ready};

    use signal_hook::SigId;
    use signal_hook::low_level::{pipe, unregister};
    use tokio::net::unix::pipe::Receiver;

    use super::Signal;
    use crate::signals::unix::default_until_heard;

    /// Takes in a signal for a task that is not there yet.
    #[derive(Debug)]
    pub(crate) struct Hearing {
        handlers: Handlers,
        pipe: PipeReader,
    }

    /// What handlers do until this is dropped. The pipe rouses the task, and the flag says why: a process that
    /// was forked has the pipe in common with this one, and hears its own signals by the same handlers.
    #[derive(Debug)]
    struct Handlers {
        flag: Arc<AtomicBool>,
        _rouses: Handler,
        _notes: Handler,
    }

    impl Handlers {
        fn begin(signal: Signal, pipe: PipeWriter) -> io::Result<Self> {
            let flag = Arc::new(AtomicBool::new(false));
            let noted = Arc::clone(&flag);
            let notes = Handler(signal_hook::flag::register(signal.number(), noted)?);
            let rouses = Handler(pipe::register(signal.number(), pipe)?);
            Ok(Self {
                flag,
                _rouses: rouses,
                _notes: notes,
            })
        }
    }

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
            let (pipe, written) = io::pipe()?;
            Self::reading(signal, pipe, written)
        }

        /// The same, with a pipe that is there.
        pub(super) fn reading(
            signal: Signal,
            pipe: PipeReader,
            written: PipeWriter,
        ) -> io::Result<Self> {
            let handlers = Handlers::begin(signal, written)?;
            Ok(Self { handlers, pipe })
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
                handlers: self.handlers,
                pipe: Receiver::from_owned_fd(OwnedFd::from(self.pipe))?,
            })
        }
    }

    /// A signal for a task.
    #[derive(Debug)]
    pub(crate) struct InTask {
        handlers: Handlers,
        pipe: Receiver,
    }

    impl InTask {
        /// Waits until it has come since [`Hearing::begin`]. Once it has, it always has.
        pub(crate) fn poll(&self, cx: &mut Context<'_>) -> Poll<()> {
            loop {
                if ready!(self.pipe.poll_read_ready(cx)).is_err() {
                    // The runtime ends.
                    return Poll::Pending;
                }
                if self.handlers.flag.load(Ordering::SeqCst) {
                    return Poll::Ready(());
                }
                match self.pipe.try_read(&mut [0; 64]) {
                    // Somebody took the handler away.
                    Ok(0) => return Poll::Pending,
                    Ok(_foreign) => {}
                    Err(empty) if empty.kind() == io::ErrorKind::WouldBlock => {}
                    Err(_) => return Poll::Pending,
                }
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
    use std::io::{Write, pipe};
    use std::os::unix::process::ExitStatusExt;
    use std::process::{Command, id};
    use std::task::Poll;

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
    async fn a_task_is_roused_by_a_signal_and_not_by_what_a_forked_process_writes() {
        let timer = Signal::new(signal_hook::consts::SIGVTALRM);
        let listener = Listener::start(&[timer], |_| {}).expect("it can be heard");
        let (pipe, mut written) = pipe().expect("a pipe");
        let also_written = written.try_clone().expect("one more end");
        let hearing = Hearing::reading(timer, pipe, also_written).expect("it can be heard");
        let hearing = hearing.in_task().expect("a runtime with I/O");
        let mut polls = 0;
        let mut sender = None;
        poll_fn(|cx| {
            polls += 1;
            let polled = hearing.poll(cx);
            match polls {
                1 => {
                    assert_eq!(polled, Poll::Pending, "nobody has written");
                    written.write_all(b"foreign").expect("there is room");
                }
                2 => {
                    assert_eq!(polled, Poll::Pending, "nobody has sent it");
                    sender = Some(std::thread::spawn(|| send("-VTALRM")));
                }
                _ => {}
            }
            polled
        })
        .await;
        assert!(polls > 2, "it was roused twice");
        assert!(sender.is_some_and(|sender| sender.join().is_ok()));
        drop(listener);
    }

    #[test]
    fn what_no_program_can_hear_is_refused() {
        assert!(Hearing::begin(Signal::new(9)).is_err());
    }
}
