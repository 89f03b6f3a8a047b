//! proc-daemon: a whole daemon, which is told by the signal that it listens for.

use std::pin::Pin;
use std::sync::Arc;

use proc_daemon::{Config, Daemon, LogLevel, RestartPolicy, ShutdownHandle, Subsystem};
use rustix::process::{Signal, getpid, kill_process};

use super::stage::{CHILDREN, Stage};
use super::{DEADLINE, Starting, Stopping};

struct Player(Arc<Stage>, &'static str);

impl Subsystem for Player {
    fn run(
        &self,
        mut shutdown: ShutdownHandle,
    ) -> Pin<Box<dyn Future<Output = proc_daemon::Result<()>> + Send>> {
        let (stage, child) = (Arc::clone(&self.0), self.1);
        Box::pin(async move {
            let told = async move { shutdown.cancelled().await };
            let lived = stage.live(child, told).await;
            lived.map_err(|failed| proc_daemon::Error::runtime(failed.to_string()))
        })
    }

    fn name(&self) -> &str {
        self.1
    }

    fn restart_policy(&self) -> RestartPolicy {
        RestartPolicy::Always
    }
}

fn daemon(stage: &Arc<Stage>) -> proc_daemon::Result<Daemon> {
    let config = Config::builder()
        .name("scene")
        .log_level(LogLevel::Error)
        .shutdown_timeout(DEADLINE)?
        .force_shutdown_timeout(DEADLINE * 2)?
        .kill_timeout(DEADLINE * 3)?
        .build()?;
    let builder = CHILDREN
        .into_iter()
        .fold(Daemon::builder(config), |builder, child| {
            builder.with_subsystem(Player(Arc::clone(stage), child))
        });
    builder.with_signals(true, true).build()
}

pub(super) fn play(stage: Arc<Stage>) -> Starting {
    Box::pin(async move {
        let daemon = daemon(&stage).expect("it is made");
        let running = tokio::spawn(daemon.run());
        Stopping::new(async move {
            kill_process(getpid(), Signal::TERM).expect("it may");
            format!("{:?}", running.await)
        })
    })
}
