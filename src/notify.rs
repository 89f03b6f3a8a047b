//! Tells the service manager what the process is doing: systemd's notification protocol.
//!
//! One datagram for each message, to the socket that `NOTIFY_SOCKET` names; without one nothing is sent.
//! Written here and not taken from a crate: it is a hundred lines, a send must not block a daemon that the
//! manager does not listen to, and the environment is read once, when the value is made.
//!
//! Source: sd_notify(3), sd_watchdog_enabled(3).

use std::ffi::OsStr;
use std::fmt;
use std::io;
#[cfg(unix)]
use std::sync::Arc;
use std::time::Duration;

/// How long one message may take to be handed over; the manager's queue may be full for a moment.
#[cfg(unix)]
const SEND_PATIENCE: Duration = Duration::from_millis(100);

/// Sends messages to the service manager. Clones send to the same one.
#[derive(Clone, Default)]
pub struct Notifier {
    #[cfg(unix)]
    socket: Option<Arc<unix::Socket>>,
    watchdog: Option<Duration>,
}

impl Notifier {
    /// Makes one that sends to whom the environment names, and to nobody where it names none.
    ///
    /// # Errors
    ///
    /// What the environment names can't be sent to.
    pub fn from_environment() -> io::Result<Self> {
        let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        let Some(address) = variable("NOTIFY_SOCKET") else {
            return Ok(Self::default());
        };
        let number = |name| variable(name)?.to_str()?.parse::<u64>().ok();
        let is_ours = number("WATCHDOG_PID").is_none_or(|pid| pid == u64::from(std::process::id()));
        let interval = number("WATCHDOG_USEC").filter(|micros| *micros > 0 && is_ours);
        let mut named = Self::to(&address)?;
        named.watchdog = interval.map(Duration::from_micros);
        Ok(named)
    }

    /// Makes one that sends to this socket: a path, or `@` and an abstract name (Linux).
    ///
    /// # Errors
    ///
    /// The address is none of the two, or there is no room for a socket.
    #[cfg(unix)]
    pub fn to(address: &OsStr) -> io::Result<Self> {
        Ok(Self {
            socket: Some(Arc::new(unix::Socket::to(address)?)),
            watchdog: None,
        })
    }

    /// Makes one that sends to nobody: there is no systemd here.
    ///
    /// # Errors
    ///
    /// Always.
    #[cfg(not(unix))]
    pub fn to(_address: &OsStr) -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Tells whether anybody is told.
    #[must_use]
    pub fn is_heard(&self) -> bool {
        #[cfg(unix)]
        return self.socket.is_some();
        #[cfg(not(unix))]
        false
    }

    /// Returns within which time the manager wants to hear [`alive`](Self::alive) again; `None` where it
    /// does not.
    #[must_use]
    pub fn watchdog(&self) -> Option<Duration> {
        self.watchdog
    }

    /// Says that the start, or a reload, is over.
    pub fn ready(&self, status: &str) {
        self.send(&format!("READY=1\n{}", status_line(status)));
    }

    /// Says in words what the process is doing.
    pub fn status(&self, status: &str) {
        self.send(&status_line(status));
    }

    /// Says that a reload begins. Both lines in one datagram, as `Type=notify-reload` wants it.
    pub fn reloading(&self) {
        #[cfg(unix)]
        self.send(&format!(
            "RELOADING=1\nMONOTONIC_USEC={}\n",
            unix::monotonic_micros()
        ));
    }

    /// Says that the process ends, and within which time from now.
    pub fn stopping(&self, within: Duration, status: &str) {
        let text = format!("STOPPING=1\n{}{}", extend_line(within), status_line(status));
        self.send(&text);
    }

    /// Asks for so much time from now on to end.
    pub fn extend(&self, within: Duration, status: &str) {
        self.send(&format!("{}{}", extend_line(within), status_line(status)));
    }

    /// Says that the process makes progress.
    pub fn alive(&self) {
        self.send("WATCHDOG=1\n");
    }

    /// Sends, or logs that it could not: a manager that does not listen is no reason to end.
    fn send(&self, text: &str) {
        #[cfg(unix)]
        if let Some(socket) = &self.socket
            && let Err(error) = socket.send(text)
        {
            tracing::debug!(%error, "the service manager was not told");
        }
        #[cfg(not(unix))]
        let _nobody = text;
    }
}

/// One line, whatever the text.
fn status_line(status: &str) -> String {
    format!("STATUS={}\n", status.replace('\n', " "))
}

fn extend_line(within: Duration) -> String {
    format!("EXTEND_TIMEOUT_USEC={}\n", within.as_micros())
}

impl fmt::Debug for Notifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Notifier")
            .field("is_heard", &self.is_heard())
            .field("watchdog", &self.watchdog)
            .finish()
    }
}

#[cfg(unix)]
mod unix {
    use std::ffi::OsStr;
    use std::io;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::net::{SocketAddr, UnixDatagram};
    use std::path::Path;

    use rustix::time::{ClockId, clock_gettime};

    use super::SEND_PATIENCE;

    pub(super) struct Socket {
        own: UnixDatagram,
        manager: SocketAddr,
    }

    impl Socket {
        pub(super) fn to(address: &OsStr) -> io::Result<Self> {
            let own = UnixDatagram::unbound()?;
            own.set_write_timeout(Some(SEND_PATIENCE))?;
            let manager = match address.as_bytes().split_first() {
                Some((b'@', name)) => abstract_name(name)?,
                Some((b'/', _)) => SocketAddr::from_pathname(Path::new(address))?,
                _ => {
                    let message = format!("{address:?} is no path and no abstract name");
                    return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
                }
            };
            Ok(Self { own, manager })
        }

        pub(super) fn send(&self, text: &str) -> io::Result<()> {
            self.own.send_to_addr(text.as_bytes(), &self.manager)?;
            Ok(())
        }
    }

    #[cfg(target_os = "linux")]
    fn abstract_name(name: &[u8]) -> io::Result<SocketAddr> {
        use std::os::linux::net::SocketAddrExt;

        SocketAddr::from_abstract_name(name)
    }

    #[cfg(not(target_os = "linux"))]
    fn abstract_name(_name: &[u8]) -> io::Result<SocketAddr> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Returns the time of the clock that the manager compares with its own.
    pub(super) fn monotonic_micros() -> i64 {
        let now = clock_gettime(ClockId::Monotonic);
        now.tv_sec.saturating_mul(1_000_000) + now.tv_nsec / 1_000
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::ffi::OsStr;
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::{SocketAddr, UnixDatagram};
    use std::time::Duration;

    use super::Notifier;

    #[test]
    fn each_message_is_one_datagram_in_the_words_of_the_protocol() {
        let name = format!("perennial-tests-notify-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).expect("a name");
        let manager = UnixDatagram::bind_addr(&address).expect("nobody has it");
        let notifier = Notifier::to(OsStr::new(&format!("@{name}"))).expect("an address");
        let heard = || {
            let mut bytes = [0; 256];
            let count = manager.recv(&mut bytes).expect("it was sent");
            String::from_utf8_lossy(&bytes[..count]).into_owned()
        };
        notifier.ready("up\nand well");
        assert_eq!(heard(), "READY=1\nSTATUS=up and well\n");
        notifier.reloading();
        let reloading = heard();
        let time = reloading.strip_prefix("RELOADING=1\nMONOTONIC_USEC=");
        let time: u64 = time.expect(&reloading).trim().parse().expect("a number");
        assert!(time > 0);
        notifier.stopping(Duration::from_millis(1_500), "soon");
        assert_eq!(
            heard(),
            "STOPPING=1\nEXTEND_TIMEOUT_USEC=1500000\nSTATUS=soon\n"
        );
        notifier.alive();
        assert_eq!(heard(), "WATCHDOG=1\n");
    }

    #[test]
    fn what_is_no_address_is_refused_and_a_manager_that_is_gone_ends_nothing() {
        assert!(Notifier::to(OsStr::new("vsock:2:1")).is_err());
        let gone = Notifier::to(OsStr::new("/nonexistent/socket")).expect("an address");
        gone.alive();
        Notifier::default().alive();
    }
}
