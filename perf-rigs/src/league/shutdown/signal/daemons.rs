//! The daemons that are sent SIGTERM. Each has one task, which waits for it, on a runtime with two workers.

use perennial::{Child, Daemon, Supervisor};
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{SignalKind, signal};

use super::{UP, now, tell_seen};

pub(super) const OURS: &str = "perennial";
pub(super) const BARE: &str = "tokio::signal in a task";
pub(super) const BARE_IN_MAIN: &str = "tokio::signal in main";
#[cfg(feature = "peers")]
pub(super) const PROC_DAEMON: &str = "proc-daemon";
#[cfg(feature = "peers")]
pub(super) const TOKIO_GRACEFUL_SHUTDOWN: &str = "tokio-graceful-shutdown";

/// Returns what this program is called with to be one of them.
pub(super) fn arguments(contender: &str) -> [&str; 3] {
    ["--one", super::DAEMON, contender]
}

/// Is a daemon to its end.
///
/// # Panics
///
/// When there is none of this name.
pub(crate) fn be_a_daemon(contender: &str) {
    match contender {
        OURS => ours(),
        BARE => runtime().block_on(async {
            let task = tokio::spawn(hear());
            task.await.expect("it does not panic");
        }),
        BARE_IN_MAIN => runtime().block_on(hear()),
        #[cfg(feature = "peers")]
        PROC_DAEMON => proc_daemon(),
        #[cfg(feature = "peers")]
        TOKIO_GRACEFUL_SHUTDOWN => tokio_graceful_shutdown(),
        other => panic!("no daemon is called {other}"),
    }
}

fn runtime() -> Runtime {
    let mut builder = Builder::new_multi_thread();
    let runtime = builder.worker_threads(2).enable_all().build();
    runtime.expect("a runtime")
}

fn ours() {
    let task = Child::task("one", |cx| async move {
        println!("{UP}");
        cx.shutdown().await;
        tell_seen(now());
        Ok(())
    });
    let daemon = Daemon::new("bench")
        .set("runtime.worker_threads=2")
        .set("logging.level=\"error\"")
        .without_http()
        .tree(Supervisor::one_for_one("bench").child(task));
    daemon.run_report().expect("it starts");
}

async fn hear() {
    let mut terminate = signal(SignalKind::terminate()).expect("it is heard");
    println!("{UP}");
    terminate.recv().await;
    tell_seen(now());
}

#[cfg(feature = "peers")]
fn proc_daemon() {
    use proc_daemon::{Config, LogLevel, ShutdownHandle};

    async fn task(mut shutdown: ShutdownHandle) -> proc_daemon::Result<()> {
        println!("{UP}");
        shutdown.cancelled().await;
        tell_seen(now());
        Ok(())
    }
    let config = Config::builder().log_level(LogLevel::Error);
    let config = config.build().expect("it is valid");
    let daemon = proc_daemon::Daemon::builder(config).with_task("one", task);
    let daemon = daemon.build().expect("it builds");
    runtime().block_on(daemon.run()).expect("it runs");
}

#[cfg(feature = "peers")]
fn tokio_graceful_shutdown() {
    use tokio_graceful_shutdown::{SubsystemBuilder, SubsystemHandle, Toplevel};

    runtime().block_on(async {
        let top = Toplevel::new(async |subsystem: &mut SubsystemHandle| {
            let task = async |subsystem: &mut SubsystemHandle| -> Result<(), std::io::Error> {
                println!("{UP}");
                subsystem.on_shutdown_requested().await;
                tell_seen(now());
                Ok(())
            };
            subsystem.start(SubsystemBuilder::new("one", task));
        });
        let top = top.catch_signals();
        let ended = top.handle_shutdown_requests(std::time::Duration::from_secs(5));
        ended.await.expect("it ends in time");
    });
}
