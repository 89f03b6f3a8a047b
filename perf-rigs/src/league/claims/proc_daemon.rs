//! proc-daemon at the same work.

use proc_daemon::shutdown::ShutdownCoordinator;
use proc_daemon::subsystem::SubsystemManager;
use proc_daemon::{Config, Daemon, LogLevel, ShutdownHandle};

use super::life::UP;
use super::reading::{CHILDREN, with_readers};
use super::register::{TASKS, each};
use crate::heat::{Effort, Figures};

async fn nothing(_shutdown: ShutdownHandle) -> proc_daemon::Result<()> {
    Ok(())
}

pub(super) fn register(effort: Effort) -> Option<Figures> {
    let names: Vec<String> = (0..TASKS).map(|number| format!("task{number}")).collect();
    each(effort, || {
        let config = Config::new().expect("its defaults");
        let builder = Daemon::builder(config).without_signals();
        let builder = names
            .iter()
            .fold(builder, |builder, name| builder.with_task(name, nothing));
        builder.build().expect("it builds")
    })
}

/// A daemon with one task, which says when it is up.
pub(super) async fn live() {
    let config = Config::builder().name("alone").log_level(LogLevel::Error);
    let config = config.build().expect("it is valid");
    let task = |mut shutdown: ShutdownHandle| async move {
        println!("{UP}");
        shutdown.cancelled().await;
        Ok(())
    };
    let builder = Daemon::builder(config).with_task("task", task);
    let daemon = builder.build().expect("it builds");
    daemon.run().await.expect("it runs");
}

pub(super) fn read(readers: usize, effort: Effort) -> Option<Figures> {
    let start = async || {
        let manager = SubsystemManager::new(ShutdownCoordinator::new(5_000, 10_000, 15_000));
        for number in 0..CHILDREN {
            manager.register_fn(
                &format!("c{number}"),
                |mut shutdown: ShutdownHandle| async move {
                    shutdown.cancelled().await;
                    Ok(())
                },
            );
        }
        manager.start_all().await.expect("they start");
        manager
    };
    with_readers(readers, effort, start, |manager| {
        manager.get_all_metadata().len()
    })
}
