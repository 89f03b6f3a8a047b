//! The signals that end a process, as a stream of numbers.
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

#[cfg(all(test, unix))]
mod tests {
    use super::Terminations;

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
