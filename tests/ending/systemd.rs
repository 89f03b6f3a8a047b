//! What a service manager hears: a real datagram socket plays `NOTIFY_SOCKET`.

use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use crate::process::Daemon;

/// The steps of a daemon that is to be ended by signals alone.
const LONG: [u32; 3] = [400_000, 500_000, 600_000];

/// How long nothing is heard from one who would speak every tenth of that.
const SILENCE: Duration = Duration::from_secs(2);

/// The service manager.
struct Manager {
    socket: UnixDatagram,
    address: String,
}

impl Drop for Manager {
    fn drop(&mut self) {
        // An abstract name is no file.
        drop(std::fs::remove_file(&self.address));
    }
}

impl Manager {
    fn with_abstract_name(name: &str) -> Self {
        let name = format!("perennial-tests-{name}-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).expect("a name");
        Self {
            socket: UnixDatagram::bind_addr(&address).expect("nobody has it"),
            address: format!("@{name}"),
        }
    }

    fn at_path(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("perennial-{name}-{}", std::process::id()));
        drop(std::fs::remove_file(&path));
        Self {
            socket: UnixDatagram::bind(&path).expect("nobody has it"),
            address: path.to_str().expect("text").to_owned(),
        }
    }

    fn start(&self, role: &str, set: &[&str], watchdog: bool) -> Daemon {
        let mut variables = vec![("NOTIFY_SOCKET", self.address.as_str())];
        if watchdog {
            variables.push(("WATCHDOG_USEC", "200000"));
        }
        Daemon::start_with(role, LONG, set, &variables)
    }

    /// Reads the next datagram.
    fn next(&self) -> String {
        let mut bytes = [0; 4096];
        let count = self.socket.recv(&mut bytes).expect("the daemon speaks");
        String::from_utf8_lossy(&bytes[..count]).into_owned()
    }

    /// Reads datagrams until one has all these lines, and returns it.
    fn hears(&self, lines: &[&str]) -> String {
        loop {
            let text = self.next();
            if lines
                .iter()
                .all(|line| text.lines().any(|said| said.starts_with(line)))
            {
                return text;
            }
        }
    }

    /// Waits until nothing more is said.
    fn hears_nothing_more(&self) {
        let timeout = self.socket.set_read_timeout(Some(SILENCE));
        timeout.expect("it can be set");
        let mut bytes = [0; 4096];
        while self.socket.recv(&mut bytes).is_ok() {}
    }
}

#[test]
fn the_manager_hears_of_start_reload_drain_and_stop() {
    let manager = Manager::at_path("life");
    let daemon = manager.start("idle", &["shutdown.drain_delay=\"1500ms\""], false);
    manager.hears(&["READY=1", "STATUS=running"]);
    daemon.signal("HUP");
    // One datagram for both.
    manager.hears(&["RELOADING=1", "MONOTONIC_USEC="]);
    manager.hears(&["READY=1"]);
    daemon.signal("TERM");
    let stopping = manager.hears(&["STOPPING=1", "EXTEND_TIMEOUT_USEC="]);
    let micros = stopping
        .lines()
        .find_map(|line| line.strip_prefix("EXTEND_TIMEOUT_USEC="));
    let micros: u64 = micros.expect("it was there").parse().expect("a number");
    assert!(micros > 600_000_000, "until the kill: {micros}");
    // While it still serves.
    manager.hears(&["EXTEND_TIMEOUT_USEC=", "STATUS=stopping: "]);
    daemon.end().is(0, 400_000, &["app: ended in time"]);
}

#[test]
fn a_reload_during_the_start_does_not_end_the_start() {
    let file = std::env::temp_dir().join(format!("perennial-start-{}.toml", std::process::id()));
    std::fs::write(&file, "").expect("it can be written");
    let manager = Manager::with_abstract_name("start");
    let variables = [
        ("NOTIFY_SOCKET", manager.address.as_str()),
        ("PERENNIAL_TEST_ENDING_FILE", file.to_str().expect("text")),
    ];
    let mut daemon = Daemon::start_with("starts-on-order", LONG, &[], &variables);
    daemon = daemon.serves_and_says("up");
    std::fs::write(&file, "[daemon]\nnonsense = 1\n").expect("it can be written");
    daemon.signal("HUP");
    daemon.until("/metrics", |answer| {
        answer.contains("perennial_config_reloads_total{result=\"rejected\"} 1")
    });
    std::fs::remove_file(&file).expect("it is there");
    daemon.tell("go on");
    assert_eq!(manager.next(), "READY=1\nSTATUS=running\n");
    daemon
        .end_by("TERM")
        .is(0, 400_000, &["app: ended in time"]);
}

#[test]
fn the_watchdog_is_fed_only_while_the_root_answers() {
    let manager = Manager::with_abstract_name("watchdog");
    let mut daemon = manager.start("blocks-on-order", &["runtime.worker_threads=2"], true);
    daemon = daemon.serves_and_says("up");
    manager.hears(&["READY=1"]);
    for _ in 0..3 {
        manager.hears(&["WATCHDOG=1"]);
    }
    daemon.tell("block");
    manager.hears_nothing_more();
    daemon
        .signal_until_end("TERM")
        .is(143, 400_000, &["/app/blocks0 running for"]);
}
