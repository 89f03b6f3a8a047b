//! A struct of the program's own, filled from layers; every value knows where it was written.
//!
//! Watch for the origins in the printed configuration, for the secret that is not shown, and for the
//! mistake that is told with file, line and column. `examples/daemon.toml` has every key there is.

#![allow(clippy::print_stdout, reason = "an example talks to the reader")]

use std::time::Duration;

use perennial::BoxError;
use perennial::config::{Loader, Secret};
use serde::{Deserialize, Serialize};

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct MyConfig {
    store: Store,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(default)]
struct Store {
    path: String,
    password: Secret<String>,
    #[serde(with = "perennial::config::duration")]
    flush_every: Duration,
}

impl Default for Store {
    fn default() -> Self {
        Self {
            path: "/var/lib/example".to_owned(),
            password: Secret::default(),
            flush_every: Duration::from_secs(1),
        }
    }
}

fn main() -> Result<(), BoxError> {
    let folder = std::env::temp_dir().join(format!("perennial-example-09-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let file = folder.join("example.toml");
    let loader = || {
        Loader::new("example")
            .config::<MyConfig>()
            .file(&file)
            .environment([("EXAMPLE__STORE__FLUSH_EVERY".into(), "250ms".into())])
            .arguments(["logging.level=debug".to_owned()])
    };

    std::fs::write(
        &file,
        "[store]\npath = \"data\"\npassword = \"swordfish\"\n",
    )?;
    let snapshot = loader().load()?.live().snapshot();
    println!("{:?}\n", snapshot.config());
    let effective = snapshot.effective();
    let is_set = |line: &&str| line.contains("# ") && !line.ends_with("# default");
    for line in effective.lines().filter(is_set) {
        println!("{line}");
    }

    std::fs::write(&file, "[store]\npaht = \"data\"\n")?;
    if let Err(error) = loader().load() {
        println!("\na mistake: {error}");
    }
    std::fs::remove_dir_all(&folder)?;
    Ok(())
}
