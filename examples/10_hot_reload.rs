//! A daemon whose configuration changes while it runs.
//!
//! Watch for the value that a child sees change, for the refusal that changes nothing, and for the key that
//! needs a restart.

#![allow(clippy::print_stdout, reason = "an example talks to the reader")]

use std::path::PathBuf;
use std::process::ExitCode;

use perennial::config::{Invalid, Live};
use perennial::policy::auto_shutdown::AutoShutdown;
use perennial::{BoxError, Child, Context, Daemon, Restart, Supervisor};
use serde::{Deserialize, Serialize};

#[derive(Debug, Serialize, Deserialize)]
struct MyConfig {
    greeting: Greeting,
}

#[derive(Debug, Serialize, Deserialize)]
struct Greeting {
    text: String,
}

/// Greets anew whenever its own section changes, until it is told to say goodbye.
async fn greet(cx: Context, live: Live<MyConfig>) -> Result<(), BoxError> {
    let mut section = live.section("greeting");
    println!("{}", section.seen().config().greeting.text);
    loop {
        tokio::select! {
            now = section.changed() => println!("{}", now.config().greeting.text),
            _by = cx.shutdown() => return Ok(()),
        }
    }
}

/// What an operator with an editor would do.
async fn edit(file: PathBuf, live: Live<MyConfig>) -> Result<(), BoxError> {
    std::fs::write(
        &file,
        "[greeting]\ntext = \"good evening\"\n[logging]\nmax_files = 2\n",
    )?;
    // The file is watched; to reload by hand tells what came of it.
    println!("{:?}", live.reload().await?);
    std::fs::write(&file, "[greeting]\ntext = \"\"\n")?;
    if let Err(error) = live.reload().await {
        println!("{}", perennial::exit::ErrorChain::new(&error));
    }
    std::fs::remove_file(&file)?;
    Ok(())
}

fn main() -> ExitCode {
    let file = std::env::temp_dir().join(format!("perennial-10-{}.toml", std::process::id()));
    if std::fs::write(&file, "[greeting]\ntext = \"good morning\"\n").is_err() {
        return ExitCode::FAILURE;
    }
    Daemon::new("example")
        .config::<MyConfig>()
        .config_file(&file)
        .without_http()
        .set("logging.level=off")
        .validate(|_old, new: &MyConfig| match new.greeting.text.is_empty() {
            true => Err(Invalid::at("greeting.text", "say something")),
            false => Ok(()),
        })
        .tree_live(move |live| {
            let greets = Child::task_with("greets", live.clone(), greet);
            let edits = Child::task_with("edits", (file, live.clone()), |_cx, (file, live)| {
                edit(file, live)
            });
            let root = Supervisor::one_for_one("app").auto_shutdown(AutoShutdown::AnySignificant);
            Ok(root
                .child(greets)
                .child(edits.restart(Restart::Transient).significant()))
        })
        .run()
}
