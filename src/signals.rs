//! The signals of a process, as streams: those that end it, and those that ask it for something.
//!
//! Handlers are installed when the value is made and stay for the life of the process: from then on
//! the default action, the sudden death, is gone, and somebody has to read. What a signal means is
//! not decided here.

use std::io;

/// SIGTERM, SIGINT and SIGQUIT as they arrive; elsewhere than on Unix Ctrl-C, told as SIGINT.
#[derive(Debug)]
pub struct Terminations {
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
    #[cfg(unix)]
    quit: tokio::signal::unix::Signal,
}

impl Terminations {
    /// Installs the handlers.
    ///
    /// # Errors
    ///
    /// The operating system's, when it refuses a handler.
    ///
    /// # Panics
    ///
    /// When called outside a tokio runtime with I/O.
    #[cfg(unix)]
    pub fn listen() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};

        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            quit: signal(SignalKind::quit())?,
        })
    }

    /// Prepares to hear of Ctrl-C.
    ///
    /// # Errors
    ///
    /// None on this platform; the signature is the one that Unix has.
    #[cfg(not(unix))]
    pub fn listen() -> io::Result<Self> {
        Ok(Self {})
    }

    /// Waits for the next signal and returns its number.
    ///
    /// Two signals of one kind that arrive before either is read are told as one, as the operating
    /// system does.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when the future is dropped.
    #[cfg(unix)]
    pub async fn recv(&mut self) -> i32 {
        use tokio::signal::unix::SignalKind;

        // A stream of signals ends with its runtime alone, and then so does this future.
        tokio::select! {
            Some(()) = self.terminate.recv() => SignalKind::terminate().as_raw_value(),
            Some(()) = self.interrupt.recv() => SignalKind::interrupt().as_raw_value(),
            Some(()) = self.quit.recv() => SignalKind::quit().as_raw_value(),
            else => std::future::pending().await,
        }
    }

    /// Waits for the next Ctrl-C and returns the number of SIGINT.
    #[cfg(not(unix))]
    pub async fn recv(&mut self) -> i32 {
        // What a shell on Unix calls Ctrl-C.
        const SIGINT: i32 = 2;
        match tokio::signal::ctrl_c().await {
            Ok(()) => SIGINT,
            Err(_refused) => std::future::pending().await,
        }
    }
}

/// What a signal asks of a process that goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Request {
    /// SIGHUP: read the configuration anew.
    Reload,
    /// SIGUSR1: open the log files anew.
    Reopen,
}

/// SIGHUP and SIGUSR1 as they arrive; elsewhere than on Unix there are none.
#[derive(Debug)]
pub struct Requests {
    #[cfg(unix)]
    hang_up: tokio::signal::unix::Signal,
    #[cfg(unix)]
    user_1: tokio::signal::unix::Signal,
}

impl Requests {
    /// Installs the handlers.
    ///
    /// # Errors
    ///
    /// The operating system's, when it refuses a handler.
    ///
    /// # Panics
    ///
    /// When called outside a tokio runtime with I/O.
    #[cfg(unix)]
    pub fn listen() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};

        Ok(Self {
            hang_up: signal(SignalKind::hangup())?,
            user_1: signal(SignalKind::user_defined1())?,
        })
    }

    /// Prepares to hear of nothing.
    ///
    /// # Errors
    ///
    /// None on this platform; the signature is the one that Unix has.
    #[cfg(not(unix))]
    pub fn listen() -> io::Result<Self> {
        Ok(Self {})
    }

    /// Waits for the next request. Two of one kind that arrive before either is read are one.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when the future is dropped.
    #[cfg(unix)]
    pub async fn recv(&mut self) -> Request {
        tokio::select! {
            Some(()) = self.hang_up.recv() => Request::Reload,
            Some(()) = self.user_1.recv() => Request::Reopen,
            else => std::future::pending().await,
        }
    }

    /// Waits for ever.
    #[cfg(not(unix))]
    pub async fn recv(&mut self) -> Request {
        std::future::pending().await
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::{Request, Requests, Terminations};

    #[tokio::test]
    async fn a_request_is_told_by_its_meaning() {
        let mut requests = Requests::listen().expect("handlers can be installed");
        let process = std::process::id().to_string();
        for (name, expected) in [("-HUP", Request::Reload), ("-USR1", Request::Reopen)] {
            let sent = std::process::Command::new("kill")
                .args([name, &process])
                .status();
            assert!(sent.expect("kill runs").success());
            assert_eq!(requests.recv().await, expected);
        }
    }

    #[tokio::test]
    async fn a_signal_is_told_by_its_number() {
        let mut terminations = Terminations::listen().expect("handlers can be installed");
        let process = std::process::id().to_string();
        let sent = std::process::Command::new("kill")
            .args(["-QUIT", &process])
            .status();
        assert!(sent.expect("kill runs").success());
        assert_eq!(terminations.recv().await, 3);
    }
}
