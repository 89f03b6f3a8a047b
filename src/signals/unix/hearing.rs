//! A signal as a task hears it.
//!
//! In place of the thread: it would first have to rouse the one that the task runs on, and roused beside it by the
//! same handler it would compete with it for a processor. What the task has heard is still the thread's to count.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::net::unix::pipe::Receiver;

use super::notes::{Loan, Notes};
use crate::signals::Signal;

/// Lends what a thread hears.
#[derive(Debug)]
pub(crate) struct Lender {
    notes: Arc<Notes>,
}

impl Lender {
    pub(super) fn new(notes: &Arc<Notes>) -> Self {
        Self {
            notes: Arc::clone(notes),
        }
    }

    /// Lends a signal to a task of the runtime on which this is called, which needs its driver of I/O.
    ///
    /// # Errors
    ///
    /// The operating system's, and `NotFound` where the thread does not listen for it.
    ///
    /// # Panics
    ///
    /// Outside a runtime with I/O.
    pub(crate) fn lend(&self, signal: Signal) -> io::Result<Hearing> {
        let (read, pipe) = io::pipe()?;
        Ok(Hearing {
            pipe: Receiver::from_owned_fd(OwnedFd::from(read))?,
            loan: self.notes.lend(signal, pipe)?,
        })
    }
}

/// A signal of which a task hears until this is dropped; the thread hears of it then, or when somebody
/// [looks out](Self::lookout) for it.
#[derive(Debug)]
pub(crate) struct Hearing {
    loan: Loan,
    pipe: Receiver,
}

impl Hearing {
    /// Waits until it has come and the thread has not heard of it yet.
    pub(crate) fn poll(&self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            if ready!(self.pipe.poll_read_ready(cx)).is_err() {
                // The runtime ends.
                return Poll::Pending;
            }
            if self.loan.is_noted() {
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

    /// Returns what is to be called now and then, so that the thread hears of the signal although the task does not come
    /// to it. When it is dropped the thread is roused again.
    pub(crate) fn lookout(&self) -> Box<dyn Fn() + Send> {
        let lookout = self.loan.lookout();
        Box::new(move || lookout.look())
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::io::{Write, pipe};
    use std::os::unix::process::ExitStatusExt;
    use std::process::{Command, id};
    use std::sync::mpsc::{self, TryRecvError, channel};
    use std::task::Poll;

    use super::{Hearing, Notes, Receiver, Signal};
    use crate::signals::Listener;

    /// Says to a process of this test that it is to be ended by a signal.
    const IS_BELOW: &str = "PERENNIAL_TEST_OF_HEARING";

    fn send(name: &str) {
        let sent = Command::new("kill")
            .args([name, &id().to_string()])
            .status();
        assert!(sent.is_ok_and(|sent| sent.success()), "kill runs");
    }

    /// Listens for a signal that is lent.
    fn lend(signal: Signal) -> (Listener, Hearing, mpsc::Receiver<Signal>) {
        let (told, heard) = channel();
        let tell = move |signal| told.send(signal).expect("the test waits");
        let listener = Listener::start(&[signal], tell).expect("it can be heard");
        let hearing = listener.lender().lend(signal);
        (listener, hearing.expect("a runtime with I/O"), heard)
    }

    #[tokio::test]
    async fn what_is_lent_rouses_the_task_alone_and_is_counted_by_the_thread_when_it_is_given_back()
    {
        let signal = Signal::new(signal_hook::consts::SIGPROF);
        let (listener, hearing, heard) = lend(signal);
        assert!(listener.lender().lend(signal).is_err(), "it is lent");
        send("-PROF");
        poll_fn(|cx| hearing.poll(cx)).await;
        poll_fn(|cx| hearing.poll(cx)).await;
        assert_eq!(
            heard.try_recv(),
            Err(TryRecvError::Empty),
            "it is not roused"
        );
        drop(hearing);
        assert_eq!(heard.recv(), Ok(signal));
        send("-PROF");
        assert_eq!(heard.recv(), Ok(signal), "the thread hears on");
        drop(listener);
        assert!(heard.recv().is_err(), "nothing was counted twice");
    }

    #[tokio::test]
    async fn the_thread_hears_of_what_a_task_does_not_come_to_when_somebody_looks_out() {
        let signal = Signal::new(signal_hook::consts::SIGIO);
        let (_listener, hearing, heard) = lend(signal);
        let lookout = hearing.lookout();
        send("-IO");
        lookout();
        assert_eq!(heard.recv(), Ok(signal));
        let polled = poll_fn(|cx| Poll::Ready(hearing.poll(cx))).await;
        assert_eq!(polled, Poll::Pending, "it is counted");
        drop(lookout);
        send("-IO");
        assert_eq!(
            heard.recv(),
            Ok(signal),
            "nobody looks, so the thread is roused"
        );
    }

    #[tokio::test]
    async fn a_task_is_roused_by_a_signal_and_not_by_what_a_forked_process_writes() {
        let timer = Signal::new(signal_hook::consts::SIGVTALRM);
        let (notes, of_the_thread) = Notes::new().expect("a pipe");
        let of_the_thread =
            Receiver::from_owned_fd(of_the_thread.into()).expect("a runtime with I/O");
        notes.change(&[timer]).expect("it can be heard");
        of_the_thread.readable().await.expect("it is open");
        let told = of_the_thread.try_read(&mut [0; 64]);
        assert_eq!(told.expect("it was told of the change"), 1);
        let (pipe, mut written) = pipe().expect("another");
        let also_written = written.try_clone().expect("one more end");
        let hearing = Hearing {
            loan: notes.lend(timer, also_written).expect("it is there"),
            pipe: Receiver::from_owned_fd(pipe.into()).expect("a runtime with I/O"),
        };
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
        let not_roused = of_the_thread.try_read(&mut [0; 64]);
        let not_roused = not_roused
            .expect_err("the thread was not, in its place")
            .kind();
        assert_eq!(not_roused, std::io::ErrorKind::WouldBlock);
        assert!(sender.is_some_and(|sender| sender.join().is_ok()));
    }

    #[tokio::test]
    async fn with_the_listener_a_signal_that_is_lent_goes_back_to_what_it_does_by_default() {
        if std::env::var(IS_BELOW).is_ok() {
            let (listener, _hearing, _heard) = lend(Signal::USER_2);
            drop(listener);
            return send("-USR2");
        }
        let name = "signals::unix::hearing::tests::with_the_listener_a_signal_that_is_lent_goes_back_to_what_it_does_by_default";
        let program = std::env::current_exe().expect("this program");
        let mut below = Command::new(program);
        let below = below.args([name, "--exact"]).env(IS_BELOW, "1");
        let ended = below.output().expect("it runs");
        assert_eq!(ended.status.signal(), Some(Signal::USER_2.number()));
    }

    #[tokio::test]
    async fn what_the_thread_does_not_listen_for_is_not_lent() {
        let listener = Listener::start(&[], |_| {}).expect("a thread");
        assert!(listener.lender().lend(Signal::HANGUP).is_err());
    }
}
