//! The thread that hears signals.

use std::io;

#[cfg(not(unix))]
use self::other as system;
#[cfg(unix)]
use self::unix as system;
#[cfg(all(unix, feature = "daemon"))]
pub(super) use self::unix::default_until_heard;
use super::Signal;

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
}

#[cfg(unix)]
mod unix {
    use std::collections::BTreeMap;
    use std::collections::btree_map::Entry;
    use std::io;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::{Arc, LazyLock};

    use signal_hook::consts::FORBIDDEN;
    use signal_hook::iterator::{Handle, Signals};

    use super::Signal;
    use crate::sync::{Mutex, lock};

    #[derive(Debug)]
    pub(super) struct Inner {
        handle: Handle,
        signals: Vec<Signal>,
    }

    /// Who listens for a signal; with nobody left it does what it does by default.
    struct Heard {
        listeners: usize,
        by_nobody: Arc<AtomicBool>,
    }

    /// Handlers belong to the process, and so does this.
    static HEARD: LazyLock<Mutex<BTreeMap<Signal, Heard>>> = LazyLock::new(Mutex::default);

    pub(super) fn start(
        signals: &[Signal],
        mut heard: impl FnMut(Signal) + Send + 'static,
    ) -> io::Result<Inner> {
        check(signals)?;
        let numbers: Vec<i32> = signals.iter().map(|signal| signal.number()).collect();
        let mut stream = Signals::new(&numbers)?;
        // Taken back as a whole when one of them, or the thread, is refused.
        let mut inner = Inner {
            handle: stream.handle(),
            signals: Vec::new(),
        };
        for signal in signals {
            begin(*signal)?;
            inner.signals.push(*signal);
        }
        let named = std::thread::Builder::new().name("perennial-signals".to_owned());
        let _detached = named.spawn(move || {
            for number in stream.forever() {
                heard(Signal::new(number));
            }
        })?;
        Ok(inner)
    }

    fn check(signals: &[Signal]) -> io::Result<()> {
        let is_heard_by_nobody =
            |signal: &&Signal| !signal.is_possible() || FORBIDDEN.contains(&signal.number());
        match signals.iter().find(is_heard_by_nobody) {
            None => Ok(()),
            Some(signal) => {
                let message = format!("no program can hear {signal}");
                Err(io::Error::new(io::ErrorKind::InvalidInput, message))
            }
        }
    }

    /// Sees to it that a signal for which nobody listens yet does what it does by default, whatever handlers it
    /// is given from now on.
    #[cfg(feature = "daemon")]
    pub(in crate::signals) fn default_until_heard(signal: Signal) -> io::Result<()> {
        check(&[signal])?;
        entry(&mut lock(&HEARD), signal, true).map(drop)
    }

    fn begin(signal: Signal) -> io::Result<()> {
        let mut all = lock(&HEARD);
        // Somebody listens already, so that what comes in between is not lost.
        let heard = entry(&mut all, signal, false)?;
        heard.listeners += 1;
        heard.by_nobody.store(false, Ordering::SeqCst);
        Ok(())
    }

    /// Returns what is known of a signal, for the first time as it is said.
    fn entry(
        all: &mut BTreeMap<Signal, Heard>,
        signal: Signal,
        by_nobody: bool,
    ) -> io::Result<&mut Heard> {
        match all.entry(signal) {
            Entry::Occupied(known) => Ok(known.into_mut()),
            Entry::Vacant(first) => {
                let by_nobody = Arc::new(AtomicBool::new(by_nobody));
                let asked = Arc::clone(&by_nobody);
                // Once in the life of the process: a handler can't be taken away again.
                signal_hook::flag::register_conditional_default(signal.number(), asked)?;
                Ok(first.insert(Heard {
                    listeners: 0,
                    by_nobody,
                }))
            }
        }
    }

    fn end(signal: Signal) {
        if let Some(heard) = lock(&HEARD).get_mut(&signal) {
            heard.listeners -= 1;
            let is_by_nobody = heard.listeners == 0;
            heard.by_nobody.store(is_by_nobody, Ordering::SeqCst);
        }
    }

    impl Inner {
        pub(super) fn change(&mut self, signals: &[Signal]) -> io::Result<()> {
            check(signals)?;
            for signal in signals {
                if !self.signals.contains(signal) {
                    self.handle.add_signal(signal.number())?;
                    begin(*signal)?;
                    self.signals.push(*signal);
                }
            }
            let (kept, gone) = self.signals.iter().partition(|had| signals.contains(had));
            self.signals = kept;
            let gone: Vec<Signal> = gone;
            gone.into_iter().for_each(end);
            Ok(())
        }
    }

    impl Drop for Inner {
        fn drop(&mut self) {
            self.signals.iter().copied().for_each(end);
            self.handle.close();
        }
    }
}

#[cfg(not(unix))]
mod other {
    //! Console events of Windows; on other systems Ctrl-C alone.

    use std::io;
    use std::sync::Arc;

    use super::Signal;
    use crate::sync::{Mutex, lock};

    #[derive(Debug)]
    pub(super) struct Inner {
        _open: tokio::sync::oneshot::Sender<()>,
        wanted: Arc<Mutex<Vec<Signal>>>,
    }

    impl Inner {
        pub(super) fn change(&mut self, signals: &[Signal]) -> io::Result<()> {
            *lock(&self.wanted) = signals.to_vec();
            Ok(())
        }
    }

    pub(super) fn start(
        signals: &[Signal],
        mut heard: impl FnMut(Signal) + Send + 'static,
    ) -> io::Result<Inner> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let wanted = Arc::new(Mutex::new(signals.to_vec()));
        let asked = Arc::clone(&wanted);
        let (open, mut closed) = tokio::sync::oneshot::channel();
        let listening = async move {
            let mut events = Events::listen()?;
            loop {
                tokio::select! {
                    _dropped = &mut closed => return Ok::<(), io::Error>(()),
                    signal = events.next() => {
                        if lock(&asked).contains(&signal) {
                            heard(signal);
                        }
                    }
                }
            }
        };
        let named = std::thread::Builder::new().name("perennial-signals".to_owned());
        let _detached = named.spawn(move || {
            if let Err(error) = runtime.block_on(listening) {
                tracing::error!(%error, "the events of the console are not heard");
            }
        })?;
        Ok(Inner {
            _open: open,
            wanted,
        })
    }

    #[cfg(windows)]
    struct Events {
        interrupt: tokio::signal::windows::CtrlC,
        pause: tokio::signal::windows::CtrlBreak,
        close: tokio::signal::windows::CtrlClose,
        log_off: tokio::signal::windows::CtrlLogoff,
        shutdown: tokio::signal::windows::CtrlShutdown,
    }

    #[cfg(windows)]
    impl Events {
        fn listen() -> io::Result<Self> {
            use tokio::signal::windows;

            Ok(Self {
                interrupt: windows::ctrl_c()?,
                pause: windows::ctrl_break()?,
                close: windows::ctrl_close()?,
                log_off: windows::ctrl_logoff()?,
                shutdown: windows::ctrl_shutdown()?,
            })
        }

        async fn next(&mut self) -> Signal {
            tokio::select! {
                Some(()) = self.interrupt.recv() => Signal::INTERRUPT,
                Some(()) = self.pause.recv() => Signal::TERMINATE,
                Some(()) = self.close.recv() => Signal::TERMINATE,
                Some(()) = self.log_off.recv() => Signal::TERMINATE,
                Some(()) = self.shutdown.recv() => Signal::TERMINATE,
                else => std::future::pending().await,
            }
        }
    }

    #[cfg(not(windows))]
    struct Events;

    #[cfg(not(windows))]
    impl Events {
        fn listen() -> io::Result<Self> {
            Ok(Self)
        }

        async fn next(&mut self) -> Signal {
            match tokio::signal::ctrl_c().await {
                Ok(()) => Signal::INTERRUPT,
                Err(_refused) => std::future::pending().await,
            }
        }
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
