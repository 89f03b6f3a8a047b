//! What signals do to a daemon: SIGHUP reads the configuration, SIGTERM ends it in order.
//!
//! Watch for the event that follows SIGHUP, and for the report after SIGTERM. SIGUSR1 opens the log file
//! anew, a second SIGTERM forces the end, a third ends the process at once. Here a child sends the
//! signals; in life `systemctl reload` and `systemctl stop` do.

#![allow(clippy::print_stdout, reason = "an example talks to the reader")]

use std::process::{Command, ExitCode};

use perennial::config::{Live, NoConfig};
use perennial::{BoxError, Child, Context, Daemon, Supervisor};

fn signal(name: &str) -> Result<(), BoxError> {
    let process = std::process::id().to_string();
    let sent = Command::new("kill").args(["-s", name, &process]).status()?;
    sent.success()
        .then_some(())
        .ok_or_else(|| "no signal was sent".into())
}

async fn operate(cx: Context, live: Live<NoConfig>) -> Result<(), BoxError> {
    let mut everything = live.section("");
    let file = live.snapshot().files()[0].clone();
    std::fs::write(&file, "[shutdown]\ngraceful = \"2s\"\n")?;
    signal("HUP")?;
    let now = everything.changed().await;
    println!("version {}: {:?}", now.version(), now.settings().shutdown);
    std::fs::remove_file(&file)?;
    signal("TERM")?;
    cx.shutdown().await;
    println!("my turn to stop");
    Ok(())
}

fn main() -> ExitCode {
    let file =
        std::env::temp_dir().join(format!("perennial-example-12-{}.toml", std::process::id()));
    if std::fs::write(&file, "[shutdown]\ngraceful = \"1s\"\n").is_err() {
        return ExitCode::FAILURE;
    }
    Daemon::new("example")
        .config_file(&file)
        .without_http()
        .set("logging.level=error")
        // Nothing but the signal reads it.
        .set("daemon.hot_reload=false")
        .tree_live(|live| {
            let operates = Child::task_with("operates", live.clone(), operate);
            Ok(Supervisor::one_for_one("app").child(operates))
        })
        .run()
}
