//! Console events of Windows; on other systems Ctrl-C alone.

use std::io;
use std::sync::Arc;

#[cfg(feature = "daemon")]
pub(crate) use self::hearing::Lender;
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

    /// Returns what lends its signals.
    #[cfg(feature = "daemon")]
    pub(super) fn lender(&self) -> Lender {
        Lender
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

#[cfg(feature = "daemon")]
mod hearing {
    //! Nobody but the thread hears anything.

    use std::io;
    use std::task::{Context, Poll};

    use crate::signals::Signal;

    #[derive(Debug)]
    pub(crate) struct Lender;

    #[derive(Debug)]
    pub(crate) enum Hearing {}

    impl Lender {
        pub(crate) fn lend(&self, _signal: Signal) -> io::Result<Hearing> {
            Err(io::ErrorKind::Unsupported.into())
        }
    }

    impl Hearing {
        pub(crate) fn poll(&self, _cx: &mut Context<'_>) -> Poll<()> {
            match *self {}
        }

        pub(crate) fn lookout(&self) -> Box<dyn Fn() + Send> {
            match *self {}
        }
    }
}
